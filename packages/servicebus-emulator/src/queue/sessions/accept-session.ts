import type { QueueCore } from '../queue-core.ts';
import { holdSession } from './hold-session.ts';
import type { HeldSession } from './hold-session.ts';
import type { Session } from './sessions.ts';

export interface AcceptRequest {
  /** Undefined for the next session that is free and has messages. */
  readonly sessionId: string | undefined;
  /** How long to wait for such a session. */
  readonly timeoutMs: number;
  /** Called when the lock on the session has expired. */
  readonly lost: () => void;
}

export type AcceptOutcome =
  | { readonly kind: 'accepted'; readonly session: HeldSession }
  | { readonly kind: 'locked' }
  | { readonly kind: 'timeout' };

/** Waits until a session is free; undefined when the time is over first. */
function waitForFree(core: QueueCore, timeoutMs: number): Promise<Session | undefined> {
  const waiters = core.sessions?.waiters;
  return new Promise((resolve) => {
    const cancelTimer = core.clock.schedule(timeoutMs, () => {
      waiters?.delete(waiter);
      resolve(undefined);
    });
    const waiter = (session: Session): void => {
      cancelTimer();
      resolve(session);
    };
    waiters?.add(waiter);
  });
}

/** Locks a session for one receiver. Rejects when the queue has no sessions. */
export async function acceptSession(
  core: QueueCore,
  { sessionId, timeoutMs, lost }: AcceptRequest,
): Promise<AcceptOutcome> {
  const { sessions } = core;
  if (sessions === undefined) throw new Error(`The queue '${core.name}' has no sessions`);
  if (sessionId !== undefined) {
    const session = sessions.get(sessionId);
    if (session.holder !== undefined) return { kind: 'locked' };
    return { kind: 'accepted', session: holdSession(core, session, lost) };
  }
  const deadlineMs = core.clock.nowMs() + timeoutMs;
  for (;;) {
    const leftMs = deadlineMs - core.clock.nowMs();
    const session = sessions.nextFree() ?? (await waitForFree(core, Math.max(leftMs, 0)));
    if (session === undefined) return { kind: 'timeout' };
    if (session.holder === undefined) {
      return { kind: 'accepted', session: holdSession(core, session, lost) };
    }
  }
}
