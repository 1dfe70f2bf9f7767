// An archive replayed to points in time, each compared with what the REST API had answered then.
// REPLAY_POINTS and REPLAY_SEED set how many and which; by default they are few.
import { createSeededRandomness } from '@tandem/core/memory';
import { type Cluster, PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilEqual } from '../compare-regions.ts';
import { listCustomers, send, until } from '../customers-client.ts';
import { say } from '../say.ts';
import { type Replayed, readReplayed } from './read-replayed.ts';
import { runTandem } from './run-tandem.ts';
import { untilSent } from './until-sent.ts';

const POINTS = Number(process.env['REPLAY_POINTS'] ?? 4);
const SEED = Number(process.env['REPLAY_SEED'] ?? 1);
const CUSTOMERS = 12;
const WRITES_MAX = 10;
const TEST_MS_MAX = 1_500_000;

const random = createSeededRandomness(SEED);
const pick = <T>(items: readonly T[]): T =>
  items[Math.floor(random.fraction() * items.length)] as T;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ probing: PROBING_FAST });
});

afterAll(() => cluster?.stop());

interface Point {
  readonly atMs: number;
  readonly answered: Replayed;
}

/** The regions share this machine's clock: once it has moved on, no stamp of before is later. */
async function untilLater(timeMs: number): Promise<void> {
  await until('a later millisecond', async () => (Date.now() > timeMs ? true : undefined));
}

async function writeAtRandom(ids: readonly string[], n: number): Promise<void> {
  const { addresses } = cluster.region(pick(['east', 'west']));
  const url = `${addresses.api}/customers/${pick(ids)}`;
  const kind = pick(['PUT', 'PUT', 'PATCH', 'PATCH', 'DELETE']);
  const bodies: Record<string, unknown> = {
    PUT: { email: `p${n}@example.com`, firstName: `first ${n}` },
    PATCH: { phoneNumber: `555-${n}` },
  };
  const { status } = await send(url, kind, bodies[kind]);
  expect([200, 201, 204, 404]).toContain(status);
}

/** Some writes to both regions at once, and what both answer when it is quiet again. */
async function createPoint(ids: readonly string[], n: number): Promise<Point> {
  const count = 1 + Math.floor(random.fraction() * WRITES_MAX);
  const writes = Array.from({ length: count }, (_, one) =>
    writeAtRandom(ids, n * WRITES_MAX + one),
  );
  await Promise.all(writes);
  await untilEqual(cluster);
  await untilLater(Date.now());
  const atMs = Date.now();
  await untilLater(atMs);
  const customers = await listCustomers(cluster.region('east').addresses.api);
  const answered = [...customers].map(([id, customer]): [string, object] => {
    const { customerId, email, firstName, lastName, phoneNumber } = customer;
    const { version } = customer as { readonly version?: string };
    return [id, { customerId, email, firstName, lastName, phoneNumber, version }];
  });
  return { atMs, answered: Object.fromEntries(answered) };
}

test(
  `I5: replayed to ${POINTS} random points in time, an archive gives what the API had answered then`,
  async () => {
    const ids = Array.from({ length: CUSTOMERS }, () => random.uuid());
    for (const id of ids) {
      const { api } = pick(cluster.regions).addresses;
      await send(`${api}/customers/${id}`, 'PUT', { email: `${id}@example.com` });
    }
    const points: Point[] = [];
    for (let n = 0; n < POINTS; n += 1) points.push(await createPoint(ids, n));
    await Promise.all(cluster.regions.map((region) => untilSent(region)));
    for (const [n, { atMs, answered }] of points.entries()) {
      const region = pick(cluster.regions);
      const table = `Replay${n}`;
      const into = ['--from', region.name, '--table', table, '--apply'];
      const run = await runTandem(
        cluster,
        'replay',
        ...into,
        // The first writes may have found nothing to change.
        '--before-archive',
        '--before',
        new Date(atMs).toISOString(),
      );
      expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
      expect(await readReplayed(region, table)).toEqual(answered);
    }
    const texts = new Set(points.map(({ answered }) => JSON.stringify(answered)));
    expect(texts.size).toBeGreaterThan(POINTS / 2);
    say(`replayed to ${POINTS} points in time, ${texts.size} different answers, seed ${SEED}`);
  },
  TEST_MS_MAX,
);
