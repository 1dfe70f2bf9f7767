import { ServiceBusClient } from '@azure/service-bus';
import { type ChangeBusHarness, describeChangeBusContract } from '@tandem/core/testing';
import { createEmulator } from '@tandem/servicebus-emulator';
import { createServiceBusPublisher } from './service-bus-publisher.ts';
import { createServiceBusReceiver } from './service-bus-receiver.ts';

const QUEUE = 'inbound';
/** Nearly half of it is left to a busy machine for the steps between the waits of the contract. */
const LOCK_DURATION_MS = 6_000;
const KIB = 1_024;

/** What Service Bus takes on its Standard tier, headers included; the rest is for those. */
const TRANSFER_BYTES = 256 * KIB;
const HEADER_BYTES = 1 * KIB;

async function createHarness(): Promise<ChangeBusHarness> {
  const emulator = await createEmulator({
    queues: [{ name: QUEUE, lockDurationMs: LOCK_DURATION_MS, maxDeliveryCount: 2_000 }],
  });
  const connection = emulator.connectionString;
  const publisher = createServiceBusPublisher({ peer: 'west', connection, queue: QUEUE });
  const receiver = createServiceBusReceiver({ connection, queue: QUEUE });
  const competitor = createServiceBusReceiver({ connection, queue: QUEUE });
  return {
    peer: 'west',
    publisher,
    receiver,
    competitor,
    messageBytesAccepted: TRANSFER_BYTES - HEADER_BYTES,
    messageBytesRefused: TRANSFER_BYTES + 1,
    lockDurationMs: LOCK_DURATION_MS,
    drive: (work) => work,
    nowMs: () => Date.now(),
    deadLetters: () => listDeadLetters(connection),
    close: async () => {
      await Promise.all([publisher.close(), receiver.close(), competitor.close()]);
      await emulator.close();
    },
  };
}

/** Looked at with a client of its own, so that the adapter does not vouch for itself. */
async function listDeadLetters(connection: string) {
  const client = new ServiceBusClient(connection);
  const receiver = client.createReceiver(QUEUE, { subQueueType: 'deadLetter' });
  const messages = await receiver.peekMessages(10);
  await client.close();
  return messages.map(({ messageId, deadLetterReason, deadLetterErrorDescription }) => ({
    messageId: String(messageId),
    reason: deadLetterReason,
    description: deadLetterErrorDescription,
  }));
}

describeChangeBusContract('Service Bus', createHarness);
