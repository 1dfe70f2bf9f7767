// What the fast path cannot heal: each loss, and the command that ends it (docs/runbooks/losses.md).
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cluster, PROBING_FAST, type Region, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectNothingLost, untilEqual } from '../compare-regions.ts';
import { send, until } from '../customers-client.ts';
import { openQueue } from '../queue-messages.ts';
import { dropTable } from './drop-table.ts';
import { runTandem, type TandemRun } from './run-tandem.ts';
import { untilSent } from './until-sent.ts';

let cluster: Cluster;
let east: Region;
let west: Region;
/** The e-mail that was acknowledged last, by customer. */
const acknowledged = new Map<string, string>();

beforeAll(async () => {
  cluster = await startCluster({ probing: PROBING_FAST });
  east = cluster.region('east');
  west = cluster.region('west');
});

afterAll(() => cluster?.stop());

/** Each case begins with two regions that are equal and hold something. */
beforeEach(async () => {
  await write(east, 10);
  await write(west, 10);
  await untilEqual(cluster);
});

async function write({ addresses, name }: Region, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const id = n % 3 === 0 ? ([...acknowledged.keys()].at(-n - 1) ?? randomUUID()) : randomUUID();
    const email = `${name}-${randomUUID()}@example.com`;
    const { status } = await send(`${addresses.api}/customers/${id}`, 'PUT', { email });
    expect([200, 201]).toContain(status);
    acknowledged.set(id, email);
  }
}

async function expectEqualAgain(): Promise<void> {
  const found = await untilEqual(cluster);
  expectNothingLost(found, acknowledged);
  const verified = await until<TandemRun>('a proof of equality', async () => {
    const run = await runTandem(cluster, 'verify');
    return run.code === 0 ? run : undefined;
  });
  expect(verified.json).toMatchObject({ equal: true, differences: [] });
}

async function repair(): Promise<void> {
  const plan = await runTandem(cluster, 'repair');
  expect(plan.json).toMatchObject({ applied: false });
  expect((plan.json['repairs'] as unknown[]).length).toBeGreaterThan(0);
  const run = await runTandem(cluster, 'repair', '--apply');
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
}

test('I1: a namespace destroyed with the messages in it', async () => {
  await west.replicator.stop();
  await write(east, 20);
  await untilSent(east);
  await west.broker.kill();
  await rm(join(cluster.dataFolder, 'west', 'broker'), { recursive: true });
  await west.broker.start();
  await west.replicator.start();
  await west.untilReady();
  await repair();
  await expectEqualAgain();
});

test('I1: a purged queue', async () => {
  await west.replicator.stop();
  await write(east, 20);
  await untilSent(east);
  const queue = openQueue(west);
  expect((await queue.takeAll()).length).toBeGreaterThan(0);
  await queue.close();
  await west.replicator.start();
  await west.untilReady();
  await repair();
  await expectEqualAgain();
});

test('I1: dead letters that someone threw away', async () => {
  await west.replicator.stop();
  await write(east, 5);
  await untilSent(east);
  const queue = openQueue(west);
  const buried = await queue.buryAll();
  await queue.close();
  expect(buried).toBeGreaterThan(0);
  await west.replicator.start();
  const listed = await runTandem(cluster, 'dead-letters', 'list', '--region', 'west');
  expect(listed).toMatchObject({ code: 3, json: { count: buried } });
  const args = [
    'dead-letters',
    'discard',
    '--all',
    '--region',
    'west',
    '--apply',
    '--confirm',
    'west',
  ];
  expect(await runTandem(cluster, ...args)).toMatchObject({ code: 0 });
  await repair();
  await expectEqualAgain();
});

test('I1, I14: a table dropped, under writes in the other region', async () => {
  await dropTable(west.addresses.tables, 'Customers');
  const writing = write(east, 20);
  const run = await runTandem(cluster, 'rebuild-region', 'west', '--apply');
  await writing;
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
  await west.untilReady();
  await expectEqualAgain();
});

test('I1, I14: a storage account gone for good', async () => {
  await untilSent(west);
  await Promise.all([west.api.stop(), west.replicator.stop()]);
  await west.store.kill();
  await rm(join(cluster.dataFolder, 'west', 'tables'), { recursive: true });
  await west.store.start();
  await write(east, 10);
  const rebuilding = runTandem(cluster, 'rebuild-region', 'west', '--apply');
  await write(east, 10);
  const run = await rebuilding;
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
  await west.start();
  await west.untilReady();
  await write(west, 5);
  await expectEqualAgain();
});
