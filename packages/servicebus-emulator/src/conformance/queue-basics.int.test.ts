import type {
  CreateQueueOptions,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
} from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import {
  receiveBriefly,
  receiveExactly,
  receiveOne,
  sequenceNumberOf,
} from '../testing/sdk-harness.ts';
import { useConformanceTarget, waitFor } from './conformance-target.ts';

const target = useConformanceTarget();

async function open(options: CreateQueueOptions = {}) {
  const { name, sender } = await target.newQueue(options);
  // The SDK would keep every lock alive.
  const receiver = target.client.createReceiver(name, { maxAutoLockRenewalDurationInMs: 0 });
  const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
  return { name, sender, receiver, dead };
}
const bodies = (messages: readonly ServiceBusReceivedMessage[]) =>
  messages.map((m) => m.body as unknown);
const isLockOver = ({ lockedUntilUtc }: ServiceBusReceivedMessage) =>
  waitFor('the lock to expire', () =>
    (lockedUntilUtc?.getTime() ?? 0) + 100 < Date.now() ? true : undefined,
  );

/** Receives a message and holds it until its lock has expired. */
async function receiveAndLose(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const message = await receiveOne(receiver);
  await isLockOver(message);
  return message;
}

describe('a message', () => {
  it.each([
    ['a string', 'text'],
    ['a number', 12.5],
    ['an object', { a: [1, { b: null }] }],
    ['a list', [1, 'two']],
    ['nothing', null],
    ['true', true],
  ])('arrives with its body: %s', async (_, body) => {
    const { sender, receiver } = await open();
    await sender.sendMessages({ body });
    expect((await receiveOne(receiver)).body).toEqual(body);
  });

  it('arrives with its system properties', async () => {
    const { sender, receiver } = await open();
    const sent = {
      messageId: 'id',
      correlationId: 'correlation',
      contentType: 'text/plain',
      subject: 'subject',
      to: 'to',
      replyTo: 'reply',
      replyToSessionId: 'reply session',
      partitionKey: 'session',
      sessionId: 'session',
    };
    await sender.sendMessages({ body: 1, ...sent });
    expect(await receiveOne(receiver)).toMatchObject(sent);
  });

  it('arrives with its application properties and their types', async () => {
    const { sender, receiver } = await open();
    const applicationProperties = { text: 't', number: 1.5, yes: true };
    await sender.sendMessages({ body: 1, applicationProperties });
    expect((await receiveOne(receiver)).applicationProperties).toEqual(applicationProperties);
  });

  it('is numbered upwards and stamped with its time', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages([{ body: 1 }, { body: 2 }]);
    const [first, second] = await receiveExactly(receiver, 2);
    expect(Number(second?.sequenceNumber)).toBeGreaterThan(Number(first?.sequenceNumber));
    expect(Math.abs((first?.enqueuedTimeUtc?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('is refused when it is too large', async () => {
    const { sender } = await open();
    await expect(sender.sendMessages({ body: 'x'.repeat(1_200_000) })).rejects.toMatchObject({
      code: 'MessageSizeExceeded',
    });
  });

  it('fits into a batch as long as there is room', async () => {
    const { sender, receiver } = await open();
    const batch = await sender.createMessageBatch({ maxSizeInBytes: 5_000 });
    expect(batch.tryAddMessage({ body: 'x'.repeat(3_000) })).toBe(true);
    expect(batch.tryAddMessage({ body: 'y'.repeat(3_000) })).toBe(false);
    await sender.sendMessages(batch);
    expect(await receiveExactly(receiver, 1)).toHaveLength(1);
  });
});

describe('peek-lock', () => {
  it('hides a message from other receivers while it is locked', async () => {
    const { name, sender, receiver } = await open();
    await sender.sendMessages({ body: 1 });
    await receiveOne(receiver);
    expect(await receiveBriefly(target.client.createReceiver(name))).toEqual([]);
  });

  it('offers a message again when its lock has expired, and counts the delivery', async () => {
    const { sender, receiver } = await open({ lockDuration: target.shortLock.duration });
    await sender.sendMessages({ body: 1 });
    await receiveAndLose(receiver);
    expect((await receiveOne(receiver)).deliveryCount).toBe(1);
  });

  it.each([
    ['completing', (r: ServiceBusReceiver, m: ServiceBusReceivedMessage) => r.completeMessage(m)],
    ['abandoning', (r: ServiceBusReceiver, m: ServiceBusReceivedMessage) => r.abandonMessage(m)],
    ['deferring', (r: ServiceBusReceiver, m: ServiceBusReceivedMessage) => r.deferMessage(m)],
    [
      'dead-lettering',
      (r: ServiceBusReceiver, m: ServiceBusReceivedMessage) => r.deadLetterMessage(m),
    ],
  ])('refuses %s a message whose lock has expired', async (_, settle) => {
    const { sender, receiver } = await open({ lockDuration: target.shortLock.duration });
    await sender.sendMessages({ body: 1 });
    const message = await receiveAndLose(receiver);
    await expect(settle(receiver, message)).rejects.toMatchObject({ code: 'MessageLockLost' });
  });

  it('extends a lock that is renewed', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    const before = message.lockedUntilUtc?.getTime() ?? 0;
    expect((await receiver.renewMessageLock(message)).getTime()).toBeGreaterThanOrEqual(before);
    await receiver.completeMessage(message);
  });

  it('settles through the management node when the link is gone', async () => {
    const { name, sender, receiver } = await open();
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await receiver.close();
    const other = target.client.createReceiver(name);
    await other.completeMessage(message);
    expect(await other.peekMessages(1)).toEqual([]);
  });

  it('dead-letters a message that was delivered too often', async () => {
    const { sender, receiver, dead } = await open({ maxDeliveryCount: 2 });
    await sender.sendMessages({ body: 1 });
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.abandonMessage(await receiveOne(receiver));
    expect((await receiveOne(dead)).deadLetterReason).toBe('MaxDeliveryCountExceeded');
  });

  it('changes application properties when it abandons', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages({ body: 1, applicationProperties: { a: 1 } });
    await receiver.abandonMessage(await receiveOne(receiver), { a: 2, b: 'new' });
    expect((await receiveOne(receiver)).applicationProperties).toEqual({ a: 2, b: 'new' });
  });

  it('streams to a subscription and completes on its own', async () => {
    const { sender, receiver } = await open();
    const seen: unknown[] = [];
    const subscription = receiver.subscribe({
      processMessage: async (message) => void seen.push(message.body),
      processError: async () => undefined,
    });
    await sender.sendMessages([1, 2, 3].map((body) => ({ body })));
    await waitFor('three messages', () => (seen.length === 3 ? true : undefined));
    await subscription.close();
    expect(seen).toEqual([1, 2, 3]);
    expect(await receiver.peekMessages(10)).toEqual([]);
  });
});

describe('receive-and-delete', () => {
  it('removes what it delivers', async () => {
    const { name, sender, receiver } = await open();
    await sender.sendMessages([{ body: 1 }, { body: 2 }]);
    const deleting = target.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    expect(bodies(await receiveExactly(deleting, 2))).toEqual([1, 2]);
    expect(await receiver.peekMessages(10)).toEqual([]);
  });

  it('removes deferred messages that it receives by number', async () => {
    const { name, sender, receiver } = await open();
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const deleting = target.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    const number = sequenceNumberOf(message);
    expect(bodies(await deleting.receiveDeferredMessages(number))).toEqual([1]);
    expect(await receiver.peekMessages(10)).toEqual([]);
  });
});

describe('a deferred message', () => {
  async function defer() {
    const { sender, receiver, dead } = await open();
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    return { receiver, dead, number: sequenceNumberOf(message) };
  }

  it('is not delivered, but peeked', async () => {
    const { receiver } = await defer();
    expect(await receiveBriefly(receiver)).toEqual([]);
    expect((await receiver.peekMessages(1))[0]?.state).toBe('deferred');
  });

  it('is received by its number and completed', async () => {
    const { receiver, number } = await defer();
    const [message] = await receiver.receiveDeferredMessages(number);
    if (message === undefined) throw new Error('Received nothing');
    await receiver.completeMessage(message);
    expect(await receiver.peekMessages(1)).toEqual([]);
  });

  it('stays deferred when it is abandoned', async () => {
    const { receiver, number } = await defer();
    const [message] = await receiver.receiveDeferredMessages(number);
    if (message === undefined) throw new Error('Received nothing');
    await receiver.abandonMessage(message);
    expect(bodies(await receiver.receiveDeferredMessages(number))).toEqual([1]);
  });

  it('can be dead-lettered', async () => {
    const { receiver, dead, number } = await defer();
    const [message] = await receiver.receiveDeferredMessages(number);
    if (message === undefined) throw new Error('Received nothing');
    await receiver.deadLetterMessage(message);
    expect((await receiveOne(dead)).body).toBe(1);
  });

  it('cannot be received while somebody holds it', async () => {
    const { receiver, number } = await defer();
    await receiver.receiveDeferredMessages(number);
    await expect(receiver.receiveDeferredMessages(number)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
  });
});

describe('time to live', () => {
  it('drops a message that is not received in time', async () => {
    const { name, sender, receiver } = await open();
    await sender.sendMessages({ body: 1, timeToLive: 300 });
    await waitFor('the message to be dropped', async () => {
      const { totalMessageCount } = await target.admin.getQueueRuntimeProperties(name);
      return totalMessageCount === 0 ? true : undefined;
    });
    expect(await receiveBriefly(receiver)).toEqual([]);
  });

  it('dead-letters it where the queue says so', async () => {
    const { sender, dead } = await open({ deadLetteringOnMessageExpiration: true });
    await sender.sendMessages({ body: 1, timeToLive: 300 });
    expect((await receiveOne(dead)).deadLetterReason).toBe('TTLExpiredException');
  });

  it('is that of the queue when the message has none', async () => {
    const { sender, receiver } = await open({ defaultMessageTimeToLive: 'PT30S' });
    await sender.sendMessages({ body: 1 });
    expect((await receiveOne(receiver)).timeToLive).toBe(30_000);
  });
});

describe('peeking', () => {
  it('begins at a sequence number', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages([1, 2, 3].map((body) => ({ body })));
    const [, second] = await receiver.peekMessages(2);
    if (second === undefined) throw new Error('Peeked nothing');
    const fromSequenceNumber = sequenceNumberOf(second);
    expect(bodies(await receiver.peekMessages(10, { fromSequenceNumber }))).toEqual([2, 3]);
  });

  it('goes on behind what it has shown', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages([1, 2, 3].map((body) => ({ body })));
    expect(bodies(await receiver.peekMessages(2))).toEqual([1, 2]);
    expect(bodies(await receiver.peekMessages(2))).toEqual([3]);
  });

  it('locks nothing', async () => {
    const { sender, receiver } = await open();
    await sender.sendMessages({ body: 1 });
    await receiver.peekMessages(1);
    expect(bodies(await receiveExactly(receiver, 1))).toEqual([1]);
  });
});
