import type { DueMessage, StoredMessage } from '../../store/message-store.ts';
import { createChange, isExpired, type QueueChange, type QueueCore } from '../queue-core.ts';
import type { ReadyMessages } from '../ready-messages.ts';
import { findQuotaExceeded, type QuotaExceeded } from './send.ts';
import { moveToDeadLetters, TIME_TO_LIVE_EXPIRED } from './settle.ts';

const SWEEP_PAGE_MAX = 500;

/** A message that a receiver holds, or whose settlement is under way, is not expired now. */
function isFree(core: QueueCore, { sequenceNumber }: DueMessage): boolean {
  return core.locks.find(sequenceNumber) === undefined && !core.settling.has(sequenceNumber);
}

/** Puts a message at the end of a queue under a new number, as active and as if it were sent now. */
function enqueueAgain(
  change: QueueChange,
  { from, to }: { readonly from: QueueCore; readonly to: QueueCore },
  message: StoredMessage,
): StoredMessage {
  change.remove(from, message);
  const { sequenceNumber: _, enqueuedSequenceNumber: __, ...rest } = message;
  const nowMs = to.clock.nowMs();
  const { timeToLiveMs } = message;
  const dueAtMs = timeToLiveMs === undefined ? undefined : Math.floor(nowMs + timeToLiveMs);
  return change.append(to, {
    ...rest,
    state: 'active',
    deliveryCount: 0,
    enqueuedAtMs: nowMs,
    dueAtMs,
  });
}

async function expire(core: QueueCore, due: readonly DueMessage[]): Promise<void> {
  const change = createChange();
  const taken: number[] = [];
  for (const { sequenceNumber } of due.filter((entry) => isFree(core, entry))) {
    const message = await core.store.read(core.id, sequenceNumber);
    // It cannot have been locked meanwhile: expired messages are never delivered.
    if (message === undefined || core.settling.has(sequenceNumber)) continue;
    core.settling.add(sequenceNumber);
    taken.push(sequenceNumber);
    if (message.state === 'scheduled') enqueueAgain(change, { from: core, to: core }, message);
    else if (core.deadLetters !== undefined && core.properties.deadLetterOnExpiration) {
      moveToDeadLetters(change, core, { message, cause: TIME_TO_LIVE_EXPIRED });
    } else change.remove(core, message);
  }
  await change.commit();
  for (const sequenceNumber of taken) core.settling.delete(sequenceNumber);
}

/** Rings the alarm for the first message that expires later than the given time. */
async function waitForNext(core: QueueCore, nowMs: number): Promise<void> {
  const [next] = await core.store.scanDue({
    queueId: core.id,
    untilMs: Number.MAX_SAFE_INTEGER - 1,
    messagesMax: 1,
    after: { dueAtMs: nowMs, sequenceNumber: Number.MAX_SAFE_INTEGER },
  });
  if (next !== undefined) core.dueAlarm.ringAt(next.dueAtMs);
}

/**
 * Drops or dead-letters every message whose time to live is over and enqueues every scheduled one
 * whose time has come, then waits for the next one.
 * Must not run twice at a time for one queue.
 */
export async function sweepExpired(core: QueueCore): Promise<void> {
  const nowMs = core.clock.nowMs();
  let after: DueMessage | undefined;
  for (;;) {
    const due = await core.store.scanDue({
      queueId: core.id,
      untilMs: nowMs,
      messagesMax: SWEEP_PAGE_MAX,
      ...(after === undefined ? {} : { after }),
    });
    if (due.length > 0) await expire(core, due);
    after = due.at(-1);
    if (due.length < SWEEP_PAGE_MAX) break;
  }
  await waitForNext(core, nowMs);
}

/** The service deletes at most this many at once. */
export const DELETE_BATCH_MAX = 4_000;

export interface DeleteBatchRequest {
  readonly enqueuedBeforeMs: number;
  readonly messagesMax: number;
  /** Which session's messages, for a queue that has sessions. */
  readonly sessionId: string | undefined;
}

function readyOf(core: QueueCore, sessionId: string | undefined): ReadyMessages | undefined {
  if (core.sessions === undefined) return core.ready;
  return sessionId === undefined ? undefined : core.sessions.find(sessionId)?.ready;
}

/** Takes the oldest messages that nobody holds, up to the first that is too young. */
async function takeOldest(
  core: QueueCore,
  ready: ReadyMessages,
  { enqueuedBeforeMs, messagesMax }: DeleteBatchRequest,
): Promise<StoredMessage[]> {
  const taken: StoredMessage[] = [];
  while (taken.length < messagesMax) {
    const message = ready.take();
    if (message === undefined) {
      if (!ready.hasMore()) break;
      await ready.refill();
    } else if (isExpired(core, message)) core.dueAlarm.ringAt(core.clock.nowMs());
    else if (message.enqueuedAtMs < enqueuedBeforeMs) {
      core.settling.add(message.sequenceNumber);
      taken.push(message);
    } else {
      ready.putBack(message);
      break;
    }
  }
  return taken;
}

/** Deletes messages without delivering them. Resolves to how many, after that is committed. */
export async function deleteBatch(core: QueueCore, request: DeleteBatchRequest): Promise<number> {
  const ready = readyOf(core, request.sessionId);
  if (ready === undefined) return 0;
  const messages = await takeOldest(core, ready, request);
  const change = createChange();
  for (const message of messages) change.remove(core, message);
  await change.commit();
  for (const { sequenceNumber } of messages) core.settling.delete(sequenceNumber);
  return messages.length;
}

export type ResubmitOutcome =
  | { readonly kind: 'resubmitted'; readonly count: number }
  | QuotaExceeded;

/**
 * Moves the oldest dead letters that nobody holds back into their queue, all or none: a queue that takes no message of a
 * sender for its size takes none of these either. They stay as they are, with the reason among their properties.
 * Resolves after that is committed.
 */
export async function resubmitDeadLetters(
  core: QueueCore,
  messagesMax: number,
): Promise<ResubmitOutcome> {
  const { deadLetters } = core;
  if (deadLetters === undefined) return { kind: 'resubmitted', count: 0 };
  const full = findQuotaExceeded(core);
  if (full !== undefined) return full;
  const messages = await takeOldest(deadLetters, deadLetters.ready, {
    enqueuedBeforeMs: Number.POSITIVE_INFINITY,
    messagesMax,
    sessionId: undefined,
  });
  const change = createChange();
  for (const message of messages) {
    const { dueAtMs } = enqueueAgain(change, { from: deadLetters, to: core }, message);
    if (dueAtMs !== undefined) core.dueAlarm.ringAt(dueAtMs);
  }
  await change.commit();
  for (const { sequenceNumber } of messages) deadLetters.settling.delete(sequenceNumber);
  return { kind: 'resubmitted', count: messages.length };
}
