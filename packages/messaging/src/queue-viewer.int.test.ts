import type { QueueViewer } from '@tandem/core';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createServiceBusQueueViewer } from './queue-viewer.ts';
import { createServiceBusPublisher } from './service-bus-publisher.ts';
import { createServiceBusReceiver } from './service-bus-receiver.ts';

const QUEUE = 'inbound';
const EVERYTHING = 1_000;

describe('an operator’s view of a queue', () => {
  let emulator: Emulator;
  let viewer: QueueViewer;

  beforeEach(async () => {
    emulator = await createEmulator({ queues: [{ name: QUEUE }] });
    const { connectionString: connection } = emulator;
    viewer = createServiceBusQueueViewer({ connection, queue: QUEUE });
    const publisher = createServiceBusPublisher({ peer: 'west', connection, queue: QUEUE });
    const names = Array.from({ length: 150 }, (_, n) => `m${n}`);
    await publisher.publish(
      names.map((messageId) => ({
        messageId,
        subject: 'change-set',
        body: new TextEncoder().encode(messageId),
      })),
    );
    await publisher.close();
  });

  afterEach(async () => {
    await viewer.close();
    await emulator.close();
  });

  const deadLetterAll = async (): Promise<void> => {
    const { connectionString: connection } = emulator;
    const receiver = createServiceBusReceiver({ connection, queue: QUEUE });
    for (let left = 150; left > 0; ) {
      const messages = await receiver.receive(left, 1_000);
      left -= messages.length;
      for (const one of messages) {
        await receiver.settle(one, { kind: 'dead-letter', reason: 'BAD', description: 'why' });
      }
    }
    await receiver.close();
  };

  const idsIn = async (lane: 'messages' | 'dead-letters'): Promise<string[]> =>
    (await viewer.peek(lane, 0n, EVERYTHING)).map(({ messageId }) => messageId);

  test('shows every message, page by page, and takes none', async () => {
    expect(await idsIn('messages')).toHaveLength(150);
    const [, second] = await viewer.peek('messages', 0n, 2);
    const rest = await viewer.peek('messages', second?.sequenceNumber ?? 0n, 1);
    expect(rest.map(({ messageId }) => messageId)).toEqual(['m1']);
    expect(await idsIn('messages')).toHaveLength(150);
  });

  test('shows why a letter is dead, sends the named ones again, and leaves the others', async () => {
    await deadLetterAll();
    const letters = await viewer.peek('dead-letters', 0n, EVERYTHING);
    expect(letters).toHaveLength(150);
    expect(letters[0]).toMatchObject({ reason: 'BAD', description: 'why', subject: 'change-set' });
    const wanted = letters.slice(120, 122);
    const numbers = new Set(wanted.map(({ sequenceNumber }) => sequenceNumber));
    expect(await viewer.settle(numbers, 'resubmit')).toEqual(numbers);
    const again = await viewer.peek('messages', 0n, EVERYTHING);
    expect(again.map(({ messageId }) => messageId)).toEqual(['m120', 'm121']);
    expect(again.map(({ body }) => new TextDecoder().decode(body))).toEqual(['m120', 'm121']);
    expect(await idsIn('dead-letters')).toHaveLength(148);
  });

  test('sends what stands for a letter, under its subject, and takes the letter away', async () => {
    await deadLetterAll();
    const [first, second] = await viewer.peek('dead-letters', 0n, 2);
    const number = second?.sequenceNumber ?? 0n;
    const bodies = ['one', 'two'].map((text) => new TextEncoder().encode(text));
    const instead = bodies.map((body, n) => ({ messageId: `m1~${n}`, body }));
    const found = await viewer.replace(new Map([[number, instead]]));
    expect(found).toEqual(new Set([number]));
    const sent = await viewer.peek('messages', 0n, EVERYTHING);
    expect(sent).toMatchObject([
      { messageId: 'm1~0', subject: 'change-set' },
      { messageId: 'm1~1', subject: 'change-set' },
    ]);
    expect(sent.map(({ body }) => new TextDecoder().decode(body))).toEqual(['one', 'two']);
    expect(await idsIn('dead-letters')).toHaveLength(149);
    expect(await idsIn('dead-letters')).not.toContain(second?.messageId);
    expect(await idsIn('dead-letters')).toContain(first?.messageId);
  });

  test('A4: sets a live message aside, whole, leaves the others, and puts it back', async () => {
    const messages = await viewer.peek('messages', 0n, EVERYTHING);
    const numbers = new Set(messages.slice(120, 122).map(({ sequenceNumber }) => sequenceNumber));
    expect(await viewer.setAside(new Set([...numbers, 999_999n]))).toEqual(numbers);
    expect(await idsIn('messages')).toHaveLength(148);
    const letters = await viewer.peek('dead-letters', 0n, EVERYTHING);
    expect(letters).toMatchObject([
      { messageId: 'm120', reason: 'SET_ASIDE', subject: 'change-set' },
      { messageId: 'm121', reason: 'SET_ASIDE', subject: 'change-set' },
    ]);
    const aside = new Set(letters.map(({ sequenceNumber }) => sequenceNumber));
    await viewer.settle(aside, 'resubmit');
    expect(await idsIn('messages')).toEqual(expect.arrayContaining(['m120', 'm121', 'm0']));
    expect(await idsIn('messages')).toHaveLength(150);
  });

  test('throws away the named ones only, and says which it did not find', async () => {
    await deadLetterAll();
    const [first] = await viewer.peek('dead-letters', 0n, 1);
    const number = first?.sequenceNumber ?? 0n;
    expect(await viewer.settle(new Set([number, 999_999n]), 'discard')).toEqual(new Set([number]));
    expect(await idsIn('dead-letters')).not.toContain('m0');
    expect(await idsIn('messages')).toEqual([]);
  });

  test('settles what it has found although looking for the rest outlasts the locks', async () => {
    await viewer.close();
    await emulator.close();
    emulator = await createEmulator({ queues: [{ name: QUEUE, lockDurationMs: 6_000 }] });
    const { connectionString: connection } = emulator;
    viewer = createServiceBusQueueViewer({ connection, queue: QUEUE, waitMs: 8_000 });
    const publisher = createServiceBusPublisher({ peer: 'west', connection, queue: QUEUE });
    const body = new TextEncoder().encode('poison');
    await publisher.publish([{ messageId: 'poison', subject: 'change-set', body }]);
    await publisher.close();
    const receiver = createServiceBusReceiver({ connection, queue: QUEUE });
    for (const one of await receiver.receive(1, 30_000)) {
      await receiver.settle(one, { kind: 'dead-letter', reason: 'BAD', description: 'why' });
    }
    await receiver.close();
    const [letter] = await viewer.peek('dead-letters', 0n, 1);
    const number = letter?.sequenceNumber ?? 0n;
    // Nobody ever finds the second, and an empty queue is waited for longer than the lock lasts.
    expect(await viewer.settle(new Set([number, 999_999n]), 'resubmit')).toEqual(new Set([number]));
    expect(await idsIn('dead-letters')).toEqual([]);
    expect(await idsIn('messages')).toEqual(['poison']);
  });
});
