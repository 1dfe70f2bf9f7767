import type { Delivery, EventContext, Receiver } from 'rhea';
import type { Faults } from '../faults.ts';
import { withMessageId } from '../message/edit-message.ts';
import { readBatch, readMessage } from '../message/message-codec.ts';
import { DecodeError } from '../message/sections.ts';
import type { Queue } from '../queue/queue.ts';
import type { QueueStatus } from '../queue/queue-properties.ts';
import {
  askedFor,
  emptyBatch,
  entityDisabled,
  internalError,
  messageTooLarge,
  sendDisabled,
  sendRefusal,
  undecodable,
} from './conditions.ts';
import {
  type AmqpCondition,
  answerAttach,
  BATCH_FORMAT,
  receiveRaw,
  settleDelivery,
} from './rhea-internals.ts';

/** Is the limit of the service's Standard tier, for a message and for a batch. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** So many transfers may wait for their commit on one link. */
const CREDIT_WINDOW = 1_000;
const CREDIT_STEP = 100;

export interface IncomingLinkOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  readonly onFailure: (error: unknown) => void;
}

/** Why a delivery is not accepted. Some refusals end the link, too. */
interface Refusal {
  readonly condition: AmqpCondition;
  readonly detaches?: boolean;
}

async function store(
  bytes: Buffer,
  { format, link }: Delivery,
  { queue, faults }: IncomingLinkOptions,
): Promise<Refusal | undefined> {
  const held = faults.held(queue.name, 'send');
  if (held !== undefined) await held;
  const condition = faults.takeFailure(queue.name, 'send');
  if (condition !== undefined) return { condition: askedFor(condition) };
  if (bytes.length > MESSAGE_BYTES_MAX) {
    return { condition: messageTooLarge(bytes.length, MESSAGE_BYTES_MAX) };
  }
  try {
    const messages = format === BATCH_FORMAT ? readBatch(bytes) : [readMessage(bytes)];
    if (messages.length === 0) return { condition: emptyBatch(link.name), detaches: true };
    const outcome = await queue.send(messages.map(withMessageId));
    if (outcome.kind === 'accepted') return undefined;
    return { condition: sendRefusal(queue.name, outcome) };
  } catch (error) {
    if (error instanceof DecodeError) return { condition: undecodable(error.message) };
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
    let refusal: Refusal | undefined;
    try {
      refusal = await store(bytes, delivery, options);
    } catch (error) {
      options.onFailure(error);
      refusal = { condition: internalError() };
    }
    if (receiver.is_closed()) return;
    settleDelivery(delivery, refusal?.condition);
    if (refusal?.detaches === true) receiver.close(refusal.condition);
    else restoreCredit();
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

/** What somebody wants of a queue that may be disabled. */
export type QueueUse = 'send' | 'receive' | 'manage';

const STOPPED: Readonly<Record<QueueStatus, readonly QueueUse[]>> = {
  Active: [],
  Disabled: ['send', 'receive', 'manage'],
  SendDisabled: ['send'],
  ReceiveDisabled: ['receive'],
};

/** Why the queue's status forbids the use, or undefined when it does not. */
export function refusalOfUse(queue: Queue, use: QueueUse): AmqpCondition | undefined {
  const { status } = queue.properties();
  if (!STOPPED[status].includes(use)) return undefined;
  return status === 'SendDisabled' ? sendDisabled(queue.name) : entityDisabled(queue.name);
}
