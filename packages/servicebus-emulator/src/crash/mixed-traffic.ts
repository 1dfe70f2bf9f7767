import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import type { Ledger, SeenMessage } from './ledger.ts';

export const QUEUE = 'q';

const SENDERS = 3;
const RECEIVERS = 2;
const RECEIVE_MAX = 10;
const PEEK_MAX = 250;
const WAIT_MS = 200;
const TIMEOUT_MS = 3_000;
/** One received message in so many is given back, one is kept locked, the others are completed. */
const CYCLE = 5;

export function newClient(connectionString: string): ServiceBusClient {
  const retryOptions = { maxRetries: 0, timeoutInMs: TIMEOUT_MS };
  return new ServiceBusClient(connectionString, { retryOptions });
}

function toSeen(message: ServiceBusReceivedMessage): SeenMessage {
  return {
    body: Number(message.body),
    sequenceNumber: message.sequenceNumber?.toNumber() ?? 0,
    deliveryCount: message.deliveryCount ?? 0,
  };
}

/** Resolves with everything in the queue. */
export async function peekAll(client: ServiceBusClient): Promise<SeenMessage[]> {
  const receiver = client.createReceiver(QUEUE);
  const all: SeenMessage[] = [];
  for (;;) {
    const page = await receiver.peekMessages(PEEK_MAX);
    if (page.length === 0) return all;
    all.push(...page.map(toSeen));
  }
}

export interface Traffic {
  readonly client: ServiceBusClient;
  readonly ledger: Ledger;
  /** A number that was never used before. */
  readonly nextBody: () => number;
  /** Called after each operation that the emulator has answered. */
  readonly answered: () => void;
  readonly isOver: () => boolean;
}

async function send({ client, ledger, nextBody, answered, isOver }: Traffic): Promise<void> {
  const sender = client.createSender(QUEUE);
  while (!isOver()) {
    const body = nextBody();
    ledger.sending(body);
    await sender.sendMessages({ body });
    ledger.accepted(body);
    answered();
  }
}

async function settle(
  receiver: ServiceBusReceiver,
  message: ServiceBusReceivedMessage,
  { ledger, answered }: Traffic,
): Promise<void> {
  const { body, sequenceNumber } = toSeen(message);
  ledger.seen(toSeen(message));
  if (sequenceNumber % CYCLE === 0) return;
  if (sequenceNumber % CYCLE === 1 && (message.deliveryCount ?? 0) < CYCLE) {
    await receiver.abandonMessage(message);
    ledger.abandoned(body);
  } else {
    ledger.completing(body);
    await receiver.completeMessage(message);
    ledger.completed(body);
  }
  answered();
}

async function receive(traffic: Traffic): Promise<void> {
  const receiver = traffic.client.createReceiver(QUEUE, { maxAutoLockRenewalDurationInMs: 0 });
  while (!traffic.isOver()) {
    const options = { maxWaitTimeInMs: WAIT_MS };
    for (const message of await receiver.receiveMessages(RECEIVE_MAX, options)) {
      await settle(receiver, message, traffic);
    }
  }
}

/** Sends, completes and gives back until the emulator is gone. */
export async function runTraffic(traffic: Traffic): Promise<void> {
  const lanes = [
    ...Array.from({ length: SENDERS }, () => send(traffic)),
    ...Array.from({ length: RECEIVERS }, () => receive(traffic)),
  ];
  // Each lane ends with the error of the operation that was never answered.
  await Promise.allSettled(lanes);
}
