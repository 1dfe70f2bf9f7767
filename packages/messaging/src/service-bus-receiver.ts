import type {
  ReceiveMessagesOptions,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
} from '@azure/service-bus';
import {
  assert,
  assertNever,
  type ChangeReceiver,
  type InboundMessage,
  type OldestMessage,
  type Settlement,
} from '@tandem/core';
import Long from 'long';
import { type BusConnection, BusLink, CALL_TIMEOUT_MS } from './bus-link.ts';
import { isLockLost } from './translate-bus-error.ts';

interface Turn {
  readonly outcome: string;
  readonly begun: Promise<void>;
  readonly begin: () => void;
  /** Counts the settlements that have not ended. */
  left: number;
}

/**
 * Lets settlements of one outcome run together, and never two outcomes at once. rhea 3.0.5, below
 * the library, sends neighbouring dispositions of one turn as one frame with the outcome of the
 * first: a message dead-lettered beside a completed one would be completed, and lost.
 */
export class SettlementTurns {
  /** The first is under way. */
  readonly #turns: Turn[] = [];

  /**
   * Runs it in its turn; `outcome` tells apart all that a disposition says: its kind, its reason, its
   * description.
   */
  async run<T>(outcome: string, settle: () => Promise<T>): Promise<T> {
    const turn = this.#turnOf(outcome);
    turn.left += 1;
    try {
      await turn.begun;
      return await settle();
    } finally {
      turn.left -= 1;
      if (turn.left === 0) {
        this.#turns.shift();
        this.#turns[0]?.begin();
      }
    }
  }

  /** Nobody joins the turn that is under way while others wait: those would wait for ever under load. */
  #turnOf(outcome: string): Turn {
    const open = this.#turns.length === 1 ? this.#turns : this.#turns.slice(1);
    const known = open.find((turn) => turn.outcome === outcome);
    if (known !== undefined) return known;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const turn = { outcome, begun, begin, left: 0 };
    this.#turns.push(turn);
    if (this.#turns.length === 1) begin();
    return turn;
  }
}

export interface ServiceBusReceiverOptions {
  /** Leads to this region's own namespace. */
  readonly connection: BusConnection;
  readonly queue: string;
  /** Bounds each call over the network, in milliseconds, on top of what a receive waits. */
  readonly timeoutMs?: number;
  /** Looks, after so many receives in a row without a message, whether the queue is truly empty. */
  readonly emptyReceivesMax?: number;
  /** Told when the queue had messages and the receiver was silent, so that it was replaced. */
  readonly onSilentReceiver?: () => void;
}

const EMPTY_RECEIVES_MAX = 10;
/** Says how long to gather more after the first message; the library's own second is added to the lag. */
const GATHER_MS = 10;
const PEEK_PAGE = 50;
/** The library's buffer of a link holds 2,048 messages. */
const RECEIVE_COUNT_MAX = 2_000;

interface Receivers {
  readonly messages: ServiceBusReceiver;
  readonly deadLetters: ServiceBusReceiver;
}

/** Renews no locks by itself: the apply loop knows which messages it still works on. */
export function createServiceBusReceiver(options: ServiceBusReceiverOptions): ChangeReceiver {
  return new QueueReceiver(options);
}

class QueueReceiver implements ChangeReceiver {
  readonly #options: ServiceBusReceiverOptions;
  readonly #link: BusLink<Receivers>;
  readonly #slices: ReceiveSlices<InboundMessage>;
  /** Holds what the library needs to settle a message; gone as soon as the message is settled. */
  readonly #locked = new WeakMap<InboundMessage, ServiceBusReceivedMessage>();
  readonly #turns = new SettlementTurns();
  #emptyReceives = 0;

  constructor(options: ServiceBusReceiverOptions) {
    const { connection, queue, timeoutMs = CALL_TIMEOUT_MS } = options;
    this.#options = options;
    const common = { maxAutoLockRenewalDurationInMs: 0, skipParsingBodyAsJson: true };
    this.#link = new BusLink({
      connection,
      queue,
      timeoutMs,
      open: (client) => ({
        messages: client.createReceiver(queue, { ...common, receiveMode: 'peekLock' }),
        deadLetters: client.createReceiver(queue, { ...common, subQueueType: 'deadLetter' }),
      }),
    });
    this.#slices = new ReceiveSlices({
      receiveSlice: (countMax, waitMs) => this.#receiveSlice(countMax, waitMs),
    });
  }

  async receive(
    countMax: number,
    waitMsMax: number,
    signal?: AbortSignal,
  ): Promise<InboundMessage[]> {
    this.#link.checkOpen();
    return this.#slices.receive(countMax, waitMsMax, signal);
  }

  async settle(message: InboundMessage, settlement: Settlement): Promise<'settled' | 'lock-lost'> {
    const received = this.#locked.get(message);
    if (received === undefined) return 'lock-lost';
    const outcome = await this.#turns.run(JSON.stringify(settlement), () =>
      this.#link.use({ name: 'settle a message' }, ({ messages }) =>
        orLockLost(settleBy(messages, received, settlement), 'settled' as const),
      ),
    );
    this.#locked.delete(message);
    return outcome;
  }

  async renewLock(message: InboundMessage): Promise<'renewed' | 'lock-lost'> {
    const received = this.#locked.get(message);
    if (received === undefined) return 'lock-lost';
    return this.#link.use({ name: 'renew a lock' }, ({ messages }) =>
      orLockLost(messages.renewMessageLock(received), 'renewed' as const),
    );
  }

  async oldestMessage(): Promise<OldestMessage | undefined> {
    // From a given number, because a peek without one begins where the last one ended.
    const [oldest] = await this.#link.use({ name: 'peek' }, ({ messages }, abortSignal) =>
      messages.peekMessages(1, { fromSequenceNumber: Long.ZERO, abortSignal }),
    );
    return oldest === undefined ? undefined : toOldestMessage(oldest);
  }

  async countDeadLetters(countMax: number): Promise<number> {
    let count = 0;
    let fromSequenceNumber = Long.ZERO;
    while (count < countMax) {
      const page = await this.#link.use(
        { name: 'count dead letters' },
        ({ deadLetters }, abortSignal) =>
          deadLetters.peekMessages(Math.min(PEEK_PAGE, countMax - count), {
            fromSequenceNumber,
            abortSignal,
          }),
      );
      const last = page.at(-1)?.sequenceNumber;
      if (last === undefined) break;
      count += page.length;
      fromSequenceNumber = last.add(1);
    }
    return count;
  }

  async close(): Promise<void> {
    // Given back while the connection still lives: else they stay locked until their locks end.
    const unclaimed = await this.#slices.stop();
    await Promise.allSettled(unclaimed.map((one) => this.settle(one, { kind: 'abandon' })));
    await this.#link.close();
  }

  async #receiveSlice(countMax: number, waitMs: number): Promise<readonly InboundMessage[]> {
    // The library's types do not name maxTimeAfterFirstMessageInMs, but 7.9.5 heeds it: it waits a
    // whole second for more messages otherwise.
    const how: ReceiveMessagesOptions & { readonly maxTimeAfterFirstMessageInMs: number } = {
      maxWaitTimeInMs: waitMs,
      maxTimeAfterFirstMessageInMs: GATHER_MS,
    };
    const received = await this.#link.use(
      { name: 'receive', extraMs: waitMs },
      ({ messages }, abortSignal) =>
        messages.receiveMessages(Math.min(countMax, RECEIVE_COUNT_MAX), { ...how, abortSignal }),
    );
    await this.#watch(received.length);
    return received.map((one) => {
      const message = toInboundMessage(one);
      this.#locked.set(message, one);
      return message;
    });
  }

  /**
   * Receivers of the library have gone silent after a disconnect and never said so
   * (azure-sdk-for-js 24540, 30148): no error, no message, while the queue fills.
   */
  async #watch(receivedCount: number): Promise<void> {
    this.#emptyReceives = receivedCount === 0 ? this.#emptyReceives + 1 : 0;
    const { emptyReceivesMax = EMPTY_RECEIVES_MAX, onSilentReceiver } = this.#options;
    if (this.#emptyReceives < emptyReceivesMax) return;
    this.#emptyReceives = 0;
    // Messages that others have locked look the same; a new client then does no harm.
    if ((await this.oldestMessage()) === undefined) return;
    this.#link.renew();
    onSilentReceiver?.();
  }
}

async function settleBy(
  receiver: ServiceBusReceiver,
  received: ServiceBusReceivedMessage,
  settlement: Settlement,
): Promise<void> {
  switch (settlement.kind) {
    case 'complete':
      return receiver.completeMessage(received);
    case 'abandon':
      return receiver.abandonMessage(received);
    case 'dead-letter':
      return receiver.deadLetterMessage(received, {
        deadLetterReason: settlement.reason,
        deadLetterErrorDescription: settlement.description,
      });
    default:
      return assertNever(settlement);
  }
}

async function orLockLost<Outcome>(
  work: Promise<unknown>,
  outcome: Outcome,
): Promise<Outcome | 'lock-lost'> {
  try {
    await work;
    return outcome;
  } catch (error) {
    if (isLockLost(error)) return 'lock-lost';
    throw error;
  }
}

/** Anything at all may have been sent: what is not bytes becomes JSON, for the decoder to refuse. */
export function toInboundMessage(received: ServiceBusReceivedMessage): InboundMessage {
  const { messageId, subject, deliveryCount } = received;
  return {
    messageId: String(messageId ?? ''),
    subject,
    body: bytesOf(received.body),
    sequenceNumber: sequenceNumberOf(received),
    // AMQP counts the deliveries before this one.
    deliveryCount: (deliveryCount ?? 0) + 1,
  };
}

function toOldestMessage(peeked: ServiceBusReceivedMessage): OldestMessage {
  const { enqueuedTimeUtc } = peeked;
  assert(enqueuedTimeUtc !== undefined, 'Service Bus dates every message that it has accepted');
  return { sequenceNumber: sequenceNumberOf(peeked), enqueuedAtMs: enqueuedTimeUtc.getTime() };
}

function sequenceNumberOf({ sequenceNumber }: ServiceBusReceivedMessage): bigint {
  assert(sequenceNumber !== undefined, 'Service Bus numbers every message that it has accepted');
  return BigInt(sequenceNumber.toString());
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  }
  return new TextEncoder().encode(textOf(body));
}

/** Returns nothing of what JSON cannot hold, as lists within each other too deeply. */
function textOf(body: unknown): string {
  try {
    return JSON.stringify(body) ?? '';
  } catch {
    return '';
  }
}

interface SlicesOptions<Message> {
  /** Receives for so long, in milliseconds, and no longer; never loses what it has taken. */
  readonly receiveSlice: (countMax: number, waitMs: number) => Promise<readonly Message[]>;
}

/** Says how long one slice waits, and so how long a stop may take at most. */
export const SLICE_MS = 1_000;

/**
 * Receives for as long as asked, in slices, and can stop at any moment without losing a message.
 *
 * To abort a receive of @azure/service-bus 7.9.5 leaves its credit with the broker: what arrives next
 * is delivered to nobody and stays locked until its lock ends. So a slice is never aborted. One that
 * nobody waits for any more goes on, and what it takes is kept for the next call.
 */
export class ReceiveSlices<Message> {
  readonly #options: SlicesOptions<Message>;
  readonly #stopping = new AbortController();
  #arrived: Message[] = [];
  #slice: Promise<void> | undefined;
  #isReceiving = false;

  constructor(options: SlicesOptions<Message>) {
    this.#options = options;
  }

  async receive(countMax: number, waitMsMax: number, signal?: AbortSignal): Promise<Message[]> {
    assert(countMax >= 1, `cannot receive ${countMax} messages`);
    assert(!this.#isReceiving, 'one receive at a time');
    this.#isReceiving = true;
    try {
      return await this.#receiveUntil(countMax, Date.now() + waitMsMax, signal);
    } finally {
      this.#isReceiving = false;
    }
  }

  /** Ends a waiting receive; resolves to what has arrived and was given to nobody. */
  async stop(): Promise<Message[]> {
    this.#stopping.abort();
    // Whoever waited has been told; nobody else wants to know how the last slice failed.
    await this.#slice?.catch(() => undefined);
    return this.#arrived.splice(0);
  }

  async #receiveUntil(
    countMax: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Message[]> {
    const isStopped = (): boolean => this.#stopping.signal.aborted || signal?.aborted === true;
    let isLast = false;
    while (!isStopped()) {
      if (this.#arrived.length > 0) return this.#arrived.splice(0, countMax);
      if (isLast) return [];
      const leftMs = Math.max(0, deadlineMs - Date.now());
      isLast = leftMs <= SLICE_MS && this.#slice === undefined;
      this.#slice ??= this.#startSlice(countMax, Math.min(SLICE_MS, leftMs));
      await untilStopped(this.#slice, [this.#stopping.signal, signal]);
    }
    return [];
  }

  #startSlice(countMax: number, waitMs: number): Promise<void> {
    const slice = (async () => {
      try {
        this.#arrived.push(...(await this.#options.receiveSlice(countMax, waitMs)));
      } finally {
        this.#slice = undefined;
      }
    })();
    // When nobody waits, the next slice meets the same trouble and tells of it.
    slice.catch(() => undefined);
    return slice;
  }
}

/** Resolves when `work` does or when one of the signals aborts; rejects when `work` does. */
async function untilStopped(
  work: Promise<void>,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  for (const signal of signals) signal?.addEventListener('abort', stop);
  try {
    await Promise.race([work, stopped.promise]);
  } finally {
    for (const signal of signals) signal?.removeEventListener('abort', stop);
  }
}
