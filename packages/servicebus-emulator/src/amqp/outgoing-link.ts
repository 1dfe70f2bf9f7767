import type { Delivery, EventContext, Sender } from 'rhea';
import { assertNever } from '../assert-never.ts';
import type { Faults } from '../faults.ts';
import type { PropertyChanges } from '../message/edit-message.ts';
import { writeMessage } from '../message/message-codec.ts';
import type { Settlement, SettleOutcome } from '../queue/actions/settle.ts';
import type { Consumer } from '../queue/consumers.ts';
import type { MessageLock } from '../queue/lock-table.ts';
import type { Queue } from '../queue/queue.ts';
import { askedFor, internalError, lockLost, notAllowed, sessionLockLost } from './conditions.ts';
import {
  type AmqpCondition,
  answerAttach,
  answerDrain,
  backlogBytesOf,
  creditOf,
  deliveryCountOf,
  flushAttach,
  isDraining,
  roomOf,
  settleDelivery,
} from './rhea-internals.ts';

const SETTLED_BY_SENDER = 1;
const OUTCOMES: readonly OutcomeName[] = ['accepted', 'rejected', 'released', 'modified'];
/** How soon to look again whether all messages before a drain's answer are written. */
const DRAIN_RETRY_MS = 5;
/** How soon to look again whether a client has read what waits for it. */
const CONGESTION_RETRY_MS = 10;

export interface OutgoingLinkOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  /** Where the messages come from: the queue itself, or a session of it. */
  readonly source?: Pick<Queue, 'attach'>;
  /** Fields of the attach that answers the client's. */
  readonly attachFields?: Readonly<Record<string, unknown>>;
  /** What the client is told that its link is attached to; its own wish by default. */
  readonly answeredSource?: unknown;
  readonly onFailure: (error: unknown) => void;
}

function refusalOf(outcome: SettleOutcome): AmqpCondition | undefined {
  switch (outcome) {
    case 'settled':
      return undefined;
    case 'lock-lost':
      return lockLost();
    case 'session-lock-lost':
      return sessionLockLost();
    case 'not-allowed':
      return notAllowed('A message of a dead-letter queue cannot be dead-lettered again.');
    default:
      return assertNever(outcome);
  }
}

/** Settles with the queue what the client decided, then answers the client. */
function settleOutcomes(sender: Sender, options: OutgoingLinkOptions): void {
  const { queue, faults, onFailure } = options;
  const settle = async (name: OutcomeName, delivery: Delivery) => {
    const held = faults.held(queue.name, 'settle');
    if (held !== undefined) await held;
    const condition = faults.takeFailure(queue.name, 'settle');
    if (condition !== undefined) return askedFor(condition);
    const settlement = settlementOf(name, delivery.remote_state ?? {});
    return refusalOf(await queue.settle(delivery.tag as Buffer, settlement));
  };
  const handle = async (name: OutcomeName, delivery: Delivery): Promise<void> => {
    let refusal: AmqpCondition | undefined;
    try {
      refusal = await settle(name, delivery);
    } catch (error) {
      onFailure(error);
      refusal = internalError();
    }
    if (!sender.is_closed()) settleDelivery(delivery, refusal);
  };
  for (const name of OUTCOMES) {
    sender.on(name, ({ delivery }: EventContext) => {
      if (delivery !== undefined) void handle(name, delivery);
    });
  }
}

function deliver(count: SendCount, lock: MessageLock): void {
  count.send(writeMessage(lock.message, lock), lock.token);
}

function isDoubled({ faults, queue }: OutgoingLinkOptions): boolean {
  return faults.takeDuplicate(queue.name);
}

/** Answers the client's attach, before any message goes out. */
function answer(sender: Sender, { answeredSource, attachFields }: OutgoingLinkOptions): void {
  sender.set_source((answeredSource ?? sender.source) as Sender['source']);
  // Some clients leave the terminus on their side out.
  sender.set_target(sender.target ?? { address: '' });
  answerAttach(sender, {
    snd_settle_mode: sender.snd_settle_mode,
    rcv_settle_mode: sender.rcv_settle_mode,
    ...attachFields,
  });
  flushAttach(sender);
}

/** Runs the task after the delay, once however often it was asked for meanwhile. */
function createRetry(delayMs: number, task: () => void): { later(): void; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    later() {
      timer ??= setTimeout(() => {
        timer = undefined;
        task();
      }, delayMs);
    },
    cancel: () => clearTimeout(timer),
  };
}

/** Delivers a queue's messages to a client as far as its credit goes. Returns how to stop. */
export function openOutgoingLink(sender: Sender, options: OutgoingLinkOptions): () => void {
  const mode = sender.snd_settle_mode === SETTLED_BY_SENDER ? 'receive-and-delete' : 'peek-lock';
  const count = createSendCount(sender);
  let reserved = 0;
  let draining = false;
  const drainRetry = createRetry(DRAIN_RETRY_MS, answerDrainWhenDone);
  const pullRetry = createRetry(CONGESTION_RETRY_MS, () => attachment.pull());

  const consumer: Consumer = {
    mode,
    capacity() {
      if (!sender.is_open()) return 0;
      const unused = creditOf(sender) - count.waiting();
      const room = Math.min(unused, roomOf(sender)) - reserved;
      if (room <= 0 || !count.isCongested()) return room;
      pullRetry.later();
      return 0;
    },
    deliverLocked(lock) {
      deliver(count, lock);
      if (consumer.capacity() > 0 && isDoubled(options)) deliver(count, lock);
    },
    reserve() {
      reserved += 1;
    },
    deliverRemoved(message) {
      reserved -= 1;
      if (sender.is_open()) count.send(writeMessage(message), Buffer.alloc(0));
      answerDrainWhenDone();
    },
    exhausted: answerDrainWhenDone,
  };

  function answerDrainWhenDone(): void {
    if (!draining || !sender.is_open() || reserved > 0) return;
    if (count.waiting() > 0) {
      drainRetry.later();
      return;
    }
    draining = false;
    count.drain();
  }

  answer(sender, options);
  settleOutcomes(sender, options);
  const attachment = (options.source ?? options.queue).attach(consumer);
  sender.on('sender_flow', () => {
    draining = isDraining(sender);
    attachment.pull();
    // Without capacity the queue says nothing, yet a drain wants its answer.
    if (consumer.capacity() <= 0) answerDrainWhenDone();
  });
  // The credit may have come while the answer to the attach was kept back.
  if (creditOf(sender) > 0) attachment.pull();
  return () => {
    drainRetry.cancel();
    pullRetry.cancel();
    attachment.detach();
  };
}

/** How much may wait for a client that does not read, before it gets no more. */
const BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

/** Counts what was handed to rhea and is not on the wire yet. */
interface SendCount {
  send(bytes: Buffer, tag: Buffer): void;
  waiting(): number;
  /** True when the client should read before it is sent more. */
  isCongested(): boolean;
  /** Uses up all credit and says so. */
  drain(): void;
}

function createSendCount(sender: Sender): SendCount {
  let sent = 0;
  let drained = 0;
  /** Holds the sizes of the messages that wait, in their order, behind those that are on the wire. */
  let sizes: number[] = [];
  let head = 0;
  let waitingBytes = 0;
  const waiting = (): number => sent - (deliveryCountOf(sender) - drained);
  function forgetWritten(): void {
    const written = sizes.length - waiting();
    while (head < written) {
      waitingBytes -= sizes[head] ?? 0;
      head += 1;
    }
    if (head === sizes.length) [sizes, head] = [[], 0];
  }
  return {
    send(bytes, tag) {
      sent += 1;
      sizes.push(bytes.length);
      waitingBytes += bytes.length;
      sender.send(bytes, tag, 0);
    },
    waiting,
    isCongested() {
      forgetWritten();
      return waitingBytes + backlogBytesOf(sender) > BACKLOG_BYTES_MAX;
    },
    drain() {
      drained += answerDrain(sender);
    },
  };
}

/** The outcome that a client gave a delivery, as rhea decodes it. */
interface RemoteOutcome {
  readonly undeliverable_here?: boolean | null;
  readonly message_annotations?: PropertyChanges | null;
  readonly error?: {
    readonly condition?: string | null;
    readonly description?: string | null;
    readonly info?: Readonly<Record<string, unknown>> | null;
  } | null;
}

type OutcomeName = 'accepted' | 'rejected' | 'released' | 'modified';

const DEAD_LETTER_CONDITION = 'com.microsoft:dead-letter';

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function deadLetterOf(error: RemoteOutcome['error']): Settlement {
  const { DeadLetterReason, DeadLetterErrorDescription, ...properties } = error?.info ?? {};
  const own = error?.condition === DEAD_LETTER_CONDITION ? undefined : error;
  return {
    kind: 'dead-letter',
    reason: asText(DeadLetterReason) ?? asText(own?.condition),
    description: asText(DeadLetterErrorDescription) ?? asText(own?.description),
    properties,
  };
}

/** What an AMQP outcome means to a queue. */
function settlementOf(name: OutcomeName, outcome: RemoteOutcome): Settlement {
  switch (name) {
    case 'accepted':
      return { kind: 'complete' };
    case 'rejected':
      return deadLetterOf(outcome.error);
    case 'released':
      return { kind: 'abandon' };
    case 'modified': {
      const kind = outcome.undeliverable_here === true ? 'defer' : 'abandon';
      const properties = outcome.message_annotations ?? undefined;
      return properties === undefined ? { kind } : { kind, properties };
    }
    default:
      return assertNever(name);
  }
}
