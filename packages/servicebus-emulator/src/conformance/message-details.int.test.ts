import type { PeekMessagesOptions } from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import { receiveOne, sequenceNumberOf } from '../testing/sdk-harness.ts';
import { useConformanceTarget } from './conformance-target.ts';
import { parseConnectionString } from './raw-peer.ts';

const target = useConformanceTarget();

describe('the delivery count', () => {
  it('grows when a message is deferred, and when the deferred message is given back', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1 });
    const receiver = target.client.createReceiver(name);
    const message = await receiveOne(receiver);
    const number = sequenceNumberOf(message);
    await receiver.deferMessage(message);
    const [once] = await receiver.receiveDeferredMessages(number);
    expect(once?.deliveryCount).toBe(1);
    await receiver.abandonMessage(once!);
    const [twice] = await receiver.receiveDeferredMessages(number);
    expect(twice?.deliveryCount).toBe(2);
    await receiver.deferMessage(twice!);
    const [thrice] = await receiver.receiveDeferredMessages(number);
    expect(thrice?.deliveryCount).toBe(3);
    await receiver.deadLetterMessage(thrice!);
    const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
    expect((await receiveOne(dead)).deliveryCount).toBe(3);
  });

  it('dead-letters a message whose deferral is the last delivery that it may have', async () => {
    const { name, sender } = await target.newQueue({ maxDeliveryCount: 1 });
    await sender.sendMessages({ body: 1 });
    const receiver = target.client.createReceiver(name);
    await receiver.deferMessage(await receiveOne(receiver));
    const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
    expect(await receiveOne(dead)).toMatchObject({
      body: 1,
      deadLetterReason: 'MaxDeliveryCountExceeded',
    });
  });

  it('does not grow in the dead-letter queue', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1 });
    const receiver = target.client.createReceiver(name);
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
    for (let delivery = 0; delivery < 12; delivery += 1) {
      const message = await receiveOne(dead);
      expect(message.deliveryCount).toBe(0);
      await dead.abandonMessage(message);
    }
  });
});

describe('a dead letter', () => {
  it('names no source as long as nothing is forwarded', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1 });
    const receiver = target.client.createReceiver(name);
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const dead = target.client.createReceiver(name, { subQueueType: 'deadLetter' });
    expect((await receiveOne(dead)).deadLetterSource).toBeUndefined();
  });
});

describe('an empty batch', () => {
  it('is refused with its link, and not with the others to the queue', async () => {
    const { name, sender } = await target.newQueue();
    const other = target.client.createSender(name);
    await other.createMessageBatch();
    await expect(sender.sendMessages([])).rejects.toThrow('a batch message with no data in it');
    await other.sendMessages({ body: 'next' });
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe('next');
  });
});

describe('the header', () => {
  it('arrives as it was sent, but for the delivery count', async () => {
    const { name, sender } = await target.newQueue();
    const header = { durable: false, priority: 20, firstAcquirer: false, timeToLive: 100_000 };
    await sender.sendMessages({
      body: 1,
      bodyType: 'data',
      header: { ...header, deliveryCount: 10 },
    });
    const message = await receiveOne(target.client.createReceiver(name));
    expect(message._rawAmqpMessage.header).toEqual({ ...header, deliveryCount: 0 });
  });
});

/** The typings leave it out. */
const WITHOUT_BODY: PeekMessagesOptions & { omitMessageBody: boolean } = { omitMessageBody: true };

describe('a peek without bodies', () => {
  it('shows everything else, and how many bytes were left out', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({
      body: 'content',
      subject: 'kept',
      applicationProperties: { a: 1 },
    });
    const receiver = target.client.createReceiver(name);
    const [bare] = await receiver.peekMessages(1, WITHOUT_BODY);
    expect(bare).toMatchObject({ subject: 'kept', applicationProperties: { a: 1 } });
    expect(bare?.body).toBeUndefined();
    const { deliveryAnnotations } = bare!._rawAmqpMessage;
    expect(Number(deliveryAnnotations?.['omitted-message-body-size'])).toBeGreaterThan(0);
    expect((await receiveOne(receiver)).body).toBe('content');
  });
});

describe('an absent queue', () => {
  it('is named in the error together with the host that was asked', async () => {
    const { host } = parseConnectionString(target.connectionString);
    const words = `The messaging entity 'sb://${host}/absent' could not be found.`;
    await expect(target.client.createSender('absent').sendMessages({ body: 1 })).rejects.toThrow(
      expect.objectContaining({
        code: 'MessagingEntityNotFound',
        message: expect.stringContaining(words) as string,
      }),
    );
  });
});
