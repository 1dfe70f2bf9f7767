import { assertNever } from '../../assert-never.ts';
import type { StoredMessage } from '../../store/message-store.ts';
import {
  setApplicationProperties,
  type PropertyChanges,
} from '../../message/set-application-properties.ts';
import { DELIVERY_COUNT_EXCEEDED, moveToDeadLetters, type DeadLetterCause } from './dead-letter.ts';
import { createChange, type QueueChange } from '../queue-change.ts';
import { isExpired, type QueueCore } from '../queue-core.ts';

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
