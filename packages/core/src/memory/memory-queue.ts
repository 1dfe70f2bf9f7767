import { assertNever, TerminalError } from '../errors.ts';
import type { MessageSubject, OutboundMessage } from '../ports/change-publisher.ts';
import type { InboundMessage, OldestMessage, Settlement } from '../ports/change-receiver.ts';
import {
  type DeadLetterReplacement,
  type QueuedMessage,
  type QueueViewer,
  SET_ASIDE_DESCRIPTION,
  SET_ASIDE_REASON,
} from '../ports/queue-viewer.ts';

export interface MemoryQueueOptions {
  readonly name: string;
  readonly nowMs: () => number;
  readonly lockDurationMs: number;
  readonly deliveryCountMax: number;
  readonly messageBytesMax: number;
}

export interface DeadLetter extends InboundMessage, OldestMessage {
  readonly reason: string;
  readonly description: string;
}

interface Entry {
  readonly messageId: string;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly sequenceNumber: bigint;
  readonly enqueuedAtMs: number;
  deliveryCount: number;
  lock: { readonly delivery: InboundMessage; endsMs: number } | undefined;
}

/** What Service Bus gives as the reason when it has delivered a message too often. */
const REASON_DELIVERY_COUNT = 'MaxDeliveryCountExceeded';

/**
 * One queue as Service Bus keeps it, without any waiting: peek-lock, sequence numbers, delivery
 * counts, dead letters. Locks end by the clock, and are looked at whenever the queue is used.
 */
export class MemoryQueue {
  readonly #options: MemoryQueueOptions;
  // In ascending order of sequence number, because a map keeps the order of insertion.
  readonly #entries = new Map<bigint, Entry>();
  readonly #locked = new Set<Entry>();
  readonly #deadLetters: DeadLetter[] = [];
  #lastSequenceNumber = 0n;

  constructor(options: MemoryQueueOptions) {
    this.#options = options;
  }

  /** Accepts all or none. Throws `MESSAGE_TOO_LARGE`. */
  accept(messages: readonly OutboundMessage[]): void {
    for (const message of messages) checkSize(message, this.#options);
    for (const { messageId, subject, body } of messages) {
      this.#lastSequenceNumber += 1n;
      this.#entries.set(this.#lastSequenceNumber, {
        messageId,
        subject,
        body: body.slice(),
        sequenceNumber: this.#lastSequenceNumber,
        enqueuedAtMs: this.#options.nowMs(),
        deliveryCount: 0,
        lock: undefined,
      });
    }
  }

  take(countMax: number): InboundMessage[] {
    this.#endLocks();
    const taken: InboundMessage[] = [];
    for (const entry of this.#entries.values()) {
      if (taken.length >= countMax) break;
      if (entry.lock !== undefined) continue;
      entry.deliveryCount += 1;
      const delivery = deliveryOf(entry);
      entry.lock = { delivery, endsMs: this.#lockEndMs() };
      this.#locked.add(entry);
      taken.push(delivery);
    }
    return taken;
  }

  settle(message: InboundMessage, settlement: Settlement): 'settled' | 'lock-lost' {
    const entry = this.#lockedEntry(message);
    if (entry === undefined) return 'lock-lost';
    switch (settlement.kind) {
      case 'complete':
        this.#remove(entry);
        return 'settled';
      case 'abandon':
        this.#unlock(entry);
        return 'settled';
      case 'dead-letter':
        this.#deadLetter(entry, settlement.reason, settlement.description);
        return 'settled';
      default:
        return assertNever(settlement);
    }
  }

  renewLock(message: InboundMessage): 'renewed' | 'lock-lost' {
    const entry = this.#lockedEntry(message);
    if (entry?.lock === undefined) return 'lock-lost';
    entry.lock.endsMs = this.#lockEndMs();
    return 'renewed';
  }

  oldestMessage(): OldestMessage | undefined {
    this.#endLocks();
    const oldest = this.#entries.values().next().value;
    return oldest && { sequenceNumber: oldest.sequenceNumber, enqueuedAtMs: oldest.enqueuedAtMs };
  }

  deadLetters(): readonly DeadLetter[] {
    this.#endLocks();
    return this.#deadLetters;
  }

  /** Locked ones included, in order; changes nothing. */
  waiting(): readonly (InboundMessage & OldestMessage)[] {
    this.#endLocks();
    return [...this.#entries.values()].map((entry) => ({
      ...deliveryOf(entry),
      enqueuedAtMs: entry.enqueuedAtMs,
    }));
  }

  /** Dead-letters those that `isWanted` and nobody has locked; gives their numbers. */
  deadLetterFree(
    isWanted: (sequenceNumber: bigint) => boolean,
    reason: string,
    description: string,
  ): ReadonlySet<bigint> {
    this.#endLocks();
    const free = [...this.#entries.values()].filter(
      ({ lock, sequenceNumber }) => lock === undefined && isWanted(sequenceNumber),
    );
    for (const entry of free) this.#deadLetter(entry, reason, description);
    return new Set(free.map(({ sequenceNumber }) => sequenceNumber));
  }

  /** Takes those away that `isWanted`, and gives them. */
  takeDeadLetters(isWanted: (letter: DeadLetter) => boolean): readonly DeadLetter[] {
    const taken = this.#deadLetters.filter(isWanted);
    const left = this.#deadLetters.filter((letter) => !taken.includes(letter));
    this.#deadLetters.splice(0, this.#deadLetters.length, ...left);
    return taken;
  }

  /** Returns when the next lock ends, in milliseconds since the epoch. */
  nextLockEndMs(): number | undefined {
    const ends = [...this.#locked].flatMap(({ lock }) => lock?.endsMs ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #lockEndMs(): number {
    return this.#options.nowMs() + this.#options.lockDurationMs;
  }

  #lockedEntry(delivery: InboundMessage): Entry | undefined {
    this.#endLocks();
    const entry = this.#entries.get(delivery.sequenceNumber);
    return entry?.lock?.delivery === delivery ? entry : undefined;
  }

  #endLocks(): void {
    const now = this.#options.nowMs();
    for (const entry of this.#locked) {
      if (entry.lock !== undefined && entry.lock.endsMs <= now) this.#unlock(entry);
    }
  }

  #unlock(entry: Entry): void {
    const { deliveryCountMax } = this.#options;
    entry.lock = undefined;
    this.#locked.delete(entry);
    if (entry.deliveryCount < deliveryCountMax) return;
    const description = `Delivered ${entry.deliveryCount} times, the limit is ${deliveryCountMax}.`;
    this.#deadLetter(entry, REASON_DELIVERY_COUNT, description);
  }

  #deadLetter(entry: Entry, reason: string, description: string): void {
    this.#remove(entry);
    const { enqueuedAtMs } = entry;
    this.#deadLetters.push({ ...deliveryOf(entry), enqueuedAtMs, reason, description });
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.sequenceNumber);
    this.#locked.delete(entry);
  }
}

function deliveryOf(entry: Entry): InboundMessage {
  const { messageId, subject, sequenceNumber, deliveryCount } = entry;
  return { messageId, subject, body: entry.body.slice(), sequenceNumber, deliveryCount };
}

function checkSize(message: OutboundMessage, { name, messageBytesMax }: MemoryQueueOptions): void {
  const bytes = message.body.byteLength;
  if (bytes <= messageBytesMax) return;
  throw new TerminalError(
    'MESSAGE_TOO_LARGE',
    `Message "${message.messageId}" has ${bytes} bytes; queue "${name}" takes at most ` +
      `${messageBytesMax}. Send less in one message.`,
    { details: { messageId: message.messageId, bytes, bytesMax: messageBytesMax } },
  );
}

/** Makes an operator's view of a queue in memory. */
export function viewMemoryQueue(queue: MemoryQueue, onSent: () => void): QueueViewer {
  const all = (lane: 'messages' | 'dead-letters'): readonly QueuedMessage[] =>
    lane === 'messages'
      ? queue.waiting().map((one) => ({ ...one, reason: undefined, description: undefined }))
      : queue.deadLetters();
  const take = (isWanted: (sequenceNumber: bigint) => boolean): readonly DeadLetter[] =>
    queue.takeDeadLetters((one) => isWanted(one.sequenceNumber));
  const send = ({ subject }: DeadLetter, messages: readonly DeadLetterReplacement[]): void =>
    queue.accept(
      messages.map(({ messageId, body }) => ({
        messageId,
        body,
        subject: (subject ?? '') as MessageSubject,
      })),
    );
  const numbersOf = (letters: readonly DeadLetter[]): ReadonlySet<bigint> =>
    new Set(letters.map(({ sequenceNumber }) => sequenceNumber));

  return {
    async peek(lane, from, countMax) {
      return all(lane)
        .filter(({ sequenceNumber }) => sequenceNumber >= from)
        .toSorted((a, b) => Number(a.sequenceNumber - b.sequenceNumber))
        .slice(0, countMax);
    },
    async settle(sequenceNumbers, verdict) {
      const taken = take((number) => sequenceNumbers.has(number));
      if (verdict === 'resubmit') {
        for (const one of taken) send(one, [one]);
        onSent();
      }
      return numbersOf(taken);
    },
    async replace(replacements) {
      const taken = take((number) => replacements.has(number));
      for (const one of taken) send(one, replacements.get(one.sequenceNumber) ?? []);
      onSent();
      return numbersOf(taken);
    },
    async setAside(sequenceNumbers) {
      const isWanted = (number: bigint): boolean => sequenceNumbers.has(number);
      return queue.deadLetterFree(isWanted, SET_ASIDE_REASON, SET_ASIDE_DESCRIPTION);
    },
    close: () => Promise.resolve(),
  };
}
