// A region is rebuilt while the other goes on being written to. REBUILD_CUSTOMERS and REBUILD_CHANGES set
// the size, REBUILD_FILE a file of customers (a JSON array); by default it is small.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Cluster, PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, until } from '../customers-client.ts';
import { say } from '../say.ts';
import { dropTable } from './drop-table.ts';
import { runTandem, type TandemRun } from './run-tandem.ts';

const CUSTOMERS = Number(process.env['REBUILD_CUSTOMERS'] ?? 100);
const CHANGES = Number(process.env['REBUILD_CHANGES'] ?? 300);
const FILE = process.env['REBUILD_FILE'];
const AT_ONCE = 64;
const TEST_MS_MAX = 1_500_000;

interface Person {
  readonly id: string;
  readonly email: string;
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ probing: PROBING_FAST });
});

afterAll(() => cluster?.stop());

async function readPeople(): Promise<readonly Person[]> {
  const people: Person[] = [];
  const listed = FILE === undefined ? [] : await readFileOfPeople(FILE);
  for (let n = 0; n < CUSTOMERS; n += 1) {
    people.push({ id: randomUUID(), email: listed[n]?.Email ?? `p${n}@example.com` });
  }
  return people;
}

/** It may begin with a byte order mark, which JSON does not know. */
async function readFileOfPeople(file: string): Promise<readonly { readonly Email?: string }[]> {
  const text = await readFile(file, 'utf8');
  return JSON.parse(text.replace(/^\uFEFF/, '')) as readonly { readonly Email?: string }[];
}

async function inParallel<T>(items: readonly T[], work: (item: T, n: number) => Promise<unknown>) {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < items.length; n = next++) await work(items[n] as T, n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function put(api: string, { id, email }: Person, firstName: string): Promise<void> {
  const { status } = await send(`${api}/customers/${id}`, 'PUT', { email, firstName });
  expect([200, 201]).toContain(status);
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
    await inParallel(changes, (n) => {
      const person = people[Math.floor(Math.random() * people.length)] as Person;
      return put(n % 2 === 0 ? east : west, person, `change ${n}`);
    });
    await until(
      'regions that are equal before',
      async () => {
        return (await runTandem(cluster, 'verify')).code === 0 ? true : undefined;
      },
      300_000,
    );

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
    const verified = await until<TandemRun>(
      'regions that are equal after',
      async () => {
        const verify = await runTandem(cluster, 'verify');
        return verify.code === 0 ? verify : undefined;
      },
      300_000,
    );
    expect(verified.json).toMatchObject({ equal: true, differences: [] });
  },
  TEST_MS_MAX,
);
