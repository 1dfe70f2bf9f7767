import { setTimeout } from 'node:timers/promises';
import { decodeChangeSet } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createServiceBusReceiver } from '@tandem/messaging';
import { createRegionTables, openStore } from '@tandem/region';
import {
  createLogger,
  createSystemClock,
  createSystemRandomness,
  type StartedService,
  startService,
} from '@tandem/service-kit';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { createAzureTableStore } from '@tandem/storage';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import { describeLostTables } from '../testing/describe-lost-tables.ts';
import { createService } from './create-service.ts';

const ADA = { email: 'ada@example.com', firstName: 'Ada', lastName: null, phoneNumber: null };
const clock = createSystemClock();

let azurite: Azurite;
/** Nobody creates a table in it. */
let empty: Azurite;
let emulator: Emulator;
let services: StartedService[] = [];

beforeAll(async () => {
  [azurite, empty] = await Promise.all([startAzurite(), startAzurite()]);
  emulator = await createEmulator({ queues: ['customer'] });
});

afterEach(async () => {
  await Promise.all(services.map(({ shutdown }) => shutdown.run('the test is over')));
  services = [];
});

afterAll(async () => {
  await Promise.all([azurite.stop(), empty.stop(), emulator.close()]);
});

async function start(environment: Readonly<Record<string, string>>) {
  const reading = readConfig({
    REGION_ID: 'east',
    PORT: '0',
    STORAGE_CONNECTION: azurite.connectionString,
    SHUTDOWN_DEADLINE_MS: '5000',
    ...environment,
  });
  if (!reading.ok) throw new Error(reading.problems.join('\n'));
  const { config } = reading;
  const logger = createLogger({ service: 'customer-api', region: 'east', level: 'silent' });
  const randomness = createSystemRandomness();
  const service = await startService(await createService({ config, clock, randomness, logger }), {
    listen: config.listen,
    shutdownMs: config.shutdownMs,
    clock,
    logger,
  });
  services.push(service);
  return { ...service, origin: `http://127.0.0.1:${service.port}` };
}

const ATTEMPTS_MAX = 10;
const AGAIN_MS = 2_000;

/** Asks again where it was told to, as clients do: the process of the tests is late on a busy machine. */
async function ask(url: string, init?: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, init);
    if (response.status !== 503 || attempt === ATTEMPTS_MAX) return response;
    if (!(await response.clone().text()).includes('/problems/overloaded')) return response;
    await setTimeout(AGAIN_MS);
  }
}

const put = (
  url: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  ask(url, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });

const QUEUED = { prefer: 'ack=queued, wait=10' };

const statusOf = async (url: string): Promise<number> => (await ask(url)).status;

function tablesOf(account: Azurite) {
  const store = openStore(account.connectionString);
  return createRegionTables({ store, kinds: [customerKind], bucketCount: 16 });
}

async function outboxLength(account: Azurite): Promise<number> {
  const outboxes = [...tablesOf(account).outboxes.values()];
  const pages = await Promise.all(
    outboxes.flatMap((outbox) =>
      outbox.buckets.map((bucket) => outbox.scan({ bucket, limit: 100 })),
    ),
  );
  return pages.reduce((sum, { entries }) => sum + entries.length, 0);
}

async function archivedOperations(entityId: string): Promise<string[]> {
  const { archive, replicas } = tablesOf(azurite);
  const bucket = replicas.get('Customers')?.bucketOf(entityId) ?? '';
  const operations: string[] = [];
  for await (const set of archive.read({ entityKind: 'Customers', bucket })) {
    const own = set.changes.filter((change) => change.entityId === entityId);
    operations.push(...own.map((change) => change.operation));
  }
  return operations;
}

describe('a region on its own', () => {
  const ALONE = { CUSTOMER_DATA_ACCESS: 'single-region' };

  it('keeps customers across a restart, and archives every change', async () => {
    const id = '11111111-1111-4111-8111-111111111111';
    const first = await start(ALONE);
    expect(await statusOf(`${first.origin}/health/ready`)).toBe(200);
    expect((await put(`${first.origin}/customers/${id}`, ADA)).status).toBe(201);
    expect(await first.shutdown.run('restart')).toBe(0);
    expect(await outboxLength(azurite)).toBe(0);

    const second = await start(ALONE);
    const read = await ask(`${second.origin}/customers/${id}`);
    expect(await read.json()).toEqual({ customerId: id, ...ADA });
    expect((await ask(`${second.origin}/customers/${id}`, { method: 'DELETE' })).status).toBe(204);
    await expect.poll(() => outboxLength(azurite)).toBe(0);
    const operations = await archivedOperations(id);
    expect(operations).toEqual(['create', 'delete']);
  });

  it('refuses to start with another number of buckets than is recorded', async () => {
    await expect(start({ ...ALONE, TABLES_BUCKET_COUNT: '8' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
    });
  });

  it('is up while its account is down, says so, and serves once it is there', async () => {
    const gone = await startAzurite();
    await gone.stop();
    const service = await start({ ...ALONE, STORAGE_CONNECTION: gone.connectionString });
    const { origin } = service;
    expect(await statusOf(`${origin}/health/live`)).toBe(200);
    const ready = await ask(`${origin}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ reasons: [{ kind: 'starting' }] });
    const refused = await put(`${origin}/customers/${crypto.randomUUID()}`, ADA);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);

    const back = await startAzurite({ port: gone.port });
    await service.opened;
    expect(await statusOf(`${origin}/health/ready`)).toBe(200);
    expect((await put(`${origin}/customers/${crypto.randomUUID()}`, ADA)).status).toBe(201);

    await back.stop();
    const lost = await ask(`${origin}/health/ready`);
    expect(lost.status).toBe(503);
    expect(await lost.json()).toMatchObject({ reasons: [{ kind: 'store-not-answering' }] });
    expect(await statusOf(`${origin}/customers?limit=1`)).toBe(503);
  });
});

describe('a region with a peer', () => {
  const withPeer = (connection: string) => ({
    SERVICE_BUS_CONNECTION: 'tandem-east.servicebus.windows.net',
    REDUNDANCY_SERVICE_BUS_CONNECTION: connection,
    PEER_REGION: 'west',
  });

  it('sends what it has acknowledged to the queue of the peer', async () => {
    const account = await startAzurite();
    const service = await start({
      ...withPeer(emulator.connectionString),
      STORAGE_CONNECTION: account.connectionString,
    });
    const id = crypto.randomUUID();
    const written = await put(`${service.origin}/customers/${id}`, ADA, QUEUED);
    expect(written.status).toBe(201);
    expect(written.headers.get('x-tandem-acknowledged')).toBe('queued');
    const receiver = createServiceBusReceiver({
      connection: emulator.connectionString,
      queue: 'customer',
    });
    const [message] = await receiver.receive(1, 20_000);
    if (message === undefined) throw new Error('nothing arrived');
    const { changes } = decodeChangeSet(message.body);
    expect(changes).toMatchObject([{ entityId: id, operation: 'create' }]);
    await receiver.settle(message, { kind: 'complete' });
    await receiver.close();
    await expect.poll(() => outboxLength(account)).toBe(0);
    // I14: no replicator of this region was ever heard.
    expect(await statusOf(`${service.origin}/health/ready`)).toBe(503);
    await Promise.all([service.shutdown.run('over'), account.stop()]);
  });

  it('I6: acknowledges writes while the peer is down, and keeps what is owed', async () => {
    const gone = await createEmulator({ queues: ['customer'] });
    await gone.close();
    const account = await startAzurite();
    const service = await start({
      ...withPeer(gone.connectionString),
      STORAGE_CONNECTION: account.connectionString,
    });
    for (let index = 0; index < 5; index += 1) {
      const response = await put(`${service.origin}/customers/${crypto.randomUUID()}`, ADA);
      expect(response.status).toBe(201);
    }
    const asked = await put(`${service.origin}/customers/${crypto.randomUUID()}`, ADA, QUEUED);
    expect(asked.status).toBe(201);
    expect(asked.headers.get('x-tandem-acknowledged')).toBe('local');
    await service.shutdown.run('over');
    expect(await outboxLength(account)).toBeGreaterThan(0);
    await account.stop();
  });
});

/** Belongs to another account: what it signs is no signature here. */
const OTHER_KEY = Buffer.from('not the key of this account').toString('base64');

// The account that nobody has created a table in is as one whose tables were dropped.
describeLostTables('Azurite', {
  gone: () => createAzureTableStore({ connectionString: empty.connectionString }),
  refusing: () =>
    createAzureTableStore({
      connectionString: empty.connectionString.replace(
        /AccountKey=[^;]+/,
        `AccountKey=${OTHER_KEY}`,
      ),
    }),
});
