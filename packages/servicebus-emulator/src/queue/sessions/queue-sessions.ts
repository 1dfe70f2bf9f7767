import { returnMessages } from '../actions/settle.ts';
import type { Consumer } from '../consumers.ts';
import { createChange, type QueueCore } from '../queue-core.ts';
import { decodeTime, encodeTime } from '../seen-messages.ts';
import type { Session, SessionHolder } from './sessions.ts';

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

/** Returns undefined when the queue has no sessions. */
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

/** What applications keep with a session. Each call resolves to false when nobody holds it. */
async function setSessionState(
  core: QueueCore,
  sessionId: string,
  state: Buffer | undefined,
): Promise<boolean> {
  if (core.sessions?.find(sessionId)?.holder === undefined) return false;
  const change = createChange();
  const updated = state === undefined ? undefined : encodeTime(core.clock.nowMs());
  change.note(core, { kind: 'session-state', name: sessionId }, state);
  change.note(core, { kind: 'session-updated', name: sessionId }, updated);
  await change.commit();
  return true;
}

async function getSessionState(
  core: QueueCore,
  sessionId: string,
): Promise<{ readonly state: Buffer | undefined } | undefined> {
  if (core.sessions?.find(sessionId)?.holder === undefined) return undefined;
  return { state: await core.store.readNote(core.id, { kind: 'session-state', name: sessionId }) };
}

/** The ids of the sessions whose state was set after the time, in order of id. */
async function idsUpdatedAfter(core: QueueCore, timeMs: number): Promise<string[]> {
  const notes = await core.store.loadNotes(core.id, 'session-updated');
  const updated = notes.filter(({ value }) => decodeTime(value) > timeMs);
  return updated.map(({ name }) => name).sort();
}

interface AcceptRequest {
  /** Undefined for the next session that is free and has messages. */
  readonly sessionId: string | undefined;
  /** Bounds how long such a session is waited for. */
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
async function acceptSession(
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

/** A session as its one receiver sees it. */
interface HeldSession {
  readonly id: string;
  lockedUntilMs(): number;
  attach(consumer: Consumer): { pull(): void; detach(): void };
  /** Gives the session up: its messages are free again, and this delivery is not counted. */
  release(): void;
}

function end(core: QueueCore, session: Session): void {
  session.holder = undefined;
  core.sessions?.refresh(session);
}

/** The consumer is shown the lock of the session in place of that of each message. */
function underSessionLock(consumer: Consumer, holder: SessionHolder): Consumer {
  return {
    ...consumer,
    deliverLocked: (lock) => consumer.deliverLocked({ ...lock, expiresAtMs: holder.expiresAtMs }),
  };
}

/** Locks the session, which must be free. */
function holdSession(core: QueueCore, session: Session, lost: () => void): HeldSession {
  const expiresAtMs = core.clock.nowMs() + core.properties.lockDurationMs;
  const holder: SessionHolder = { expiresAtMs, lost };
  session.holder = holder;
  core.sessions?.refresh(session);
  core.sessionAlarm.ringAt(expiresAtMs);
  return {
    id: session.id,
    lockedUntilMs: () => holder.expiresAtMs,
    attach(consumer) {
      const own = underSessionLock(consumer, holder);
      if (session.holder === holder) session.consumers.add(own);
      return { pull: core.pump, detach: () => session.consumers.remove(own) };
    },
    release() {
      if (session.holder !== holder) return;
      const locks = core.locks.takeSession(session.id);
      for (const { message } of locks) if (message.state === 'active') core.ready.putBack(message);
      end(core, session);
    },
  };
}

/** The new expiry of the session's lock, or undefined when nobody holds it. */
function renewSession(core: QueueCore, sessionId: string): number | undefined {
  const holder = core.sessions?.find(sessionId)?.holder;
  if (holder === undefined || holder.expiresAtMs <= core.clock.nowMs()) return undefined;
  holder.expiresAtMs = core.clock.nowMs() + core.properties.lockDurationMs;
  core.sessionAlarm.ringAt(holder.expiresAtMs);
  return holder.expiresAtMs;
}

/** Ends the session locks that have expired: the messages under them count as delivered. */
export async function expireSessions(core: QueueCore): Promise<void> {
  const nowMs = core.clock.nowMs();
  for (const session of core.sessions?.held() ?? []) {
    const { holder } = session;
    if (holder === undefined) continue;
    if (holder.expiresAtMs > nowMs) {
      core.sessionAlarm.ringAt(holder.expiresAtMs);
      continue;
    }
    const messages = core.locks.takeSession(session.id).map((lock) => lock.message);
    holder.lost();
    await returnMessages(core, messages);
    // Only now can somebody else take the session, so that it is offered in order.
    if (session.holder === holder) end(core, session);
  }
}
