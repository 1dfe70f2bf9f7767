import type {
  ServiceBusMessage,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
  ServiceBusSender,
} from '@azure/service-bus';
import { assert, type QueuedMessage, type QueueViewer } from '@tandem/core';
import Long from 'long';
import { BusLink, CALL_TIMEOUT_MS } from './bus-link.ts';
import type { BusConnection } from './connection.ts';
import { toInboundMessage } from './to-inbound-message.ts';

export interface ServiceBusQueueViewerOptions {
  /** To the region's own namespace. */
  readonly connection: BusConnection;
  readonly queue: string;
  /** For each call over the network, in milliseconds. */
  readonly timeoutMs?: number;
}

const PEEK_MAX = 100;
const RECEIVE_MAX = 100;
const RECEIVE_WAIT_MS = 1_000;
/** Held locked while the ones that are asked for are looked for. */
const HELD_MAX = 5_000;

interface Links {
  readonly messages: ServiceBusReceiver;
  readonly deadLetters: ServiceBusReceiver;
  readonly sender: ServiceBusSender;
}

/** Connects when first used. */
export function createServiceBusQueueViewer(options: ServiceBusQueueViewerOptions): QueueViewer {
  const { connection, queue, timeoutMs = CALL_TIMEOUT_MS } = options;
  const common = { maxAutoLockRenewalDurationInMs: 0, skipParsingBodyAsJson: true };
  const link = new BusLink<Links>({
    connection,
    queue,
    timeoutMs,
    open: (client) => ({
      messages: client.createReceiver(queue, common),
      deadLetters: client.createReceiver(queue, { ...common, subQueueType: 'deadLetter' }),
      sender: client.createSender(queue),
    }),
  });
  return {
    async peek(lane, from, countMax) {
      const found: QueuedMessage[] = [];
      let fromSequenceNumber = Long.fromString(from.toString());
      while (found.length < countMax) {
        const count = Math.min(PEEK_MAX, countMax - found.length);
        const page = await link.use({ name: 'peek' }, (links, abortSignal) => {
          const receiver = lane === 'messages' ? links.messages : links.deadLetters;
          return receiver.peekMessages(count, { fromSequenceNumber, abortSignal });
        });
        const last = page.at(-1)?.sequenceNumber;
        if (last === undefined) break;
        found.push(...page.map(toQueuedMessage));
        fromSequenceNumber = last.add(1);
      }
      return found;
    },
    async settle(wanted, verdict) {
      const { taken, others } = await takeDeadLetters(link, wanted);
      try {
        if (verdict === 'resubmit') await sendAgain(link, taken);
        for (const one of taken) {
          await link.use({ name: 'settle a dead letter' }, ({ deadLetters }) =>
            deadLetters.completeMessage(one),
          );
        }
      } finally {
        // Their locks end by themselves where this fails.
        await Promise.allSettled(
          others.map((one) =>
            link.use({ name: 'give back a dead letter' }, ({ deadLetters }) =>
              deadLetters.abandonMessage(one),
            ),
          ),
        );
      }
      return new Set(taken.map((one) => toQueuedMessage(one).sequenceNumber));
    },
    close: () => link.close(),
  };
}

/** Receives until those that are wanted are found, holding the others so that they do not come again. */
async function takeDeadLetters(
  link: BusLink<Links>,
  wanted: ReadonlySet<bigint>,
): Promise<{ taken: ServiceBusReceivedMessage[]; others: ServiceBusReceivedMessage[] }> {
  const taken: ServiceBusReceivedMessage[] = [];
  const others: ServiceBusReceivedMessage[] = [];
  while (taken.length < wanted.size && others.length < HELD_MAX) {
    const batch = await link.use(
      { name: 'receive dead letters', extraMs: RECEIVE_WAIT_MS },
      ({ deadLetters }, abortSignal) =>
        deadLetters.receiveMessages(RECEIVE_MAX, { maxWaitTimeInMs: RECEIVE_WAIT_MS, abortSignal }),
    );
    if (batch.length === 0) break;
    for (const one of batch) {
      if (wanted.has(toQueuedMessage(one).sequenceNumber)) taken.push(one);
      else others.push(one);
    }
  }
  return { taken, others };
}

async function sendAgain(
  link: BusLink<Links>,
  messages: readonly ServiceBusReceivedMessage[],
): Promise<void> {
  for (const one of messages) {
    const { messageId, subject, contentType } = one;
    const copy: ServiceBusMessage = {
      body: Buffer.from(toInboundMessage(one).body),
      ...(messageId === undefined ? {} : { messageId }),
      ...(subject === undefined ? {} : { subject }),
      ...(contentType === undefined ? {} : { contentType }),
    };
    await link.use({ name: 'send again' }, ({ sender }, abortSignal) =>
      sender.sendMessages(copy, { abortSignal }),
    );
  }
}

function toQueuedMessage(received: ServiceBusReceivedMessage): QueuedMessage {
  const { sequenceNumber, messageId, subject, body } = toInboundMessage(received);
  const { enqueuedTimeUtc, deadLetterReason, deadLetterErrorDescription } = received;
  assert(enqueuedTimeUtc !== undefined, 'Service Bus dates every message that it has accepted');
  return {
    sequenceNumber,
    messageId,
    subject,
    body,
    enqueuedAtMs: enqueuedTimeUtc.getTime(),
    reason: deadLetterReason,
    description: deadLetterErrorDescription,
  };
}
