import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAdministrationClient } from './bus-link.ts';
import { ensureQueue, type QueueDifference } from './ensure-queue.ts';
import { createServiceBusPublisher } from './service-bus-publisher.ts';

describe('ensuring that a queue is there', () => {
  let emulator: Emulator;

  beforeEach(async () => {
    emulator = await createEmulator({ queues: [{ name: 'strange', lockDurationMs: 30_000 }] });
  });

  afterEach(async () => {
    await emulator.close();
  });

  const ensure = (queue: string, onDifference?: (found: readonly QueueDifference[]) => void) =>
    ensureQueue({
      connection: emulator.connectionString,
      administrationConnection: emulator.adminConnectionString,
      queue,
      ...(onDifference === undefined ? {} : { onDifference }),
    });

  test('creates it as it should be, once', async () => {
    const differences: unknown[] = [];
    await expect(ensure('inbound', (found) => differences.push(...found))).resolves.toBe('created');
    await expect(ensure('inbound', (found) => differences.push(...found))).resolves.toBe('found');
    expect(differences).toEqual([]);
    const client = createAdministrationClient(emulator.adminConnectionString);
    await expect(client.getQueue('inbound')).resolves.toMatchObject({
      lockDuration: 'PT1M',
      maxDeliveryCount: 2_000,
      deadLetteringOnMessageExpiration: true,
      enablePartitioning: false,
      defaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
    });
  });

  test('the queue it creates takes messages', async () => {
    await ensure('inbound');
    const publisher = createServiceBusPublisher({
      peer: 'west',
      connection: emulator.connectionString,
      queue: 'inbound',
    });
    const message = { messageId: 'one', subject: 'change-set', body: new Uint8Array(1) } as const;
    await expect(publisher.publish([message])).resolves.toBeUndefined();
    await publisher.close();
  });

  test('of several who create it at once, none fails', async () => {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => ensure('inbound')));
    expect(outcomes).toContain('created');
  });

  test('a queue that is unlike what it should be is reported and left alone', async () => {
    const differences: QueueDifference[] = [];
    await expect(ensure('strange', (found) => differences.push(...found))).resolves.toBe('found');
    expect(differences).toEqual([
      { property: 'lockDuration', expected: 'PT1M', actual: 'PT30S' },
      { property: 'maxDeliveryCount', expected: '2000', actual: '10' },
      { property: 'deadLetteringOnMessageExpiration', expected: 'true', actual: 'false' },
    ]);
    const client = createAdministrationClient(emulator.adminConnectionString);
    await expect(client.getQueue('strange')).resolves.toMatchObject({ lockDuration: 'PT30S' });
  });

  test('says so when nobody answers', async () => {
    const { connectionString: connection, adminConnectionString } = emulator;
    await emulator.close();
    const ensured = ensureQueue({
      connection,
      administrationConnection: adminConnectionString,
      queue: 'inbound',
      timeoutMs: 300,
    });
    await expect(ensured).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
  });
});
