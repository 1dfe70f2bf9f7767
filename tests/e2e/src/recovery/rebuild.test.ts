// A region is rebuilt while the other goes on being written to. REBUILD_CUSTOMERS and REBUILD_CHANGES set
// the size, REBUILD_FILE a file of customers (a JSON array), REBUILD_SEED what is changed; it is small by default.
import { readFile } from 'node:fs/promises';
import { createSeededRandomness } from '@tandem/core/memory';
import { type Cluster, PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, until } from '../customers-client.ts';
import { say } from '../say.ts';
import { dropTable } from './drop-table.ts';
import { runTandem, type TandemRun } from './run-tandem.ts';

const CUSTOMERS = Number(process.env['REBUILD_CUSTOMERS'] ?? 100);
const CHANGES = Number(process.env['REBUILD_CHANGES'] ?? 300);
const SEED = Number(process.env['REBUILD_SEED'] ?? 1);
const FILE = process.env['REBUILD_FILE'];
const AT_ONCE = 64;
const TEST_MS_MAX = 1_500_000;

const random = createSeededRandomness(SEED);
const pick = <T>(items: readonly T[]): T =>
  items[Math.floor(random.fraction() * items.length)] as T;

interface Person {
  readonly id: string;
  readonly email: string;
  readonly firstName: string | null;
  readonly phoneNumber: string | null;
}

interface Listed {
  readonly CustomerId?: string;
  readonly Email?: string;
  readonly FirstName?: string;
  readonly PhoneNumber?: string;
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ probing: PROBING_FAST });
});

afterAll(() => cluster?.stop());

async function readPeople(): Promise<readonly Person[]> {
  const listed = FILE === undefined ? [] : await readFileOfPeople(FILE);
  return Array.from({ length: CUSTOMERS }, (_, n) => ({
    id: listed[n]?.CustomerId ?? random.uuid(),
    email: listed[n]?.Email ?? `p${n}@example.com`,
    firstName: listed[n]?.FirstName ?? null,
    phoneNumber: listed[n]?.PhoneNumber ?? null,
  }));
}

/** It may begin with a byte order mark, which JSON does not know. */
async function readFileOfPeople(file: string): Promise<readonly Listed[]> {
  const text = await readFile(file, 'utf8');
  return JSON.parse(text.replace(/^\uFEFF/, '')) as readonly Listed[];
}

async function inParallel<T>(items: readonly T[], work: (item: T, n: number) => Promise<unknown>) {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < items.length; n = next++) await work(items[n] as T, n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function put(api: string, { id, ...person }: Person, lastName: string): Promise<void> {
  const { status } = await send(`${api}/customers/${id}`, 'PUT', { ...person, lastName });
  expect([200, 201]).toContain(status);
}

/** A region need not have heard of the customer yet, or may have seen it deleted. */
async function change(api: string, person: Person, n: number): Promise<void> {
  const kind = pick(['PUT', 'PATCH', 'PATCH', 'PATCH', 'DELETE'] as const);
  if (kind === 'PUT') return put(api, person, `change ${n}`);
  const body = kind === 'PATCH' ? { phoneNumber: `555-${n}` } : undefined;
  const { status } = await send(`${api}/customers/${person.id}`, kind, body);
  expect([200, 204, 404]).toContain(status);
}

async function untilProven(what: string): Promise<TandemRun> {
  return until<TandemRun>(
    what,
    async () => {
      const run = await runTandem(cluster, 'verify');
      return run.code === 0 ? run : undefined;
    },
    300_000,
  );
}

test(
  'I1, I2, I14: every table of a region dropped, and rebuilt under live writes in the other',
  async () => {
    const [east = '', west = ''] = ['east', 'west'].map(
      (name) => cluster.region(name).addresses.api,
    );
    const people = await readPeople();
    await inParallel(people, (person, n) => put(n % 2 === 0 ? east : west, person, 'first'));
    const changes = Array.from({ length: CHANGES }, (_, n) => n);
    await inParallel(changes, (n) => change(pick([east, west]), pick(people), n));
    await untilProven('regions that are equal before');

    for (const table of ['Customers', 'Archive', 'Conflicts', 'Replication', 'Configuration']) {
      await dropTable(cluster.region('west').addresses.tables, table);
    }
    const live = { isOn: true, count: 0 };
    const writing = (async () => {
      while (live.isOn) {
        const person = people[live.count % people.length] as Person;
        await put(east, person, `live ${live.count}`);
        live.count += 1;
      }
    })();
    const run = await runTandem(cluster, 'rebuild-region', 'west', '--apply');
    live.isOn = false;
    await writing;
    expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
    await cluster.region('west').untilReady();
    say(`rebuilt under ${live.count} live writes: ${JSON.stringify(run.json)}`);
    const verified = await untilProven('regions that are equal after');
    expect(verified.json).toMatchObject({ equal: true, differences: [] });
  },
  TEST_MS_MAX,
);
