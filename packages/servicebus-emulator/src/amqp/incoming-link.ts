import type { Delivery, EventContext, Receiver } from 'rhea';
import type { Faults } from '../faults.ts';
import { readBatch, readMessage } from '../message/read-message.ts';
import { withMessageId } from './with-message-id.ts';
import { DecodeError } from '../message/sections.ts';
import type { Queue } from '../queue/queue.ts';
import {
  askedFor,
  internalError,
  messageTooLarge,
  sendRefusal,
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
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** So many transfers may wait for their commit on one link. */
const CREDIT_WINDOW = 1_000;
const CREDIT_STEP = 100;

export interface IncomingLinkOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  readonly onFailure: (error: unknown) => void;
}

async function store(
  bytes: Buffer,
  format: number,
  { queue, faults }: IncomingLinkOptions,
): Promise<AmqpCondition | undefined> {
  const held = faults.held(queue.name, 'send');
  if (held !== undefined) await held;
  const condition = faults.takeFailure(queue.name, 'send');
  if (condition !== undefined) return askedFor(condition);
  if (bytes.length > MESSAGE_BYTES_MAX) return messageTooLarge(bytes.length, MESSAGE_BYTES_MAX);
  try {
    const messages = format === BATCH_FORMAT ? readBatch(bytes) : [readMessage(bytes)];
    const outcome = await queue.send(messages.map(withMessageId));
    return outcome.kind === 'accepted' ? undefined : sendRefusal(queue.name, outcome);
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
  // Some clients leave the terminus on their side out.
  receiver.set_source(receiver.source ?? { address: '' });
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
