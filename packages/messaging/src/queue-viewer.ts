import type {
  ServiceBusMessage,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
  ServiceBusSender,
} from '@azure/service-bus';
import {
  assert,
  chunk,
  type DeadLetterLink,
  type QueuedMessage,
  type QueueViewer,
  settleDeadLetters,
} from '@tandem/core';
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
  /** How long a further dead letter is waited for, in milliseconds. */
  readonly waitMs?: number;
}

const PEEK_MAX = 100;
const RECEIVE_MAX = 100;
const WAIT_MS = 1_000;
const GIVEN_BACK_AT_ONCE_MAX = 100;

interface Links {
  readonly messages: ServiceBusReceiver;
  readonly deadLetters: ServiceBusReceiver;
  readonly sender: ServiceBusSender;
}

/** Connects when first used. */
export function createServiceBusQueueViewer(options: ServiceBusQueueViewerOptions): QueueViewer {
  const { connection, queue, timeoutMs = CALL_TIMEOUT_MS, waitMs = WAIT_MS } = options;
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
    settle: (wanted, verdict) => settleDeadLetters(deadLetterLink(link, waitMs), wanted, verdict),
    close: () => link.close(),
  };
}

function deadLetterLink(
  link: BusLink<Links>,
  waitMs: number,
): DeadLetterLink<ServiceBusReceivedMessage> {
  return {
    receive: () => receiveDeadLetters(link, waitMs),
    numberOf: (one) => toQueuedMessage(one).sequenceNumber,
    send: (one) => sendAgain(link, one),
    complete: (one) =>
      link.use({ name: 'settle a dead letter' }, ({ deadLetters }) =>
        deadLetters.completeMessage(one),
      ),
    giveBack: (letters) => giveBack(link, letters),
  };
}

function receiveDeadLetters(
  link: BusLink<Links>,
  waitMs: number,
): Promise<ServiceBusReceivedMessage[]> {
  return link.use(
    { name: 'receive dead letters', extraMs: waitMs },
    ({ deadLetters }, abortSignal) =>
      deadLetters.receiveMessages(RECEIVE_MAX, { maxWaitTimeInMs: waitMs, abortSignal }),
  );
}

/** Their locks end by themselves where this fails. */
async function giveBack(
  link: BusLink<Links>,
  messages: readonly ServiceBusReceivedMessage[],
): Promise<void> {
  for (const part of chunk(messages, { countMax: GIVEN_BACK_AT_ONCE_MAX })) {
    await Promise.allSettled(
      part.map((one) =>
        link.use({ name: 'give back a dead letter' }, ({ deadLetters }) =>
          deadLetters.abandonMessage(one),
        ),
      ),
    );
  }
}

async function sendAgain(link: BusLink<Links>, one: ServiceBusReceivedMessage): Promise<void> {
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
