import { randomUUID } from 'node:crypto';
import type { Delivery, EventContext, Receiver } from 'rhea';
import type { Faults } from '../faults.ts';
import type { Clock } from '../clock.ts';
import { ensureMessageId } from '../message/ensure-message-id.ts';
import { readBatch, readMessage, type IncomingMessage } from '../message/read-message.ts';
import { DecodeError } from '../message/sections.ts';
import type { Queue } from '../queue/queue.ts';
import {
  internalError,
  messageTooLarge,
  notImplemented,
  quotaExceeded,
  undecodable,
} from './conditions.ts';
import {
  BATCH_FORMAT,
  answerAttach,
  receiveRaw,
  settleDelivery,
  type AmqpCondition,
} from './rhea-internals.ts';

/** The limit of the service's Standard tier, for a message and for a batch. */
const MESSAGE_BYTES_MAX = 256 * 1024;
/** So many transfers may wait for their commit on one link. */
const CREDIT_WINDOW = 1_000;
const CREDIT_STEP = 100;

const createMessageId = (): string => randomUUID().replaceAll('-', '');

export interface IncomingLinkOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly onFailure: (error: unknown) => void;
}

function withId(message: IncomingMessage): IncomingMessage {
  return { ...message, payload: ensureMessageId(message.payload, createMessageId) };
}

async function store(
  bytes: Buffer,
  format: number,
  { queue, faults, clock }: IncomingLinkOptions,
): Promise<AmqpCondition | undefined> {
  const held = faults.heldSends(queue.name);
  if (held !== undefined) await held;
  const condition = faults.takeSendFailure(queue.name);
  if (condition !== undefined) return { condition, description: 'A fault was asked for.' };
  if (bytes.length > MESSAGE_BYTES_MAX) return messageTooLarge(bytes.length, MESSAGE_BYTES_MAX);
  try {
    const messages = format === BATCH_FORMAT ? readBatch(bytes) : [readMessage(bytes)];
    const nowMs = clock.nowMs();
    if (messages.some(({ scheduledAtMs = nowMs }) => scheduledAtMs > nowMs)) {
      return notImplemented('The emulator cannot schedule messages.');
    }
    const outcome = await queue.send(messages.map(withId));
    return outcome.kind === 'accepted'
      ? undefined
      : quotaExceeded(queue.name, outcome.sizeBytesMax);
  } catch (error) {
    if (error instanceof DecodeError) return undecodable(error.message);
    throw error;
  }
}

/** Takes the messages that a client sends; each is accepted after it is committed. */
export function openIncomingLink(receiver: Receiver, options: IncomingLinkOptions): void {
  let spent = 0;
  const restoreCredit = (): void => {
    spent += 1;
    if (spent < CREDIT_STEP) return;
    receiver.add_credit(spent);
    spent = 0;
  };
  const handle = async (bytes: Buffer, delivery: Delivery): Promise<void> => {
    let refusal: AmqpCondition | undefined;
    try {
      refusal = await store(bytes, delivery.format, options);
    } catch (error) {
      options.onFailure(error);
      refusal = internalError();
    }
    if (receiver.is_closed()) return;
    settleDelivery(delivery, refusal);
    restoreCredit();
  };
  receiveRaw(receiver);
  receiver.set_target(receiver.target);
  receiver.set_source(receiver.source);
  answerAttach(receiver, {
    max_message_size: MESSAGE_BYTES_MAX,
    snd_settle_mode: receiver.snd_settle_mode,
    rcv_settle_mode: receiver.rcv_settle_mode,
  });
  receiver.on('message', ({ message, delivery }: EventContext) => {
    // What is on its way to a link that was closed, because its queue was deleted, is not taken.
    if (delivery !== undefined && receiver.is_open())
      void handle(message as unknown as Buffer, delivery);
  });
  receiver.add_credit(CREDIT_WINDOW);
}
