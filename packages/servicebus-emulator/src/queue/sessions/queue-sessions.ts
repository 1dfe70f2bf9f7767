import type { QueueCore } from '../queue-core.ts';
import { acceptSession, type AcceptOutcome, type AcceptRequest } from './accept-session.ts';
import { renewSession } from './hold-session.ts';
import { getSessionState, idsUpdatedAfter, setSessionState } from './session-state.ts';

/** The sessions of one queue. */
export interface QueueSessions {
  accept(request: AcceptRequest): Promise<AcceptOutcome>;
  /** The new expiry, or undefined when nobody holds the session. */
  renew(sessionId: string): number | undefined;
  /** Undefined when nobody holds the session. */
  getState(sessionId: string): Promise<{ readonly state: Buffer | undefined } | undefined>;
  /** False when nobody holds the session. */
  setState(sessionId: string, state: Buffer | undefined): Promise<boolean>;
  /** The ids of sessions that have messages or are held. */
  ids(): string[];
  /** The ids of sessions whose state was set after the time. */
  idsUpdatedAfter(timeMs: number): Promise<string[]>;
}

/** Undefined when the queue has no sessions. */
export function createQueueSessions(core: QueueCore): QueueSessions | undefined {
  const { sessions } = core;
  if (sessions === undefined) return undefined;
  return {
    accept: (request) => acceptSession(core, request),
    renew: (sessionId) => renewSession(core, sessionId),
    getState: (sessionId) => getSessionState(core, sessionId),
    setState: (sessionId, state) => setSessionState(core, sessionId, state),
    ids: () => sessions.ids(),
    idsUpdatedAfter: (timeMs) => idsUpdatedAfter(core, timeMs),
  };
}
