// A person is forgotten: what is left of them in the tables is looked for byte by byte, without our code.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilEqual } from '../compare-regions.ts';
import { send, until } from '../customers-client.ts';
import type { E2eCluster } from '../harness/e2e-cluster.ts';
import { startProcessCluster } from '../harness/processes/start-process-cluster.ts';
import { readRawTables } from './read-raw-tables.ts';
import { runTandem, type TandemRun } from './run-tandem.ts';

const ID = randomUUID();
const OTHER = randomUUID();
const SECRETS = [
  'zelda.q@example.com',
  'zq.second@example.com',
  'Zeldarina',
  'Quuxworthy',
  '555-01998877',
];
const [FIRST_EMAIL, SECOND_EMAIL, FIRST_NAME, LAST_NAME, PHONE] = SECRETS;

let cluster: E2eCluster;
let east: string;
let west: string;

beforeAll(async () => {
  cluster = await startProcessCluster({});
  [east = '', west = ''] = cluster.regions.map(({ addresses }) => `${addresses.api}/customers`);
});

afterAll(() => cluster?.stop());

/** `east Archive Zeldarina` for each place that holds one of the secrets, and the tables looked through. */
async function findSecrets(): Promise<{ readonly found: string[]; readonly tables: string[] }> {
  const found: string[] = [];
  const tables: string[] = [];
  for (const { name, addresses } of cluster.regions) {
    for (const [table, raw] of await readRawTables(addresses.tables)) {
      tables.push(table);
      const here = SECRETS.filter((secret) => raw.includes(secret));
      found.push(...here.map((secret) => `${name} ${table} ${secret}`));
    }
  }
  return { found, tables };
}

async function expectDone(...args: readonly string[]): Promise<TandemRun> {
  const run = await runTandem(cluster, ...args);
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
  return run;
}

/** Edits in both regions, a conflict over the e-mail address, and a copy that a replay made. */
async function live(): Promise<void> {
  await send(`${east}/${OTHER}`, 'PUT', { email: 'stays@example.com' });
  const person = { email: FIRST_EMAIL, firstName: FIRST_NAME, phoneNumber: PHONE };
  await send(`${east}/${ID}`, 'PUT', person);
  await untilEqual(cluster);
  await cluster.cut();
  await send(`${east}/${ID}`, 'PATCH', { lastName: LAST_NAME, email: SECOND_EMAIL });
  await send(`${west}/${ID}`, 'PATCH', { email: 'zq.third@example.com' });
  await cluster.heal();
  await untilEqual(cluster);
  await expectDone('replay', '--from', 'west', '--table', 'Copy', '--apply');
}

test('tandem forget leaves no byte of a person in any table, and nothing brings it back', async () => {
  await live();
  const before = await findSecrets();
  for (const table of ['Customers', 'Archive', 'Conflicts', 'Copy']) {
    expect(before.found.map((one) => one.split(' ')[1])).toContain(table);
  }
  const plan = await expectDone('forget', ID);
  expect(plan.json).toMatchObject({ applied: false });
  expect((await findSecrets()).found).toEqual(before.found);

  const forgotten = await expectDone('forget', ID, '--apply');
  expect(forgotten.json).toMatchObject({ applied: true, left: 0 });
  const after = await findSecrets();
  expect(after.found).toEqual([]);
  expect(after.tables.toSorted()).toEqual(before.tables.toSorted());

  await until('equal regions', async () =>
    (await runTandem(cluster, 'verify')).code === 0 ? true : undefined,
  );
  for (const name of ['east', 'west']) {
    await expectDone('replay', '--from', name, '--in-place', '--apply');
    await expectDone('replay', '--from', name, '--table', `Again${name}`, '--apply');
  }
  expect((await findSecrets()).found).toEqual([]);
  for (const api of [east, west]) {
    expect((await send(`${api}/${ID}`, 'GET')).status).toBe(404);
    expect((await send(`${api}/${OTHER}`, 'GET')).body.email).toBe('stays@example.com');
  }
});
