import { assertNever } from '../../assert-never.ts';
import { type PropertyChanges, setApplicationProperties } from '../../message/edit-message.ts';
import type { StoredMessage } from '../../store/message-store.ts';
import type { Consumer } from '../consumers.ts';
import type { MessageLock } from '../lock-table.ts';
import {
  createChange,
  isExpired,
  lockMessage,
  type QueueChange,
  type QueueCore,
} from '../queue-core.ts';

export type SettleOutcome =
  | 'settled'
  /** The lock has expired, or the message was settled before. */
  | 'lock-lost'
  /** The same, where the lock was that of a session. */
  | 'session-lock-lost'
  /** A dead letter was to be dead-lettered. */
  | 'not-allowed';

/** What a receiver decided about a message that it holds. */
export type Settlement =
  | { readonly kind: 'complete' }
  | { readonly kind: 'abandon'; readonly properties?: PropertyChanges }
  | { readonly kind: 'defer'; readonly properties?: PropertyChanges }
  | ({ readonly kind: 'dead-letter' } & DeadLetterCause);

function modified(message: StoredMessage, properties: PropertyChanges | undefined): StoredMessage {
  if (properties === undefined) return message;
  return { ...message, payload: setApplicationProperties(message.payload, properties) };
}

/** The message after one more delivery. Dead letters keep the count that they came with. */
function afterDelivery(core: QueueCore, message: StoredMessage): StoredMessage {
  if (core.deadLetters === undefined) return message;
  return { ...message, deliveryCount: message.deliveryCount + 1 };
}

/** Keeps the message, to be offered again, or dead-letters it when it was delivered too often. */
function stageReturn(
  change: QueueChange,
  core: QueueCore,
  { from, to }: { from: StoredMessage; to: StoredMessage },
): StoredMessage | undefined {
  const counted = afterDelivery(core, to);
  if (core.deadLetters !== undefined && counted.deliveryCount >= core.properties.maxDeliveryCount) {
    change.replace(core, { from, to: counted });
    const cause = DELIVERY_COUNT_EXCEEDED(counted.deliveryCount);
    moveToDeadLetters(change, core, { message: counted, cause });
    return undefined;
  }
  change.replace(core, { from, to: counted });
  return counted;
}

/** Stages the settlement; returns the message when it is to be offered again. */
function stage(
  change: QueueChange,
  core: QueueCore,
  { message, settlement }: { message: StoredMessage; settlement: Settlement },
): StoredMessage | undefined {
  switch (settlement.kind) {
    case 'complete':
      change.remove(core, message);
      return undefined;
    case 'abandon': {
      const to = modified(message, settlement.properties);
      return stageReturn(change, core, { from: message, to });
    }
    case 'defer': {
      // Also a deferral uses a delivery up, and with the last one the message is dead-lettered.
      const changed = modified(message, settlement.properties);
      stageReturn(change, core, { from: message, to: { ...changed, state: 'deferred' } });
      return undefined;
    }
    case 'dead-letter':
      moveToDeadLetters(change, core, { message, cause: settlement });
      return undefined;
    default:
      return assertNever(settlement);
  }
}

async function commitAndOffer(
  core: QueueCore,
  { change, messages }: { change: QueueChange; messages: readonly StoredMessage[] },
  offered: readonly StoredMessage[],
): Promise<void> {
  for (const message of messages) core.settling.add(message.sequenceNumber);
  await change.commit();
  for (const message of messages) {
    core.settling.delete(message.sequenceNumber);
    if (isExpired(core, message)) core.dueAlarm.ringAt(core.clock.nowMs());
  }
  // A deferred message stays deferred: whoever wants it asks for it by number.
  const returned = offered.filter((message) => message.state === 'active');
  for (const message of returned) core.ready.putBack(message);
  if (returned.length > 0) core.pump();
}

/** Ends the lock. Resolves after the outcome is committed. */
export async function settle(
  core: QueueCore,
  token: Buffer,
  settlement: Settlement,
): Promise<SettleOutcome> {
  if (settlement.kind === 'dead-letter' && core.deadLetters === undefined) return 'not-allowed';
  const lock = core.locks.release(token, core.clock.nowMs());
  if (lock === undefined) return core.sessions === undefined ? 'lock-lost' : 'session-lock-lost';
  const change = createChange();
  const { message } = lock;
  const offered = stage(change, core, { message, settlement });
  const all = { change, messages: [message] };
  await commitAndOffer(core, all, offered === undefined ? [] : [offered]);
  return 'settled';
}

/** Ends the locks that have expired, which counts as a delivery each, and waits for the next. */
export async function expireLocks(core: QueueCore): Promise<void> {
  const messages = core.locks.takeExpired(core.clock.nowMs()).map((lock) => lock.message);
  const next = core.locks.nextExpiryMs();
  if (next !== undefined) core.lockAlarm.ringAt(next);
  await returnMessages(core, messages);
}

/** Offers messages again whose locks have ended, and counts the delivery. */
export async function returnMessages(
  core: QueueCore,
  messages: readonly StoredMessage[],
): Promise<void> {
  if (messages.length === 0) return;
  const change = createChange();
  const offered = messages
    .map((message) => stageReturn(change, core, { from: message, to: message }))
    .filter((message) => message !== undefined);
  await commitAndOffer(core, { change, messages }, offered);
}

interface DeadLetterCause {
  readonly reason: string | undefined;
  readonly description: string | undefined;
  readonly properties?: PropertyChanges;
}

/** The reasons that the service itself gives. */
const DELIVERY_COUNT_EXCEEDED = (deliveryCount: number): DeadLetterCause => ({
  reason: 'MaxDeliveryCountExceeded',
  description: `Message could not be consumed after ${deliveryCount} delivery attempts.`,
});

export const TIME_TO_LIVE_EXPIRED: DeadLetterCause = {
  reason: 'TTLExpiredException',
  description: 'The message expired and was dead lettered.',
};

/** Moves the message to the dead-letter sub-queue, where nothing expires. */
export function moveToDeadLetters(
  change: QueueChange,
  core: QueueCore,
  { message, cause }: { message: StoredMessage; cause: DeadLetterCause },
): void {
  if (core.deadLetters === undefined) throw new Error('A dead letter cannot be dead-lettered');
  const payload = setApplicationProperties(message.payload, {
    ...cause.properties,
    DeadLetterReason: cause.reason,
    DeadLetterErrorDescription: cause.description,
  });
  change.remove(core, message);
  const { sequenceNumber: _, ...rest } = message;
  change.append(core.deadLetters, {
    ...rest,
    payload,
    state: 'active',
    dueAtMs: undefined,
  });
}

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
