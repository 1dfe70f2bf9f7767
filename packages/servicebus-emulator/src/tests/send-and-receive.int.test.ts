import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceBusMessage } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  receiveBriefly,
  receiveExactly,
  receiveOne,
  type SdkHarness,
  startSdkHarness,
} from '../testing/sdk-harness.ts';

const newName = () => `queue-${randomUUID()}`;

describe.each(['memory', 'folder'])('sending and receiving with the SDK, kept in %s', (kind) => {
  let sdk: SdkHarness;
  let folder: string | undefined;
  beforeAll(async () => {
    folder = kind === 'folder' ? await mkdtemp(join(tmpdir(), 'emulator-')) : undefined;
    sdk = await startSdkHarness(folder === undefined ? {} : { location: folder });
  });
  afterAll(async () => {
    await sdk.close();
    expect(sdk.failures).toEqual([]);
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  async function newQueue() {
    const name = newName();
    await sdk.admin.createQueue(name);
    return {
      name,
      sender: sdk.client.createSender(name),
      receiver: sdk.client.createReceiver(name),
    };
  }

  it('carries every property of a message', async () => {
    const { sender, receiver } = await newQueue();
    const message: ServiceBusMessage = {
      body: { nested: [1, 'zwei', null, true] },
      messageId: 'id-1',
      contentType: 'application/json',
      correlationId: 'correlation',
      subject: 'subject',
      to: 'to',
      replyTo: 'reply',
      timeToLive: 60_000,
      partitionKey: 'partition',
      applicationProperties: { text: 'ü', number: 1.5, integer: 7, flag: false, none: null },
    };
    const before = Date.now();
    await sender.sendMessages(message);
    const received = await receiveOne(receiver);
    expect(received).toMatchObject({ ...message, deliveryCount: 0, state: 'active' });
    expect(received.sequenceNumber?.toNumber()).toBe(1);
    expect(received.enqueuedTimeUtc?.getTime()).toBeGreaterThanOrEqual(before);
    expect(received.lockedUntilUtc?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    expect(received.expiresAtUtc?.getTime()).toBe(received.enqueuedTimeUtc!.getTime() + 60_000);
    await receiver.completeMessage(received);
  });

  it('carries binary, text and value bodies unchanged', async () => {
    const { sender, receiver } = await newQueue();
    const binary = Buffer.from([0, 1, 2, 255]);
    await sender.sendMessages([{ body: binary }, { body: 'text' }, { body: 42 }]);
    await sender.sendMessages({ body: { a: 1 }, bodyType: 'value' });
    const messages = await receiveExactly(receiver, 4);
    expect(messages.map((m) => m.body as unknown)).toEqual([binary, 'text', 42, { a: 1 }]);
    await Promise.all(messages.map((m) => receiver.completeMessage(m)));
  });

  it('gives a message without id one', async () => {
    const { sender, receiver } = await newQueue();
    await sender.sendMessages({ body: 1 });
    await sender.sendMessages({ body: 2, subject: 'with properties' });
    const messages = await receiveExactly(receiver, 2);
    for (const message of messages) expect(message.messageId).toMatch(/^[0-9a-f]{32}$/);
    expect(messages[1]?.subject).toBe('with properties');
    await Promise.all(messages.map((m) => receiver.completeMessage(m)));
  });

  it('numbers a batch in its order and says how large one may be', async () => {
    const { sender, receiver } = await newQueue();
    const batch = await sender.createMessageBatch();
    expect(batch.maxSizeInBytes).toBe(256 * 1024);
    for (let body = 1; body <= 100; body += 1) expect(batch.tryAddMessage({ body })).toBe(true);
    await sender.sendMessages(batch);
    const messages = await receiveExactly(receiver, 100);
    expect(messages.map((m) => m.body as unknown)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(messages.map((m) => m.sequenceNumber?.toNumber())).toEqual(messages.map((m) => m.body));
    await Promise.all(messages.map((m) => receiver.completeMessage(m)));
    expect(await receiver.peekMessages(1)).toEqual([]);
  });

  it('refuses a message and a batch above 256 KiB and takes the neighbours', async () => {
    const { sender, receiver } = await newQueue();
    const large = { body: 'x'.repeat(256 * 1024) };
    const outcomes = await Promise.allSettled([
      sender.sendMessages({ body: 'before' }),
      sender.sendMessages(large),
      sender.sendMessages({ body: 'after' }),
    ]);
    expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'MessageSizeExceeded' } });
    const messages = await receiver.peekMessages(10);
    expect(messages.map((m) => m.body as unknown)).toEqual(['before', 'after']);
  });

  it('removes what a receive-and-delete receiver takes', async () => {
    const { name, sender } = await newQueue();
    await sender.sendMessages([{ body: 1 }, { body: 2 }, { body: 3 }]);
    const receiver = sdk.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    expect(await receiveExactly(receiver, 2)).toHaveLength(2);
    const left = await sdk.client.createReceiver(name).peekMessages(10);
    expect(left.map((m) => m.body as unknown)).toEqual([3]);
    await receiver.close();
  });

  it('streams to a subscription and lets go of its credit when that closes', async () => {
    const { sender, receiver, name } = await newQueue();
    await sender.sendMessages(Array.from({ length: 300 }, (_, body) => ({ body })));
    const seen: unknown[] = [];
    receiver.subscribe(
      {
        processMessage: async (message) => void seen.push(message.body),
        processError: async ({ error }) => void seen.push(error),
      },
      { maxConcurrentCalls: 16 },
    );
    await expect.poll(() => seen.length).toBe(300);
    expect(seen).toEqual(Array.from({ length: 300 }, (_, body) => body));
    const startMs = Date.now();
    await receiver.close();
    // What the emulator left unanswered the SDK would await for half a minute.
    expect(Date.now() - startMs).toBeLessThan(15_000);
    await sender.sendMessages({ body: 'later' });
    const other = sdk.client.createReceiver(name);
    expect((await receiveOne(other)).body).toBe('later');
  });

  it('returns early from an empty queue and delivers later messages to the next call', async () => {
    const { sender, receiver } = await newQueue();
    expect(await receiveBriefly(receiver)).toEqual([]);
    await sender.sendMessages({ body: 'a' });
    const message = await receiveOne(receiver);
    expect(message).toMatchObject({ body: 'a', deliveryCount: 0 });
    await receiver.completeMessage(message);
  });

  it('shares a queue between two connections, each message once', async () => {
    const { name, sender, receiver } = await newQueue();
    const second = await startClient();
    const other = second.createReceiver(name);
    const waiting = [receiver, other].map((r) => r.receiveMessages(50, { maxWaitTimeInMs: 500 }));
    await sender.sendMessages(Array.from({ length: 60 }, (_, body) => ({ body })));
    const bodies = (await Promise.all(waiting)).flat().map((m) => Number(m.body));
    const missing = Math.max(60 - bodies.length, 0);
    const rest = (await receiveExactly(receiver, missing)).map((m) => Number(m.body));
    expect(await receiveBriefly(receiver)).toEqual([]);
    expect([...bodies, ...rest].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, body) => body),
    );
    await second.close();
  });

  async function startClient() {
    const { ServiceBusClient } = await import('@azure/service-bus');
    return new ServiceBusClient(sdk.emulator.connectionString);
  }

  it('refuses senders and receivers of an absent queue by name', async () => {
    const absent = {
      code: 'MessagingEntityNotFound',
      message: expect.stringContaining(
        "entity 'sb://127.0.0.1/absent' could not be found",
      ) as string,
    };
    const sender = sdk.client.createSender('absent');
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject(absent);
    const receiver = sdk.client.createReceiver('absent');
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject(absent);
  });
});
