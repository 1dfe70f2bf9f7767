import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChangePublisher, ChangeReceiver, InboundMessage } from '@tandem/core';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createServiceBusPublisher } from './service-bus-publisher.ts';
import { createServiceBusReceiver } from './service-bus-receiver.ts';

const QUEUE = 'inbound';
const PATIENCE_MS = 20_000;
/** Well below the library's own minute, and long enough for any answer of the emulator. */
const TIMEOUT_MS = 5_000;
/** Where the library's own minute ruled, nothing would fail sooner than this. */
const OWN_TIMEOUT_MS_MIN = 55_000;
/** How long the library by itself waits for more messages once it has one, less the timer's error. */
const MORE_MS = 990;
const EMPTY_RECEIVES_MAX = 3;

interface Closable {
  close(): Promise<void>;
}

describe('Service Bus out of reach and back', () => {
  let location: string;
  let emulator: Emulator;
  let publisher: ChangePublisher;
  let receiver: ChangeReceiver;
  let silences: number;
  let opened: Closable[];

  const start = (amqpPort = 0): Promise<Emulator> =>
    createEmulator({
      location,
      amqpPort,
      queues: [{ name: QUEUE, lockDurationMs: 60_000, maxDeliveryCount: 2_000 }],
    });

  beforeEach(async () => {
    location = await mkdtemp(join(tmpdir(), 'tandem-bus-'));
    emulator = await start();
    silences = 0;
    const common = { queue: QUEUE, connection: emulator.connectionString, timeoutMs: TIMEOUT_MS };
    publisher = createServiceBusPublisher({ ...common, peer: 'west' });
    receiver = createServiceBusReceiver({
      ...common,
      emptyReceivesMax: EMPTY_RECEIVES_MAX,
      onSilentReceiver: () => {
        silences += 1;
      },
    });
    opened = [publisher, receiver];
  });

  afterEach(async () => {
    await Promise.all(opened.map((one) => one.close()));
    await emulator.close();
    await rm(location, { recursive: true });
  });

  const send = (messageId: string): Promise<void> =>
    publisher.publish([{ messageId, subject: 'change-set', body: new Uint8Array(8) }]);

  const receiveOne = async (waitMsMax = PATIENCE_MS): Promise<InboundMessage> => {
    const [message] = await receiver.receive(1, waitMsMax);
    if (message === undefined) throw new Error('no message arrived in time');
    return message;
  };

  const restart = async (): Promise<void> => {
    const { amqpPort } = emulator;
    await emulator.close();
    emulator = await start(amqpPort);
  };

  test('sends and receives again, without help, once the namespace is back', async () => {
    await send('before');
    expect((await receiveOne()).messageId).toBe('before');
    const { amqpPort } = emulator;
    await emulator.close();
    const unavailable = { code: 'BUS_UNAVAILABLE', retryable: true };
    await expect(send('lost')).rejects.toMatchObject(unavailable);
    await expect(send('lost')).rejects.toMatchObject(unavailable);
    await expect(receiver.receive(1, 100)).rejects.toMatchObject(unavailable);
    await expect(receiver.oldestMessage()).rejects.toMatchObject(unavailable);
    await expect(receiver.countDeadLetters(1)).rejects.toMatchObject(unavailable);
    emulator = await start(amqpPort);
    await send('after');
    const seen = [await receiveOne()];
    if (seen[0]?.messageId === 'before') seen.push(await receiveOne());
    expect(seen.at(-1)?.messageId).toBe('after');
    await expect(receiver.oldestMessage()).resolves.toBeDefined();
  });

  test('a call made after a short outage that nobody noticed succeeds or can be repeated', async () => {
    await send('before');
    for (let round = 0; round < 3; round += 1) {
      await restart();
      await send('after').catch(() => send('after'));
    }
    await expect(receiver.oldestMessage()).resolves.toBeDefined();
  });

  test('an outage during a wait ends it with an error, and the next receive works', async () => {
    await expect(receiver.receive(1, 100)).resolves.toEqual([]);
    const waiting = receiver.receive(1, PATIENCE_MS).catch((error: unknown) => error);
    await restart();
    await send('after');
    const first = await waiting;
    const message = Array.isArray(first) ? (first as InboundMessage[])[0] : await receiveOne();
    expect(message?.messageId).toBe('after');
  });

  test('a message received before the connection broke can be settled afterwards', async () => {
    await send('one');
    const message = await receiveOne();
    emulator.control.dropConnections();
    const settle = (): Promise<string> => receiver.settle(message, { kind: 'complete' });
    await expect(settle().catch(settle)).resolves.toBe('settled');
    await expect(receiver.oldestMessage()).resolves.toBeUndefined();
  });

  test('a lock can be renewed after the connection broke', async () => {
    await send('one');
    const message = await receiveOne();
    emulator.control.dropConnections();
    const renew = (): Promise<string> => receiver.renewLock(message);
    await expect(renew().catch(renew)).resolves.toBe('renewed');
  });

  test('a send that nobody answers fails in time, and the next one succeeds', async () => {
    await send('one');
    emulator.control.pauseQueue(QUEUE);
    const startedMs = performance.now();
    await expect(send('two')).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
    expect(performance.now() - startedMs).toBeLessThan(OWN_TIMEOUT_MS_MIN);
    emulator.control.resumeQueue(QUEUE);
    await expect(send('three')).resolves.toBeUndefined();
  });

  test.each([
    ['com.microsoft:server-busy', 'BUS_THROTTLED'],
    ['amqp:unauthorized-access', 'BUS_FORBIDDEN'],
    ['amqp:internal-error', 'BUS_UNAVAILABLE'],
    ['amqp:link:message-size-exceeded', 'MESSAGE_TOO_LARGE'],
  ])('a send refused with %s fails with %s', async (condition, code) => {
    await send('one');
    emulator.control.failNext(QUEUE, 1, condition);
    await expect(send('two')).rejects.toMatchObject({ code });
    await expect(send('three')).resolves.toBeUndefined();
  });

  test('a receiver that stays silent while the queue has messages is replaced', async () => {
    await expect(receiver.receive(1, 10)).resolves.toEqual([]);
    await send('one');
    emulator.control.pauseQueue(QUEUE);
    for (let round = 0; round < EMPTY_RECEIVES_MAX; round += 1) {
      await expect(receiver.receive(1, 10)).resolves.toEqual([]);
    }
    expect(silences).toBe(1);
    emulator.control.resumeQueue(QUEUE);
    expect((await receiveOne()).messageId).toBe('one');
  });

  test('a receiver of an empty queue is left alone', async () => {
    for (let round = 0; round < EMPTY_RECEIVES_MAX * 2; round += 1) {
      await receiver.receive(1, 10);
    }
    expect(silences).toBe(0);
  });

  test('a queue that is missing is named', async () => {
    const stray = createServiceBusPublisher({
      peer: 'west',
      connection: emulator.connectionString,
      queue: 'no-such-queue',
    });
    opened.push(stray);
    const sent = stray.publish([{ messageId: 'a', subject: 'watermark', body: new Uint8Array() }]);
    await expect(sent).rejects.toMatchObject({
      code: 'BUS_ENTITY_MISSING',
      retryable: false,
      message: expect.stringContaining('no-such-queue'),
    });
  });

  test('a message is handed over soon after it arrived, however many were asked for', async () => {
    await receiver.receive(1, 10);
    const measureMs = async (): Promise<number> => {
      const waiting = receiver.receive(100, PATIENCE_MS);
      const sentMs = performance.now();
      await send('one');
      await expect(waiting).resolves.toHaveLength(1);
      return performance.now() - sentMs;
    };
    // On a busy machine one time or another may take longer; the library alone would always do.
    await expect.poll(measureMs).toBeLessThan(MORE_MS);
  });
});

describe('a namespace that takes connections and never answers', () => {
  let server: Server;
  let connection: string;
  let sockets: Set<Socket>;

  beforeEach(async () => {
    sockets = new Set();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.resume().on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    });
    const listening = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', listening.resolve);
    await listening.promise;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    connection =
      `Endpoint=sb://127.0.0.1:${address.port};SharedAccessKeyName=a;SharedAccessKey=b;` +
      'UseDevelopmentEmulator=true';
  });

  afterEach(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });

  test('fails every call in time, and lets go', async () => {
    const common = { connection, queue: QUEUE, timeoutMs: 300 };
    const publisher = createServiceBusPublisher({ ...common, peer: 'west' });
    const receiver = createServiceBusReceiver(common);
    const message = { messageId: 'one', subject: 'watermark', body: new Uint8Array() } as const;
    const startedMs = performance.now();
    const unavailable = { code: 'BUS_UNAVAILABLE' };
    await expect(publisher.publish([message])).rejects.toMatchObject(unavailable);
    await expect(receiver.receive(1, 100)).rejects.toMatchObject(unavailable);
    await expect(receiver.oldestMessage()).rejects.toMatchObject(unavailable);
    await Promise.all([publisher.close(), receiver.close()]);
    expect(performance.now() - startedMs).toBeLessThan(OWN_TIMEOUT_MS_MIN);
  });

  test('is left with no socket, however often it was tried', async () => {
    const publisher = createServiceBusPublisher({
      connection,
      queue: QUEUE,
      timeoutMs: 100,
      peer: 'west',
    });
    const message = { messageId: 'one', subject: 'watermark', body: new Uint8Array() } as const;
    for (let round = 0; round < 5; round += 1) {
      await expect(publisher.publish([message])).rejects.toThrow('no answer within');
    }
    await publisher.close();
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe('A9, A21: a namespace that stands still with its connections open', () => {
  /** What the library gives a link to close, in place of its minute. */
  const LINK_TIMEOUT_S = 2;
  const CALL_MS = 1_000;

  interface Constants {
    defaultOperationTimeoutInSeconds: number;
  }

  beforeEach(() => {
    const library = createRequire(import.meta.url).resolve('@azure/service-bus');
    const layer = createRequire(library).resolve('rhea-promise');
    const constants = createRequire(layer)('./util/constants') as Constants;
    const before = constants.defaultOperationTimeoutInSeconds;
    expect(before).toBe(60);
    constants.defaultOperationTimeoutInSeconds = LINK_TIMEOUT_S;
    onTestFinished(() => void (constants.defaultOperationTimeoutInSeconds = before));
  });

  /** A namespace behind a wire that stops passing on, and drops nothing, as a process that is paused. */
  async function startFreezable() {
    const emulator = await createEmulator({ queues: [QUEUE] });
    const sockets = new Set<Socket>();
    let isFrozen = false;
    const join = (from: Socket, to: Socket): void => {
      sockets.add(from);
      from.on('data', (chunk) => void to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isFrozen) from.pause();
    };
    const server = createServer((socket) => {
      const onward = connect(emulator.amqpPort, '127.0.0.1');
      join(socket, onward);
      join(onward, socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return {
      connection: emulator.connectionString.replace(
        /127\.0\.0\.1:\d+/,
        `127.0.0.1:${address.port}`,
      ),
      freeze() {
        isFrozen = true;
        for (const socket of sockets) socket.pause();
      },
      thaw() {
        isFrozen = false;
        for (const socket of sockets) socket.resume();
      },
      async close() {
        server.close();
        for (const socket of sockets) socket.destroy();
        await emulator.close();
      },
    };
  }

  test('fails the calls, leaves no rejection to the process, and works again when it goes on', async () => {
    const unowned: unknown[] = [];
    const note = (error: unknown): void => void unowned.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const namespace = await startFreezable();
    const { connection } = namespace;
    const common = { connection, queue: QUEUE, timeoutMs: CALL_MS };
    const publisher = createServiceBusPublisher({ ...common, peer: 'west' });
    const receiver = createServiceBusReceiver(common);
    onTestFinished(async () => {
      await Promise.all([publisher.close(), receiver.close()]);
      await namespace.close();
    });
    const message = { messageId: 'one', subject: 'watermark', body: new Uint8Array() } as const;
    const calls = {
      publish: () => publisher.publish([message]),
      receive: () => receiver.receive(1, 500),
      peek: () => receiver.oldestMessage(),
      count: () => receiver.countDeadLetters(1),
    };
    // All links are open before it stands still.
    for (const call of Object.values(calls)) await call();

    namespace.freeze();
    // Until whatever the library still waits for has run out, several times over.
    const untilMs = performance.now() + 3 * LINK_TIMEOUT_S * 1_000;
    while (performance.now() < untilMs) {
      const outcomes = await Promise.allSettled(Object.values(calls).map((call) => call()));
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'BUS_UNAVAILABLE' } });
      }
    }
    namespace.thaw();
    await expect
      .poll(() =>
        calls.publish().then(
          () => 'sent',
          () => 'failed',
        ),
      )
      .toBe('sent');
    await expect
      .poll(() =>
        receiver.receive(1, 500).then(
          (found) => found.length,
          () => 0,
        ),
      )
      .toBeGreaterThan(0);
    expect(unowned).toEqual([]);
  });
});
