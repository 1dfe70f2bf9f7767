// What `tandem measure` says of itself, held against what the tables of both regions hold, read without our code.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../customers-client.ts';
import type { E2eCluster } from '../harness/e2e-cluster.ts';
import { startProcessCluster } from '../harness/processes/start-process-cluster.ts';
import { readRawTables } from './read-raw-tables.ts';
import { runTandem } from './run-tandem.ts';

const OPERATIONS_MAX = 30_000;
const EQUAL_MS_MAX = 60_000;
/** Each write has a number of its own. */
const WRITE = /measured-(\d+)@example\.invalid/g;

let cluster: E2eCluster;

beforeAll(async () => {
  cluster = await startProcessCluster({});
});

afterAll(() => cluster?.stop());

/** The writes that a table of each region shows, in order. */
async function writesIn(table: string): Promise<readonly (readonly number[])[]> {
  return Promise.all(
    cluster.regions.map(async ({ addresses }) => {
      const raw = (await readRawTables(addresses.tables)).get(table) ?? '';
      const found = new Set(Array.from(raw.matchAll(WRITE), ([, nth]) => Number(nth)));
      return [...found].toSorted((a, b) => a - b);
    }),
  );
}

interface Measured {
  readonly writes: number;
  readonly directions: readonly { readonly samples: number; readonly lagMs: { p50: number } }[];
  readonly throughput: readonly { readonly writesPerSecond: number }[];
  readonly billed: { readonly total: number; readonly counted: { readonly messages: number } };
}

test('tandem measure tells as many writes as both regions have archived, and stays within its operations', async () => {
  const limits = ['--for', '10s', '--operations-max', String(OPERATIONS_MAX)];
  const { code, json, err } = await runTandem(cluster, 'measure', '--apply', ...limits);
  expect({ code, json, err }).toMatchObject({
    code: 0,
    json: { applied: true, tableIsDeleted: true, failures: 0 },
  });
  const { writes, directions, throughput, billed } = json as unknown as Measured;
  expect(writes).toBeGreaterThan(10);
  for (const { samples, lagMs } of directions) {
    expect(samples).toBeGreaterThan(0);
    expect(lagMs.p50).toBeGreaterThanOrEqual(0);
  }
  for (const { writesPerSecond } of throughput) expect(writesPerSecond).toBeGreaterThan(0);
  expect(billed.counted.messages).toBeGreaterThan(0);
  expect(billed.total).toBeLessThanOrEqual(OPERATIONS_MAX);

  const all = Array.from({ length: writes }, (_, index) => index + 1);
  await until(
    'archives of both regions with every write',
    async () => {
      const [east, west] = await writesIn('Archive');
      expect(east).toEqual(all);
      expect(west).toEqual(all);
      return true;
    },
    EQUAL_MS_MAX,
  );
  const [east, west] = await writesIn('Rows');
  expect(east?.at(-1)).toBe(writes);
  expect(west).toEqual(east);
  const proof = await runTandem(cluster, 'verify', '--table', 'Rows');
  expect(proof).toMatchObject({ code: 0, json: { equal: true } });
});

test('what tandem measure wrote is in no table that there is', async () => {
  const { code, json } = await runTandem(cluster, 'tables', 'list', '--region', 'west');
  expect({ code, json }).toMatchObject({ code: 0, json: { tables: [] } });
});
