// Three regions from outside, on processes and on containers: what two of them cannot show.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectNothingLost, untilEqual } from './compare-regions.ts';
import { listCustomers, send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';
import { dropTable } from './recovery/drop-table.ts';
import { runTandem } from './recovery/run-tandem.ts';

const NAMES = ['east', 'west', 'north'] as const;
const WRITES = 20;
const TEST_MS_MAX = 900_000;

let cluster: E2eCluster;
/** The e-mail that was acknowledged last, by customer. */
const acknowledged = new Map<string, string>();

beforeAll(async () => {
  cluster = await startCluster({ regions: NAMES });
});

afterAll(() => cluster?.stop());

function customersOf(region: string): string {
  return `${cluster.region(region).addresses.api}/customers`;
}

async function write(region: string, id: string = randomUUID()): Promise<string> {
  const email = `${region}-${randomUUID()}@example.com`;
  const { status } = await send(`${customersOf(region)}/${id}`, 'PUT', { email });
  expect([200, 201]).toContain(status);
  acknowledged.set(id, email);
  return id;
}

async function writeMany(regions: readonly string[]): Promise<void> {
  for (let n = 0; n < WRITES; n += 1) await write(regions[n % regions.length] ?? '');
}

async function untilSeen(region: string, id: string): Promise<void> {
  await until(`a customer's newest address in ${region}`, async () => {
    const { body } = await send(`${customersOf(region)}/${id}`, 'GET');
    return body.email === acknowledged.get(id) ? true : undefined;
  });
}

async function expectEqual(): Promise<void> {
  expectNothingLost(await untilEqual(cluster), acknowledged);
  const verified = await until('a proof that the three are equal', async () => {
    const run = await runTandem(cluster, 'verify');
    return run.code === 0 ? run : undefined;
  });
  expect(verified.json).toMatchObject({ equal: true, differences: [] });
}

interface Conflict {
  readonly conflict: string;
  readonly fields: readonly { readonly name: string; readonly lost: { readonly value: unknown } }[];
}

async function conflictsOf(region: string): Promise<readonly Conflict[]> {
  const { code, json, err } = await runTandem(cluster, 'conflicts', 'list', '--region', region);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return json['conflicts'] as readonly Conflict[];
}

test('what is written in any of three regions is served by the two others', async () => {
  for (const home of NAMES) {
    const id = await write(home);
    for (const there of NAMES) await untilSeen(there, id);
    const other = NAMES.find((name) => name !== home) ?? home;
    await write(other, id);
    for (const there of NAMES) await untilSeen(there, id);
  }
});

test('A11, I7: what lost between two regions is listed by all three, under the same id', async () => {
  const id = await write('east');
  await untilEqual(cluster);
  await cluster.cut();
  for (const region of ['east', 'west']) await write(region, id);
  await cluster.heal();
  await expectEqual();

  const [first = [], ...others] = await Promise.all(NAMES.map((name) => conflictsOf(name)));
  expect(first).toHaveLength(1);
  expect(first[0]?.fields).toMatchObject([
    { name: 'email', lost: { value: ['String', expect.stringMatching(/^east-/)] } },
  ]);
  for (const listed of others) expect(listed).toEqual(first);
  for (const region of NAMES) {
    const { conflict = '' } = first[0] ?? {};
    const shown = await runTandem(cluster, 'conflicts', 'show', conflict, '--region', region);
    expect(shown.code).toBe(0);
  }
});

test(
  'I6, I14: one of three is lost: the two others go on with each other, and it is ready when it has caught up',
  async () => {
    const lost = cluster.region('north');
    await write('north');
    await untilEqual(cluster);
    await lost.kill();
    await writeMany(['east', 'west']);
    const [here, there] = [await write('east'), await write('west')];
    await untilSeen('west', here);
    await untilSeen('east', there);
    await lost.start();
    await lost.untilReady();
    // Ready means caught up: what was written meanwhile is there, without any waiting.
    expectNothingLost(await listCustomers(lost.addresses.api), acknowledged);
    await expectEqual();
  },
  TEST_MS_MAX,
);

test(
  'I1, I14: every table of one is dropped, and it is rebuilt from the two others while both are written to',
  async () => {
    await writeMany(NAMES);
    await untilEqual(cluster);
    for (const table of ['Customers', 'Archive', 'Conflicts', 'Replication', 'Configuration']) {
      await dropTable(cluster.region('west').addresses.tables, table);
    }
    const plan = await runTandem(cluster, 'rebuild-region', 'west');
    expect(plan.json).toMatchObject({ applied: false, from: ['east', 'north'] });
    const writing = writeMany(['east', 'north']);
    const { code, err } = await runTandem(cluster, 'rebuild-region', 'west', '--apply');
    await writing;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    await cluster.region('west').untilReady();
    await expectEqual();
    expect(await conflictsOf('west')).toEqual(await conflictsOf('east'));
    // It is a peer of both again, not only a copy of them.
    const id = await write('west');
    for (const region of NAMES) await untilSeen(region, id);
  },
  TEST_MS_MAX,
);
