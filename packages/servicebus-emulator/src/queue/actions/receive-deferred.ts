import type { StoredMessage } from '../../store/message-store.ts';
import type { Consumer } from '../consumers.ts';
import type { MessageLock } from '../lock-table.ts';
import { createChange } from '../queue-change.ts';
import { isExpired, lockMessage, type QueueCore } from '../queue-core.ts';

export type DeferredOutcome =
  | { readonly kind: 'locked'; readonly locks: readonly MessageLock[] }
  | { readonly kind: 'removed'; readonly messages: readonly StoredMessage[] }
  | { readonly kind: 'not-found'; readonly sequenceNumber: number }
  /** The queue has sessions, and nobody holds the one that was named. */
  | { readonly kind: 'session-lock-lost' };

export interface DeferredRequest {
  readonly numbers: readonly number[];
  readonly mode: Consumer['mode'];
  /** Where the messages are, for a queue that has sessions. */
  readonly sessionId?: string | undefined;
}

function isAvailable(core: QueueCore, message: StoredMessage): boolean {
  const { sequenceNumber, state } = message;
  const held = core.locks.find(sequenceNumber) !== undefined || core.settling.has(sequenceNumber);
  return state === 'deferred' && !held && !isExpired(core, message);
}

async function removeAll(core: QueueCore, messages: readonly StoredMessage[]): Promise<void> {
  const change = createChange();
  for (const message of messages) {
    core.settling.add(message.sequenceNumber);
    change.remove(core, message);
  }
  await change.commit();
  for (const message of messages) core.settling.delete(message.sequenceNumber);
}

/** Receives deferred messages by number: all of them, or none when one cannot be had. */
export async function receiveDeferred(
  core: QueueCore,
  { numbers, mode, sessionId }: DeferredRequest,
): Promise<DeferredOutcome> {
  const holder = core.sessions?.find(sessionId ?? '')?.holder;
  if (core.sessions !== undefined && holder === undefined) return { kind: 'session-lock-lost' };
  const messages: StoredMessage[] = [];
  for (const sequenceNumber of new Set(numbers)) {
    const message = await core.store.read(core.id, sequenceNumber);
    if (message === undefined) return { kind: 'not-found', sequenceNumber };
    messages.push(message);
  }
  // No await between this check and the locks: nobody else can take them in between.
  const missing = messages.find(
    (message) =>
      !isAvailable(core, message) ||
      (core.sessions !== undefined && message.sessionId !== sessionId),
  );
  if (missing !== undefined) return { kind: 'not-found', sequenceNumber: missing.sequenceNumber };
  if (mode === 'receive-and-delete') {
    await removeAll(core, messages);
    return { kind: 'removed', messages };
  }
  const locks = messages.map((message) => lockMessage(core, message));
  // What belongs to a session is shown the lock of the session.
  const expiresAtMs = holder?.expiresAtMs;
  const shown = locks.map((lock) => (expiresAtMs === undefined ? lock : { ...lock, expiresAtMs }));
  return { kind: 'locked', locks: shown };
}
