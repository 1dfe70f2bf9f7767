import {
  ServiceBusClient,
  type ServiceBusMessage,
  type ServiceBusReceivedMessage,
} from '@azure/service-bus';
import type { Region } from '@tandem/local-cluster';
import { QUEUE } from './harness/e2e-cluster.ts';

const BATCH_MAX = 100;
const WAIT_MS_MAX = 1_000;
/** Peers send a watermark every second, so a queue without a receiver is never empty for long. */
const BATCHES_MAX = 5;

/** The queue of a region, as someone else than its services would use it. */
export interface RegionQueue {
  send(messages: readonly ServiceBusMessage[]): Promise<void>;
  /** Takes what is in it now out of it, and perhaps what comes meanwhile. */
  takeAll(): Promise<readonly ServiceBusReceivedMessage[]>;
  /** Dead-letters what is in it now, and says how many there were. */
  buryAll(): Promise<number>;
  /** Takes every dead letter. */
  takeDeadLetters(): Promise<readonly ServiceBusReceivedMessage[]>;
  close(): Promise<void>;
}

export function openQueue({ addresses }: Region): RegionQueue {
  const client = new ServiceBusClient(addresses.broker);
  const takeFrom = async (
    options: { subQueueType: 'deadLetter' } | Record<string, never>,
  ): Promise<ServiceBusReceivedMessage[]> => {
    const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete', ...options });
    const taken: ServiceBusReceivedMessage[] = [];
    try {
      for (let count = 0; count < BATCHES_MAX; count += 1) {
        const batch = await receiver.receiveMessages(BATCH_MAX, { maxWaitTimeInMs: WAIT_MS_MAX });
        if (batch.length === 0) break;
        taken.push(...batch);
      }
      return taken;
    } finally {
      await receiver.close();
    }
  };
  return {
    async send(messages) {
      const sender = client.createSender(QUEUE);
      for (const message of messages) await sender.sendMessages(message);
      await sender.close();
    },
    takeAll: () => takeFrom({}),
    async buryAll() {
      const receiver = client.createReceiver(QUEUE, { receiveMode: 'peekLock' });
      const messages = await receiver.receiveMessages(BATCH_MAX, { maxWaitTimeInMs: WAIT_MS_MAX });
      for (const message of messages) {
        await receiver.deadLetterMessage(message, {
          deadLetterReason: 'BURIED',
          deadLetterErrorDescription: 'by an operator',
        });
      }
      await receiver.close();
      return messages.length;
    },
    takeDeadLetters: () => takeFrom({ subQueueType: 'deadLetter' }),
    close: () => client.close(),
  };
}

/** The message as it was sent, to be sent again. */
export function copyOf(received: ServiceBusReceivedMessage): ServiceBusMessage {
  const { body, contentType, subject, messageId, correlationId, applicationProperties } = received;
  return Object.fromEntries(
    Object.entries({
      body,
      contentType,
      subject,
      messageId,
      correlationId,
      applicationProperties,
    }).filter(([, value]) => value !== undefined),
  ) as unknown as ServiceBusMessage;
}
