// The data folder of an earlier release, as make-kept-data.ts left it, and this build over it.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Customer, listCustomers, send, until } from '../customers-client.ts';
import { readReplayed } from '../recovery/read-replayed.ts';
import { runTandem, type TandemRun } from '../recovery/run-tandem.ts';
import { BUCKET_COUNT, KEPT_DATA, type KeptCustomer, type KeptRecord } from './kept-data.ts';

const REGIONS = ['east', 'west'];

let folder: string;
let record: KeptRecord;
/** By region, the keys of the rows in its table of customers before anything of this build ran. */
const keptKeys = new Map<string, readonly string[]>();
let cluster: Cluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-kept-data-'));
  execFileSync('tar', ['-xzf', KEPT_DATA, '-C', folder]);
  record = JSON.parse(await readFile(join(folder, 'customers.json'), 'utf8')) as KeptRecord;
  for (const region of REGIONS) keptKeys.set(region, await readKeys(region));
  cluster = await startCluster({ dataFolder: join(folder, 'data'), probing: PROBING_FAST });
});

afterAll(async () => {
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Reads them from the file that Azurite keeps. */
async function readKeys(region: string): Promise<readonly string[]> {
  const file = join(folder, 'data', region, 'tables', '__azurite_db_table__.json');
  const { collections } = JSON.parse(await readFile(file, 'utf8')) as {
    collections: readonly { name: string; data: readonly { RowKey: string }[] }[];
  };
  const table = collections.find(({ name }) => name.endsWith('$Customers'));
  return (table?.data ?? []).map(({ RowKey }) => RowKey);
}

function toKept({ customerId, email, firstName, lastName, phoneNumber }: Customer): KeptCustomer {
  return {
    customerId,
    email,
    firstName: firstName ?? null,
    lastName: lastName ?? null,
    phoneNumber: phoneNumber ?? null,
  };
}

test.each([
  { from: 'east', to: 'west' },
  { from: 'west', to: 'east' },
])('the kept data owes $to what $from wrote, in its outbox and in the queue', ({ from, to }) => {
  const [here = [], there = []] = [from, to].map((name) => keptKeys.get(name));
  const { inQueue = [], inOutbox = [] } = record.waiting[to] ?? {};
  expect(Math.min(inQueue.length, inOutbox.length)).toBeGreaterThan(10);
  expect(here).toEqual(expect.arrayContaining([...inQueue, ...inOutbox]));
  expect(there.filter((key) => inQueue.includes(key) || inOutbox.includes(key))).toEqual([]);
  expect(here.some((key) => key.startsWith('~o~'))).toBe(true);
});

test.each(REGIONS)(
  'I1: every customer is in %s as its client was told by the release before',
  async (name) => {
    expect(record.living.length + record.deleted.length).toBe(1_000);
    const { api } = cluster.region(name).addresses;
    await until(`every customer in ${name}`, async () => {
      const found = [...(await listCustomers(api)).values()].map(toKept);
      // A list has the order of its buckets.
      found.sort((a, b) => (a.customerId < b.customerId ? -1 : 1));
      expect(found).toEqual(record.living);
      return true;
    });
  },
);

test('I2: regions that go on with kept data are proven equal', async () => {
  const run = await until<TandemRun>('a proof of equality', async () => {
    const verified = await runTandem(cluster, 'verify');
    return verified.code === 0 ? verified : undefined;
  });
  expect(run.json).toMatchObject({ equal: true, differences: [] });
  const risk = await runTandem(cluster, 'at-risk', '--region', 'east');
  expect(risk.json).toMatchObject({ lost: [], outOfReach: [], unreadable: [] });
});

test.each(REGIONS)('I5: what %s archived in either release gives its table', async (name) => {
  const into = ['--from', name, '--table', 'Replayed', '--apply'];
  const { code, err } = await runTandem(cluster, 'replay', ...into);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const replayed = await readReplayed(cluster.region(name), 'Replayed', BUCKET_COUNT);
  expect(Object.values(replayed)).toHaveLength(record.living.length);
  const living = record.living.map((customer) => [customer.customerId, customer]);
  expect(replayed).toMatchObject(Object.fromEntries(living));
});

test.each(REGIONS)(
  'settings of %s hold under the names that they were given then',
  async (name) => {
    const { api } = cluster.region(name).addresses;
    const [customer] = record.living;
    const { status } = await send(`${api}/customers/${customer?.customerId}`, 'PUT', {
      email: 'blind@example.com',
    });
    // Customer.Preconditions is required, and Customer.BucketCount is 3 in each row that was found above.
    expect(status).toBe(428);

    const check = await runTandem(cluster, 'config', 'check', '--region', name);
    expect({ code: check.code, json: check.json }).toMatchObject({
      code: 0,
      json: {
        problems: [],
        old: [
          { formerName: 'Customer.BucketCount', setting: 'Tables.BucketCount', counts: true },
          { formerName: 'Customer.Preconditions', setting: 'Api.Preconditions', counts: true },
        ],
      },
    });
  },
);
