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
  type DeadLetterReplacement,
  type QueuedMessage,
  type QueueViewer,
  SET_ASIDE_DESCRIPTION,
  SET_ASIDE_REASON,
  settleDeadLetters,
} from '@tandem/core';
import Long from 'long';
import { type BusConnection, BusLink, CALL_TIMEOUT_MS } from './bus-link.ts';
import { toInboundMessage } from './service-bus-receiver.ts';

export interface ServiceBusQueueViewerOptions {
  /** Leads to the region's own namespace. */
  readonly connection: BusConnection;
  readonly queue: string;
  /** Bounds each call over the network, in milliseconds. */
  readonly timeoutMs?: number;
  /** Says how long a further dead letter is waited for, in milliseconds. */
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
    replace: (replacements) =>
      settleDeadLetters(deadLetterLink(link, waitMs), new Set(replacements.keys()), replacements),
    // To complete one is here to move it: nothing is sent for it.
    setAside: (wanted) => settleDeadLetters(messageLink(link, waitMs), wanted, 'discard'),
    close: () => link.close(),
  };
}

function deadLetterLink(
  link: BusLink<Links>,
  waitMs: number,
): DeadLetterLink<ServiceBusReceivedMessage> {
  return {
    receive: () => receiveOf(link, 'deadLetters', waitMs),
    numberOf: (one) => toQueuedMessage(one).sequenceNumber,
    send: (one, instead) => sendAgain(link, one, instead),
    complete: (one) =>
      link.use({ name: 'settle a dead letter' }, ({ deadLetters }) =>
        deadLetters.completeMessage(one),
      ),
    giveBack: (letters) => giveBack(link, 'deadLetters', letters),
  };
}

function messageLink(
  link: BusLink<Links>,
  waitMs: number,
): DeadLetterLink<ServiceBusReceivedMessage> {
  const deadLetterReason = SET_ASIDE_REASON;
  const deadLetterErrorDescription = SET_ASIDE_DESCRIPTION;
  return {
    receive: () => receiveOf(link, 'messages', waitMs),
    numberOf: (one) => toQueuedMessage(one).sequenceNumber,
    send: () => Promise.resolve(),
    complete: (one) =>
      link.use({ name: 'set a message aside' }, ({ messages }) =>
        messages.deadLetterMessage(one, { deadLetterReason, deadLetterErrorDescription }),
      ),
    giveBack: (others) => giveBack(link, 'messages', others),
  };
}

type Lane = 'messages' | 'deadLetters';

function receiveOf(
  link: BusLink<Links>,
  lane: Lane,
  waitMs: number,
): Promise<ServiceBusReceivedMessage[]> {
  return link.use({ name: 'receive what is asked for', extraMs: waitMs }, (links, abortSignal) =>
    links[lane].receiveMessages(RECEIVE_MAX, { maxWaitTimeInMs: waitMs, abortSignal }),
  );
}

/** Their locks end by themselves where this fails. */
async function giveBack(
  link: BusLink<Links>,
  lane: Lane,
  messages: readonly ServiceBusReceivedMessage[],
): Promise<void> {
  for (const part of chunk(messages, { countMax: GIVEN_BACK_AT_ONCE_MAX })) {
    await Promise.allSettled(
      part.map((one) =>
        link.use({ name: 'give back a message' }, (links) => links[lane].abandonMessage(one)),
      ),
    );
  }
}

async function sendAgain(
  link: BusLink<Links>,
  one: ServiceBusReceivedMessage,
  instead?: DeadLetterReplacement,
): Promise<void> {
  const { subject, contentType } = one;
  const { messageId = one.messageId, body = toInboundMessage(one).body } = instead ?? {};
  const copy: ServiceBusMessage = {
    body: Buffer.from(body),
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
