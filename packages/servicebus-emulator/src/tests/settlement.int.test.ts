import { randomUUID } from 'node:crypto';
import type { CreateQueueOptions } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  receiveBriefly,
  receiveExactly,
  receiveOne,
  type SdkHarness,
  startSdkHarness,
} from '../testing/sdk-harness.ts';
import { createVirtualClock } from '../testing/virtual-clock.ts';

let sdk: SdkHarness;
beforeAll(async () => {
  sdk = await startSdkHarness();
});
afterAll(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

async function newQueue(options: CreateQueueOptions = {}) {
  const name = `queue-${randomUUID()}`;
  await sdk.admin.createQueue(name, options);
  return {
    name,
    sender: sdk.client.createSender(name),
    receiver: sdk.client.createReceiver(name),
    dead: sdk.client.createReceiver(name, { subQueueType: 'deadLetter' }),
  };
}

describe('settlement with the SDK', () => {
  it('completes, and says that the lock is lost the second time', async () => {
    const { sender, receiver, name } = await newQueue();
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await receiver.completeMessage(message);
    expect(await receiver.peekMessages(1)).toEqual([]);
    const again = sdk.client.createReceiver(name);
    await expect(again.renewMessageLock(message)).rejects.toMatchObject({
      code: 'MessageLockLost',
    });
  });

  it('abandons: delivered again at once, counted, with modified properties', async () => {
    const { sender, receiver } = await newQueue();
    await sender.sendMessages({ body: 1, applicationProperties: { kept: 'k', changed: 1 } });
    await receiver.abandonMessage(await receiveOne(receiver), { changed: 2, added: 'a' });
    const again = await receiveOne(receiver);
    expect(again.deliveryCount).toBe(1);
    expect(again.applicationProperties).toEqual({ kept: 'k', changed: 2, added: 'a' });
    await receiver.completeMessage(again);
  });

  it('dead-letters with reason, description and properties', async () => {
    const { sender, receiver, dead } = await newQueue();
    await sender.sendMessages({ body: 'poison', messageId: 'p' });
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: 'Undecodable',
      deadLetterErrorDescription: 'byte 7',
      ids: '1,2',
    });
    const [peeked] = await dead.peekMessages(1);
    expect(peeked?.body).toBe('poison');
    const letter = await receiveOne(dead);
    expect(letter).toMatchObject({
      body: 'poison',
      messageId: 'p',
      deadLetterReason: 'Undecodable',
      deadLetterErrorDescription: 'byte 7',
    });
    expect(letter.applicationProperties).toMatchObject({ ids: '1,2' });
    await dead.completeMessage(letter);
    expect(await dead.peekMessages(1)).toEqual([]);
    expect(await receiver.peekMessages(1)).toEqual([]);
  });

  it('dead-letters a message that was delivered too often', async () => {
    const { sender, receiver, dead } = await newQueue({ maxDeliveryCount: 2 });
    await sender.sendMessages({ body: 1 });
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.abandonMessage(await receiveOne(receiver));
    expect(await receiveOne(dead)).toMatchObject({
      deadLetterReason: 'MaxDeliveryCountExceeded',
      deadLetterErrorDescription: 'Message could not be consumed after 2 delivery attempts.',
      deliveryCount: 2,
    });
    expect(await receiver.peekMessages(1)).toEqual([]);
  });

  it('defers: out of the queue until it is asked for by sequence number', async () => {
    const { sender, receiver } = await newQueue();
    await sender.sendMessages([{ body: 'a' }, { body: 'b' }]);
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message, { why: 'later' });
    const next = await receiveOne(receiver);
    expect(next.body).toBe('b');
    const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber!);
    expect(deferred).toMatchObject({ body: 'a', state: 'deferred' });
    expect(deferred?.applicationProperties).toEqual({ why: 'later' });
    await receiver.completeMessage(deferred!);
    await expect(receiver.receiveDeferredMessages(message.sequenceNumber!)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
  });

  it('settles over the management link once the receiver is closed', async () => {
    const { sender, receiver, dead, name } = await newQueue();
    await sender.sendMessages([1, 2, 3].map((body) => ({ body })));
    const [a, b, c] = await receiveExactly(receiver, 3);
    await receiver.close();
    const other = sdk.client.createReceiver(name);
    await other.completeMessage(a!);
    await other.abandonMessage(b!);
    await other.deadLetterMessage(c!, {
      deadLetterReason: 'Late',
      deadLetterErrorDescription: 'after the link was closed',
    });
    expect(await receiveOne(dead)).toMatchObject({ body: 3, deadLetterReason: 'Late' });
    expect(await receiveOne(other)).toMatchObject({ body: 2, deliveryCount: 1 });
    await expect(other.completeMessage(a!)).rejects.toMatchObject({ code: 'MessageLockLost' });
  });

  it('settles hundreds of messages at once, each by its own outcome', async () => {
    const { sender, receiver, dead } = await newQueue();
    await sender.sendMessages(Array.from({ length: 400 }, (_, body) => ({ body })));
    const messages = await receiveExactly(receiver, 400);
    await Promise.all(messages.slice(0, 200).map((m) => receiver.completeMessage(m)));
    await Promise.all(messages.slice(200).map((m) => receiver.deadLetterMessage(m)));
    expect(await receiver.peekMessages(1)).toEqual([]);
    expect(await receiveExactly(dead, 200)).toHaveLength(200);
  });
});

describe('a lock, on a clock that the test moves', () => {
  const LOCK_MS = 60_000;

  async function openLocking() {
    const clock = createVirtualClock();
    const queue = { name: 'q', lockDurationMs: LOCK_MS };
    const harness = await startSdkHarness({ queues: [queue], clock });
    // The SDK would keep every lock alive.
    const manual = { maxAutoLockRenewalDurationInMs: 0 };
    const [holder, other] = [1, 2].map(() => harness.client.createReceiver('q', manual));
    await harness.client.createSender('q').sendMessages({ body: 1 });
    return { clock, harness, holder: holder!, other: other! };
  }

  it('expires: the message is delivered again, and the late settlement refused', async () => {
    const { clock, harness, holder, other } = await openLocking();
    const first = await receiveOne(holder);
    await clock.advance(LOCK_MS);
    const second = await receiveOne(other);
    expect(second).toMatchObject({ body: 1, deliveryCount: 1 });
    await expect(holder.completeMessage(first)).rejects.toMatchObject({ code: 'MessageLockLost' });
    await other.completeMessage(second);
    await harness.close();
    expect(harness.failures).toEqual([]);
  });

  it('is kept as long as it is renewed', async () => {
    const { clock, harness, holder, other } = await openLocking();
    const message = await receiveOne(holder);
    for (let renewal = 0; renewal < 3; renewal += 1) {
      await clock.advance(LOCK_MS - 1);
      const until = await holder.renewMessageLock(message);
      expect(until.getTime()).toBe(clock.nowMs() + LOCK_MS);
      expect(await receiveBriefly(other)).toEqual([]);
    }
    await holder.completeMessage(message);
    await harness.close();
    expect(harness.failures).toEqual([]);
  });
});

describe('time to live with the SDK', () => {
  it('dead-letters what expires when the queue says so, and drops it otherwise', async () => {
    const keeping = await newQueue({ deadLetteringOnMessageExpiration: true });
    const dropping = await newQueue({ defaultMessageTimeToLive: 'PT0.2S' });
    await keeping.sender.sendMessages({ body: 'kept', timeToLive: 200 });
    await dropping.sender.sendMessages({ body: 'dropped' });
    expect(await receiveOne(keeping.dead)).toMatchObject({
      body: 'kept',
      deadLetterReason: 'TTLExpiredException',
    });
    await expect
      .poll(
        async () => (await sdk.admin.getQueueRuntimeProperties(dropping.name)).totalMessageCount,
      )
      .toBe(0);
    expect(await dropping.dead.peekMessages(1)).toEqual([]);
  });
});

describe('peeking with the SDK', () => {
  it('goes on from the last message, from a sequence number, and shows locked ones', async () => {
    const { sender, receiver, name } = await newQueue();
    await sender.sendMessages([1, 2, 3, 4].map((body) => ({ body })));
    const [, locked] = await receiveExactly(receiver, 2);
    const from = locked!.sequenceNumber!;
    const peeker = sdk.client.createReceiver(name);
    const bodies = async (...args: Parameters<typeof peeker.peekMessages>) =>
      (await peeker.peekMessages(...args)).map((m) => m.body as unknown);
    expect(await bodies(3)).toEqual([1, 2, 3]);
    expect(await bodies(3)).toEqual([4]);
    expect(await bodies(2, { fromSequenceNumber: from })).toEqual([2, 3]);
    expect(await bodies(1, { fromSequenceNumber: from.add(9) })).toEqual([]);
  });
});
