import { assert, TransientError } from '../errors.ts';
import type { ChangePublisher } from '../ports/change-publisher.ts';
import type { ChangeReceiver, InboundMessage } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { QueueViewer } from '../ports/queue-viewer.ts';
import { type DeadLetter, MemoryQueue, viewMemoryQueue } from './memory-queue.ts';

export interface MemoryBusOptions {
  readonly clock: Clock;
  readonly lockDurationMs: number;
  /** A message delivered this often and not completed is dead-lettered. */
  readonly deliveryCountMax: number;
  /** Bounds the body alone. */
  readonly messageBytesMax?: number;
}

/**
 * Queues in this process's memory, made when first named. Deterministic: what happens depends only
 * on the order of the calls and on the clock.
 */
export interface MemoryBus {
  publisherFor(peer: string, queue: string): ChangePublisher;
  receiverFor(queue: string): ChangeReceiver;
  viewerFor(queue: string): QueueViewer;
  /** Returns them in the order in which they were dead-lettered. */
  deadLettersOf(queue: string): readonly DeadLetter[];
}

interface WaitingQueue {
  readonly messages: MemoryQueue;
  /** Called whenever a message may have become available. */
  readonly wakeups: Set<() => void>;
}

/** What Service Bus takes on its Standard tier, less 4 KiB for headers. */
export const MEMORY_MESSAGE_BYTES_MAX = 252 * 1_024;

export function createMemoryBus(options: MemoryBusOptions): MemoryBus {
  const { clock, lockDurationMs, deliveryCountMax } = options;
  const queues = new Map<string, WaitingQueue>();

  const queueNamed = (name: string): WaitingQueue => {
    const found = queues.get(name);
    if (found !== undefined) return found;
    const messages = new MemoryQueue({
      name,
      nowMs: () => clock.nowMs(),
      lockDurationMs,
      deliveryCountMax,
      messageBytesMax: options.messageBytesMax ?? MEMORY_MESSAGE_BYTES_MAX,
    });
    const made = { messages, wakeups: new Set<() => void>() };
    queues.set(name, made);
    return made;
  };

  return {
    publisherFor: (peer, name) => createPublisher(peer, queueNamed(name)),
    receiverFor: (name) => createReceiver(queueNamed(name), clock),
    viewerFor: (name) => {
      const queue = queueNamed(name);
      return viewMemoryQueue(queue.messages, () => wakeAll(queue));
    },
    deadLettersOf: (name) => queueNamed(name).messages.deadLetters(),
  };
}

function createPublisher(peer: string, queue: WaitingQueue): ChangePublisher {
  let isClosed = false;
  return {
    peer,
    async publish(messages) {
      if (isClosed) throw closedError(`publisher to "${peer}"`);
      queue.messages.accept(messages);
      wakeAll(queue);
    },
    async close() {
      isClosed = true;
    },
  };
}

function createReceiver(queue: WaitingQueue, clock: Clock): ChangeReceiver {
  const state = { isClosed: false };
  const checkOpen = (): void => {
    if (state.isClosed) throw closedError('receiver');
  };
  return {
    async receive(countMax, waitMsMax, signal) {
      checkOpen();
      assert(countMax >= 1, `cannot receive ${countMax} messages`);
      const isStopped = (): boolean => state.isClosed || signal?.aborted === true;
      const deadlineMs = clock.nowMs() + waitMsMax;
      return takeOrWait({ queue, clock, countMax, deadlineMs, signal, isStopped });
    },
    async settle(message, settlement) {
      checkOpen();
      const outcome = queue.messages.settle(message, settlement);
      if (settlement.kind === 'abandon') wakeAll(queue);
      return outcome;
    },
    async renewLock(message) {
      checkOpen();
      return queue.messages.renewLock(message);
    },
    async oldestMessage() {
      checkOpen();
      return queue.messages.oldestMessage();
    },
    async countDeadLetters(countMax) {
      checkOpen();
      return Math.min(countMax, queue.messages.deadLetters().length);
    },
    async close() {
      state.isClosed = true;
      wakeAll(queue);
    },
  };
}

interface Wait {
  readonly queue: WaitingQueue;
  readonly clock: Clock;
  readonly countMax: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly isStopped: () => boolean;
}

async function takeOrWait(wait: Wait): Promise<InboundMessage[]> {
  const { queue, clock, countMax, deadlineMs, signal, isStopped } = wait;
  while (!isStopped()) {
    const taken = queue.messages.take(countMax);
    if (taken.length > 0 || clock.nowMs() >= deadlineMs) return taken;
    const untilMs = Math.min(deadlineMs, queue.messages.nextLockEndMs() ?? deadlineMs);
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    queue.wakeups.add(wake);
    signal?.addEventListener('abort', wake);
    await clock.sleep(untilMs - clock.nowMs(), woken.signal);
    signal?.removeEventListener('abort', wake);
    queue.wakeups.delete(wake);
  }
  return [];
}

/** Wakes all who wait, in the order in which they began to: the first finds the message. */
function wakeAll(queue: WaitingQueue): void {
  for (const wake of queue.wakeups) wake();
}

function closedError(what: string): TransientError {
  return new TransientError('BUS_UNAVAILABLE', `The ${what} is closed.`);
}
