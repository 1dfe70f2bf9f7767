import { describe, expect, it } from 'vitest';
import {
  receiveBriefly,
  receiveExactly,
  receiveOne,
  sequenceNumberOf,
} from '../testing/sdk-harness.ts';
import { useConformanceTarget, waitFor } from './conformance-target.ts';

const target = useConformanceTarget();

const inAnHour = () => new Date(Date.now() + 3_600_000);
const soon = () => new Date(Date.now() + 700);

describe('scheduling messages', () => {
  it('keeps a scheduled message from receivers until its time', async () => {
    const { name, sender } = await target.newQueue();
    await sender.scheduleMessages({ body: 1 }, inAnHour());
    expect(await receiveBriefly(target.client.createReceiver(name))).toEqual([]);
  });

  it('H5: delivers a scheduled message, as one that was, when its time has come', async () => {
    const { name, sender } = await target.newQueue();
    const time = soon();
    await sender.scheduleMessages({ body: 1 }, time);
    const message = await receiveOne(target.client.createReceiver(name));
    expect(message.body).toBe(1);
    expect(Date.now()).toBeGreaterThanOrEqual(time.getTime());
    expect(message.state).toBe('scheduled');
  });

  it('answers with a sequence number for each message', async () => {
    const { sender } = await target.newQueue();
    const numbers = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], inAnHour());
    expect(new Set(numbers.map(String)).size).toBe(2);
  });

  it('gives the message a new number when it becomes active', async () => {
    const { name, sender } = await target.newQueue();
    const [scheduled] = await sender.scheduleMessages({ body: 1 }, soon());
    const message = await receiveOne(target.client.createReceiver(name));
    expect(sequenceNumberOf(message).toString()).not.toBe(String(scheduled));
  });

  it('shows scheduled messages when they are peeked, as such', async () => {
    const { name, sender } = await target.newQueue();
    const time = inAnHour();
    await sender.scheduleMessages({ body: 1 }, time);
    const [peeked] = await target.client.createReceiver(name).peekMessages(1);
    expect(peeked).toMatchObject({ state: 'scheduled', scheduledEnqueueTimeUtc: time });
  });

  it('schedules a message that is sent with a time to be enqueued at', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1, scheduledEnqueueTimeUtc: inAnHour() });
    const receiver = target.client.createReceiver(name);
    expect(await receiveBriefly(receiver)).toEqual([]);
    expect((await receiver.peekMessages(1))[0]?.state).toBe('scheduled');
  });

  it('enqueues at once what is scheduled for the past', async () => {
    const { name, sender } = await target.newQueue();
    await sender.scheduleMessages({ body: 1 }, new Date(Date.now() - 60_000));
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe(1);
  });

  it('delivers in the order of the times, not of the calls', async () => {
    const { name, sender } = await target.newQueue();
    await sender.createMessageBatch();
    // The link is open now, so that the second call is made long before the time of the first.
    const startMs = Date.now();
    await sender.scheduleMessages({ body: 'second' }, new Date(startMs + 4_000));
    await sender.scheduleMessages({ body: 'first' }, new Date(startMs + 400));
    const messages = await receiveExactly(target.client.createReceiver(name), 2);
    expect(messages.map((m) => m.body as unknown)).toEqual(['first', 'second']);
  });

  it('counts scheduled messages apart from active ones', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1 });
    await sender.scheduleMessages([{ body: 2 }, { body: 3 }], inAnHour());
    const counts = await waitFor('the counts', async () => {
      const found = await target.admin.getQueueRuntimeProperties(name);
      return found.scheduledMessageCount === 2 ? found : undefined;
    });
    expect(counts).toMatchObject({ activeMessageCount: 1, totalMessageCount: 3 });
  });

  it('begins the time to live when the message becomes active', async () => {
    const { name, sender } = await target.newQueue();
    const timeToLive = 600_000;
    const time = soon();
    await sender.scheduleMessages({ body: 1, timeToLive }, time);
    const message = await receiveOne(target.client.createReceiver(name));
    expect(message.expiresAtUtc?.getTime()).toBeGreaterThanOrEqual(time.getTime() + timeToLive);
  });

  it('delivers a scheduled message to its session', async () => {
    const { name, sender } = await target.newQueue({ requiresSession: true });
    await sender.scheduleMessages({ body: 1, sessionId: 'a' }, soon());
    const receiver = await target.client.acceptNextSession(name);
    expect(receiver.sessionId).toBe('a');
    expect((await receiveOne(receiver)).body).toBe(1);
    await receiver.close();
  });
});

describe('cancelling scheduled messages', () => {
  it('removes them', async () => {
    const { name, sender } = await target.newQueue();
    const numbers = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], inAnHour());
    await sender.cancelScheduledMessages(numbers);
    expect(await target.client.createReceiver(name).peekMessages(10)).toEqual([]);
  });

  it('leaves the others', async () => {
    const { name, sender } = await target.newQueue();
    const [first] = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], inAnHour());
    if (first !== undefined) await sender.cancelScheduledMessages(first);
    const left = await target.client.createReceiver(name).peekMessages(10);
    expect(left.map((m) => m.body as unknown)).toEqual([2]);
  });

  it('is refused for a number that is not scheduled', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1 });
    const [active] = await target.client.createReceiver(name).peekMessages(1);
    if (active === undefined) throw new Error('Peeked no message');
    await expect(sender.cancelScheduledMessages(sequenceNumberOf(active))).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
  });

  it('is refused the second time', async () => {
    const { sender } = await target.newQueue();
    const numbers = await sender.scheduleMessages({ body: 1 }, inAnHour());
    await sender.cancelScheduledMessages(numbers);
    await expect(sender.cancelScheduledMessages(numbers)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
  });
});

describe('detecting duplicates', () => {
  const detecting = { requiresDuplicateDetection: true };
  const bodiesIn = async (name: string) =>
    (await target.client.createReceiver(name).peekMessages(10)).map((m) => m.body as unknown);

  it('accepts a second message of the same id and drops it', async () => {
    const { name, sender } = await target.newQueue(detecting);
    await sender.sendMessages({ body: 'first', messageId: 'x' });
    await sender.sendMessages({ body: 'second', messageId: 'x' });
    await sender.sendMessages({ body: 'other', messageId: 'y' });
    expect(await bodiesIn(name)).toEqual(['first', 'other']);
  });

  it('drops duplicates within one batch', async () => {
    const { name, sender } = await target.newQueue(detecting);
    const batch = [1, 2, 3].map((body) => ({ body, messageId: 'x' }));
    await sender.sendMessages(batch);
    expect(await bodiesIn(name)).toEqual([1]);
  });

  it('remembers the id of a message that was completed', async () => {
    const { name, sender } = await target.newQueue(detecting);
    await sender.sendMessages({ body: 1, messageId: 'x' });
    const receiver = target.client.createReceiver(name);
    await receiver.completeMessage(await receiveOne(receiver));
    await sender.sendMessages({ body: 2, messageId: 'x' });
    expect(await bodiesIn(name)).toEqual([]);
  });

  it('keeps all messages of one id on a queue that does not detect them', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages({ body: 1, messageId: 'x' });
    await sender.sendMessages({ body: 2, messageId: 'x' });
    expect(await bodiesIn(name)).toEqual([1, 2]);
  });

  it('keeps messages without an id apart', async () => {
    const { name, sender } = await target.newQueue(detecting);
    await sender.sendMessages([{ body: 1 }, { body: 2 }]);
    expect(await bodiesIn(name)).toEqual([1, 2]);
  });

  it('forgets an id when the window is over', async () => {
    const isOwn = target.emulator !== undefined;
    const { name, sender } = await target.newQueue({
      ...detecting,
      duplicateDetectionHistoryTimeWindow: isOwn ? 'PT0.5S' : 'PT20S',
    });
    await sender.sendMessages({ body: 1, messageId: 'x' });
    await waitFor('the id to be forgotten', async () => {
      await sender.sendMessages({ body: 2, messageId: 'x' });
      const counts = await target.admin.getQueueRuntimeProperties(name);
      return counts.totalMessageCount === 2 ? true : undefined;
    });
    expect(await bodiesIn(name)).toEqual([1, 2]);
  });

  it('cannot be switched on later', async () => {
    const { name } = await target.newQueue();
    const properties = await target.admin.getQueue(name);
    const changed = { ...properties, requiresDuplicateDetection: true };
    await expect(target.admin.updateQueue(changed)).rejects.toMatchObject({ statusCode: 400 });
  });
});
