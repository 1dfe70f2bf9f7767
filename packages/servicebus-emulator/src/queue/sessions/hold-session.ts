import { returnMessages } from '../actions/settle.ts';
import type { Consumer } from '../consumers.ts';
import type { QueueCore } from '../queue-core.ts';
import type { Session, SessionHolder } from './sessions.ts';

/** A session as its one receiver sees it. */
export interface HeldSession {
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
export function holdSession(core: QueueCore, session: Session, lost: () => void): HeldSession {
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
export function renewSession(core: QueueCore, sessionId: string): number | undefined {
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
