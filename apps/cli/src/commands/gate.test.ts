import { NEWEST_WIRE_VERSION, rowsKind, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  CONFLICTS_TABLE,
  createTableReplicationStatus,
  recordBucketCount,
  writeSetting,
} from '@tandem/storage';
import { expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const OTHER = '5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3';
const SOAK_MS = 60_000;
const GATE = ['--json', 'gate', '--soak', '60s', '--every', '5s', '--within', '5m'] as const;

/** Regions whose replicators have caught up and go on beating, but for those that the test holds. */
async function createBeating(): Promise<
  CliHarness & { silent: Set<string>; passedMs: () => number }
> {
  const harness = await createCliHarness();
  const { regions } = harness;
  const silent = new Set<string>();
  const startMs = regions.clock.nowMs();
  const beat = async (): Promise<void> => {
    const nowMs = regions.clock.nowMs();
    for (const [own, peer] of [
      ['east', 'west'],
      ['west', 'east'],
    ] as const) {
      if (silent.has(own)) continue;
      const peers = [{ peer, passedMs: nowMs, isReachable: true }];
      const status = createTableReplicationStatus(regions[own]);
      await status.beat({ nowMs, catchingUpSinceMs: undefined, hasBacklog: false, peers });
    }
  };
  await beat();
  const runWith: CliHarness['runWith'] = (io, ...args) =>
    harness.runWith(
      {
        ...io,
        clock: {
          ...regions.clock,
          nowMs: () => regions.clock.nowMs(),
          async sleep(ms, signal) {
            await regions.clock.sleep(ms, signal);
            await beat();
          },
        },
      },
      ...args,
    );
  return { ...harness, runWith, silent, passedMs: () => regions.clock.nowMs() - startMs };
}

const counts =
  (deadLettered: (connection: string) => number): NonNullable<Io['countMessages']> =>
  async ({ connection }) => ({ waiting: 0, deadLettered: deadLettered(connection) });

test('lets go on once all regions were well for the time, and are equal', async () => {
  const { runWith, passedMs } = await createBeating();
  const { code, json, err } = await runWith({ countMessages: counts(() => 7) }, ...GATE);
  expect({ code, json }).toMatchObject({ code: 0, json: { passed: true, lastBreak: null } });
  expect(json['wellMs']).toBeGreaterThanOrEqual(SOAK_MS);
  expect(json['wellMs']).toBeLessThanOrEqual(passedMs());
  expect(err).toContain('they must be so for 1m');
});

test('stops at once where a region writes messages that this build, an older one, does not read', async () => {
  const { runWith, passedMs, regions } = await createBeating();
  const write = (text: string): Promise<unknown> =>
    writeSetting(regions.west.store, {
      setting: 'Messages.WireVersion',
      text,
      by: 'a newer build',
      atMs: regions.clock.nowMs(),
      isSecret: false,
    });
  await write(String(NEWEST_WIRE_VERSION));
  const io = { countMessages: counts(() => 0) };
  expect(await runWith(io, ...GATE)).toMatchObject({ code: 0 });
  const beforeMs = passedMs();
  await write(String(NEWEST_WIRE_VERSION + 1));
  const { code, json } = await runWith(io, ...GATE);
  const said = `west writes messages of version ${NEWEST_WIRE_VERSION + 1}, and this build reads up to ${NEWEST_WIRE_VERSION}`;
  expect({ code, json }).toMatchObject({
    code: EXIT.finding,
    json: { passed: false, lastBreak: { reasons: [expect.stringContaining(said)] } },
  });
  // At the first look.
  expect(passedMs() - beforeMs).toBeLessThan(5_000);
});

test('begins the time anew when a region falls silent in it', async () => {
  const { runWith, silent, passedMs } = await createBeating();
  // Its heartbeat counts as heard for some seconds more.
  const countMessages = counts(() => {
    const isAway = passedMs() >= 30_000 && passedMs() < 60_000;
    silent[isAway ? 'add' : 'delete']('west');
    return 0;
  });
  const { code, json } = await runWith({ countMessages }, ...GATE);
  expect({ code, json }).toMatchObject({
    code: 0,
    json: { lastBreak: { reasons: [expect.stringContaining('west: its replicator is silent')] } },
  });
  expect(passedMs()).toBeGreaterThan(60_000 + SOAK_MS);
});

test('gives up when they are never well for so long, and says what was wrong last', async () => {
  const { runWith, silent } = await createBeating();
  silent.add('east');
  const { code, json, err } = await runWith({ countMessages: counts(() => 0) }, ...GATE);
  expect({ code, json }).toMatchObject({ code: 3, json: { passed: false, wellMs: 0 } });
  expect(err).toContain('Stop: not well for 1m within 5m: east: its replicator is silent');
});

test('says that the time was too short for what it is to be well for', async () => {
  const { runWith } = await createBeating();
  const args = ['--json', 'gate', '--soak', '60s', '--every', '5s', '--within', '30s'];
  const { code, json, err } = await runWith({ countMessages: counts(() => 0) }, ...args);
  expect({ code, json }).toMatchObject({ code: 3, json: { passed: false, lastBreak: null } });
  expect(json['wellMs']).toBeGreaterThanOrEqual(30_000);
  expect(err).toContain('Stop: not well for 1m within 30s: the time was too short.');
});

test('says each time that they cease to be well, or are again, and only once', async () => {
  const { runWith, passedMs } = await createBeating();
  const isAway = (): boolean =>
    passedMs() < 20_000 || (passedMs() >= 40_000 && passedMs() < 60_000);
  const countMessages = async () => {
    if (isAway()) throw new TransientError('BUS_UNAVAILABLE', 'down');
    return { waiting: 0, deadLettered: 0 };
  };
  const { code, err } = await runWith({ countMessages }, ...GATE);
  const unknown = 'how many dead letters it has is not known.';
  const well = 'all are well; they must be so for 1m';
  const unwell = `not well: east: ${unknown} west: ${unknown}`;
  const told = err.trimEnd().split('\n');
  expect({ code, told: told.map((line) => line.replace(/^2026-01-01T00:0[\d:.]+Z /, '')) }).toEqual(
    {
      code: 0,
      told: [unwell, well, unwell, well],
    },
  );
});

test('begins the time anew when a region gives no answer, and goes on once it does', async () => {
  const { runWith, silent, passedMs, regions } = await createBeating();
  const { store } = regions.west;
  void (async () => {
    await regions.clock.sleep(22_000);
    silent.add('west');
    store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'West is down.'));
    await regions.clock.sleep(10_000);
    silent.delete('west');
    store.setOutage(undefined);
  })();
  const { code, json } = await runWith({ countMessages: counts(() => 0) }, ...GATE);
  expect({ code, json }).toMatchObject({
    code: 0,
    json: { lastBreak: { reasons: ['west gives no answer: West is down.'] } },
  });
  expect(passedMs()).toBeGreaterThan(30_000 + SOAK_MS);
});

test('waits for an API that says it is not ready', async () => {
  const { runWith, inventory, passedMs } = await createBeating();
  const given = JSON.parse(inventory) as { regions: { name: string }[] };
  const named = given.regions.map((one) => ({ ...one, api: `https://${one.name}.example` }));
  const { code, json } = await runWith(
    {
      environment: { TANDEM_REGIONS: JSON.stringify({ ...given, regions: named }) },
      readReadiness: async (api) => !api.includes('west') || passedMs() >= 20_000,
      countMessages: counts(() => 0),
    },
    ...GATE,
  );
  expect({ code, json }).toMatchObject({
    code: 0,
    json: { lastBreak: { reasons: ['west: its API is unready.'] } },
  });
  expect(passedMs()).toBeGreaterThanOrEqual(20_000 + SOAK_MS);
});

test('looks no more once it is stopped', async () => {
  const { runWith } = await createBeating();
  const stop = new AbortController();
  let asked = 0;
  const countMessages = async () => {
    stop.abort();
    asked += 1;
    if (asked > 9) throw new Error('It goes on.');
    return { waiting: 0, deadLettered: 0 };
  };
  const { code } = await runWith({ countMessages, signal: stop.signal }, ...GATE);
  expect({ code, asked }).toEqual({ code: 130, asked: 2 });
});

test('stops at once at a dead letter that was not there when it began', async () => {
  const { runWith, passedMs } = await createBeating();
  const countMessages = counts((connection) =>
    connection.startsWith('west') && passedMs() > 10_000 ? 1 : 0,
  );
  const { code, json, err } = await runWith({ countMessages }, ...GATE);
  const grown = 'west has 1 more dead letters than when this began. See tandem dead-letters list.';
  expect({ code, json }).toMatchObject({
    code: 3,
    json: { passed: false, lastBreak: { atMs: expect.any(Number), reasons: [grown] } },
  });
  expect(err).toContain(`Stop: ${grown}`);
  expect(passedMs()).toBeLessThan(20_000);
});

test('takes what it cannot count for no zero, unless it is told that nobody can', async () => {
  const countMessages = async () => {
    throw new TransientError('BUS_UNAVAILABLE', 'down');
  };
  for (const io of [{ countMessages }, {}]) {
    const blind = await createBeating();
    const refused = await blind.runWith(io, ...GATE, '--within', '30s');
    expect({ code: refused.code, told: refused.err }).toMatchObject({
      code: 3,
      told: expect.stringContaining('east: how many dead letters it has is not known'),
    });
  }
  const told = await createBeating();
  expect((await told.runWith({ countMessages }, ...GATE, '--no-queues')).code).toBe(0);
});

test('stops at regions that are well and not equal', async () => {
  const { runWith, regions } = await createBeating();
  await regions.east.table.put(ID, { email: 'a@example.com' });
  const { code, json, err } = await runWith(
    { countMessages: counts(() => 0) },
    ...GATE,
    '--rechecks',
    '0',
  );
  const reasons = ['Customers: 1 rows and conflicts differ, 0 are damaged.'];
  expect({ code, json }).toMatchObject({
    code: 3,
    json: { passed: false, lastBreak: { atMs: expect.any(Number), reasons } },
  });
  expect(err).toContain(`Stop: ${reasons.join('')} See tandem verify.`);
});

test('counts rows and conflicts that differ, and those that are damaged', async () => {
  const { runWith, regions } = await createBeating();
  const { east, west } = regions;
  await east.table.put(ID, { email: 'base@example.com' });
  await regions.settle();
  await east.table.patch(ID, { email: 'east@example.com' });
  await west.table.patch(ID, { email: 'west@example.com' });
  await regions.settle();
  const { rows } = await west.store.query({
    table: CONFLICTS_TABLE,
    partitions: { from: '!', before: '~' },
    limit: 1,
  });
  for (const { table, partitionKey, rowKey } of [
    { table: CONFLICTS_TABLE, ...rows[0]! },
    { table: customerKind.name, partitionKey: '00', rowKey: 'foreign' },
  ]) {
    const operations = [{ kind: 'upsert' as const, rowKey, properties: new Map() }];
    await west.store.commit({ table, partitionKey, operations });
  }
  await east.table.put(OTHER, { email: 'a@example.com' });
  const { code, err } = await runWith(
    { countMessages: counts(() => 0) },
    ...GATE,
    '--rechecks',
    '0',
  );
  expect(code).toBe(3);
  expect(err).toContain('Stop: Customers: 2 rows and conflicts differ, 2 are damaged.');
});

test('stops where regions could not be compared, and says why', async () => {
  const { runWith, regions } = await createBeating();
  const { east, west, clock } = regions;
  await east.table.put(ID, { email: 'a@example.com' });
  // They are well for a minute, differ, and are compared again another minute later.
  void (async () => {
    await clock.sleep(90_000);
    west.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'West is down.'));
  })();
  const { code, json, err } = await runWith(
    { countMessages: counts(() => 0) },
    ...GATE,
    '--recheck-every',
    '60s',
  );
  const reasons = expect.arrayContaining(['Customers could not be compared: West is down.']);
  expect({ code, json }).toMatchObject({
    code: 3,
    json: { passed: false, lastBreak: { reasons } },
  });
  expect(err).toContain('See tandem verify.');
});

test('lets nobody go on where one region alone has tables of clients', async () => {
  const { runWith, regions } = await createBeating();
  const { store } = regions.east;
  await store.createTable(rowsKind.name);
  await recordBucketCount(store, rowsKind, 16);
  const { code, err } = await runWith({ countMessages: counts(() => 0) }, ...GATE);
  expect(code).toBe(2);
  expect(err).toContain('The region west has no tables of ours');
});
