// A project of its own tests what it does with Azure Service Bus, in its own vitest and without Docker: the emulator runs in
// the process of the test, Microsoft's client speaks to it, and a fault is one call.
import { ServiceBusClient } from '@azure/service-bus';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { afterAll, beforeAll, expect, test } from 'vitest';

const WAIT = { maxWaitTimeInMs: 20_000 };

let emulator: Emulator;
let client: ServiceBusClient;

beforeAll(async () => {
  emulator = await createEmulator({ queues: [{ name: 'orders', maxDeliveryCount: 2 }] });
  client = new ServiceBusClient(emulator.connectionString, {
    // The client waits 30 s by default, which no test does.
    retryOptions: { retryDelayInMs: 100 },
  });
});

afterAll(async () => {
  await client.close();
  await emulator.close();
});

test('a message that is never completed ends among the dead letters, with the reason', async () => {
  await client.createSender('orders').sendMessages({ messageId: '1', body: { item: 'pump' } });
  const receiver = client.createReceiver('orders');
  for (const _try of [1, 2]) {
    const [message] = await receiver.receiveMessages(1, WAIT);
    if (message !== undefined) await receiver.abandonMessage(message);
  }
  const letters = client.createReceiver('orders', { subQueueType: 'deadLetter' });
  const [letter] = await letters.receiveMessages(1, WAIT);
  expect(letter?.body).toEqual({ item: 'pump' });
  expect(letter?.deadLetterReason).toBe('MaxDeliveryCountExceeded');
});

test('a send that the broker refuses once is repeated by the client', async () => {
  emulator.control.failNext('orders', 1, 'com.microsoft:server-busy');
  await client.createSender('orders').sendMessages({ messageId: '2', body: 'valve' });
  const receiver = client.createReceiver('orders', { receiveMode: 'receiveAndDelete' });
  const [message] = await receiver.receiveMessages(1, WAIT);
  expect(message?.body).toBe('valve');
});
