import type { Socket } from 'node:net';
import { ServiceBusClient } from '@azure/service-bus';
import rhea, { type EventContext } from 'rhea';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  receiveBriefly,
  receiveOne,
  type SdkHarness,
  startSdkHarness,
} from '../testing/sdk-harness.ts';
import { createVirtualClock } from '../testing/virtual-clock.ts';

const LOCK_MS = 60_000;
/** The SDK would keep every lock alive. */
const MANUAL = { maxAutoLockRenewalDurationInMs: 0 };
/** An emulator that waited for its clients would wait for ever. */
const CLOSE_MS_MAX = 15_000;

let sdk: SdkHarness;
beforeEach(async () => {
  sdk = await startSdkHarness({ queues: ['q'] });
});
afterEach(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

describe('faults that are asked for', () => {
  it('refuses the next sends with the condition, then accepts again', async () => {
    const sender = sdk.client.createSender('q');
    sdk.emulator.control.failNext('q', 2, 'com.microsoft:server-busy');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: 'ServiceBusy' });
    }
    await sender.sendMessages({ body: 2 });
    const seen = await sdk.client.createReceiver('q').peekMessages(10);
    expect(seen.map((m) => m.body as unknown)).toEqual([2]);
  });

  it('holds sends and deliveries of a paused queue until it is resumed', async () => {
    const sender = sdk.client.createSender('q');
    const receiver = sdk.client.createReceiver('q');
    await sender.sendMessages({ body: 1 });
    sdk.emulator.control.pauseQueue('q');
    let answered = false;
    const sending = sender.sendMessages({ body: 2 }).then(() => (answered = true));
    expect(await receiveBriefly(receiver)).toEqual([]);
    expect(answered).toBe(false);
    sdk.emulator.control.resumeQueue('q');
    await sending;
    expect((await receiveOne(receiver)).body).toBe(1);
    expect((await receiveOne(receiver)).body).toBe(2);
  });

  it('name the queue that is not there', () => {
    expect(() => sdk.emulator.control.pauseQueue('x')).toThrow("The emulator has no queue 'x'");
  });
});

describe('an emulator that is closed', () => {
  it('does not wait for the clients that are connected', async () => {
    const other = await startSdkHarness({ queues: ['q'] });
    const seen: unknown[] = [];
    const errors: unknown[] = [];
    const receiver = other.client.createReceiver('q');
    const subscription = receiver.subscribe({
      processMessage: async ({ body }) => void seen.push(body),
      processError: async ({ error }) => void errors.push(error),
    });
    await other.client.createSender('q').sendMessages({ body: 1 });
    // Only now the link of the subscription is known to be open.
    await expect.poll(() => seen).toEqual([1]);
    const startMs = Date.now();
    await other.emulator.close();
    expect(Date.now() - startMs).toBeLessThan(CLOSE_MS_MAX);
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    await subscription.close();
    await other.client.close();
    expect(other.failures).toEqual([]);
  });
});

describe('a connection that dies', () => {
  it('keeps its locks until they expire, then the messages are delivered again', async () => {
    const clock = createVirtualClock();
    const brief = { name: 'brief', lockDurationMs: LOCK_MS };
    const other = await startSdkHarness({ queues: [brief], clock });
    const client = new ServiceBusClient(other.emulator.connectionString);
    await client.createSender('brief').sendMessages({ body: 1 });
    await receiveOne(client.createReceiver('brief', MANUAL));
    other.emulator.control.dropConnections();
    const receiver = other.client.createReceiver('brief', MANUAL);
    await clock.advance(LOCK_MS - 1);
    expect(await receiveBriefly(receiver)).toEqual([]);
    await clock.advance(1);
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ body: 1, deliveryCount: 1 });
    await receiver.completeMessage(again);
    await client.close();
    await other.close();
    expect(other.failures).toEqual([]);
  });

  it('is made anew by the SDK, for senders and for subscriptions', async () => {
    // The SDK waits this long for the answer to a send whose connection has died, and tries again.
    const client = new ServiceBusClient(sdk.emulator.connectionString, {
      retryOptions: { maxRetries: 10, retryDelayInMs: 50, timeoutInMs: 2_000 },
    });
    const sender = client.createSender('q');
    const seen: unknown[] = [];
    client.createReceiver('q').subscribe({
      processMessage: async (message) => void seen.push(message.body),
      processError: async () => undefined,
    });
    // The SDK never finishes close() when it has not noticed yet that its connection is gone.
    for (let round = 0; round < 3; round += 1) {
      if (round > 0) sdk.emulator.control.dropConnections();
      await sender.sendMessages({ body: round });
      await expect.poll(() => seen).toContain(round);
    }
    await client.close();
  });

  it('is given nothing more, though it had credit', async () => {
    const { connection, seen } = openRawReceiver();
    const sender = sdk.client.createSender('q');
    await sender.sendMessages({ body: 1 });
    await expect.poll(() => seen.length).toBe(1);
    const closed = new Promise((resolve) => connection.once('disconnected', resolve));
    sdk.emulator.control.dropConnections();
    await closed;
    const client = new ServiceBusClient(sdk.emulator.connectionString);
    await client.createSender('q').sendMessages({ body: 2 });
    const received = await receiveOne(client.createReceiver('q'));
    expect(received).toMatchObject({ body: 2, deliveryCount: 0 });
    await client.close();
    expect(seen.length).toBe(1);
  });

  it('stays open while it is idle, because the emulator sends heartbeats', async () => {
    const { connection } = openRawReceiver({ idle_time_out: 200 });
    await new Promise((resolve) => connection.once('receiver_open', resolve));
    const { socket } = connection as unknown as { socket: Socket };
    const bytesRead = socket.bytesRead;
    const HEARTBEAT_BYTES = 8;
    await expect.poll(() => socket.bytesRead - bytesRead).toBeGreaterThan(5 * HEARTBEAT_BYTES);
    expect(connection.is_open()).toBe(true);
    connection.close();
  });

  /** A receiver of ten messages that settles none and never comes back. */
  function openRawReceiver(more: { idle_time_out?: number } = {}) {
    const { amqpPort: port } = sdk.emulator;
    const options = {
      port,
      host: '127.0.0.1',
      username: 'any',
      reconnect: false,
      ...more,
    } as const;
    const connection = rhea.create_container().connect(options);
    const seen: unknown[] = [];
    const receiver = connection.open_receiver({
      source: 'q',
      credit_window: 10,
      autoaccept: false,
      rcv_settle_mode: 1,
    });
    receiver.on('message', ({ message }: EventContext) => seen.push(message));
    return { connection, seen };
  }
});
