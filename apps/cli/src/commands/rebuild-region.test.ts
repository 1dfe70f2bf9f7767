import { catalogKind, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore } from '@tandem/core/memory';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableLease,
  createTableRegionHold,
  createTableReplicationStatus,
  REPLICATION_TABLE,
  readConfigurationRow,
  readRecordedBucketCount,
  readRecordedRegions,
  recordBucketCount,
  recordRegions,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import {
  emptyTable,
  expectReplayable,
  MEMORY_BUCKET_COUNT,
  MEMORY_TOMBSTONE_AGE_MS,
} from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const TABLES = [
  customerKind.name,
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  CONFIGURATION_TABLE,
  REPLICATION_TABLE,
];

function idOf(n: number): string {
  return `00b479c9-f61f-451a-86d2-${String(n).padStart(12, '0')}`;
}

/** Both regions have written; then west has a new, empty account. */
async function createLost(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { east, west } = harness.regions;
  for (let n = 0; n < 20; n += 1) {
    await (n % 2 === 0 ? east : west).table.put(idOf(n), { email: `${n}@example.com` });
  }
  await harness.regions.settle();
  await east.table.remove(idOf(3));
  await east.table.patch(idOf(4), { firstName: 'east' });
  await west.table.patch(idOf(4), { lastName: 'west' });
  await harness.regions.settle();
  for (const table of TABLES) await emptyTable(west.store, table);
  return harness;
}

describe('tandem rebuild-region', () => {
  test('fills a region whose account is gone, and releases it when it is proven equal', async () => {
    const { regions, run, runWith } = await createLost();
    const { code, json } = await run('rebuild-region', 'west', '--apply');
    expect(code).toBe(0);
    expect(json).toMatchObject({ applied: true, equal: true, rowsWritten: 20, damaged: [] });
    expect(json['rowsPerS']).toBeGreaterThan(0);
    const { store } = regions.west;
    expect(await createTableRegionHold({ store }).read()).toBeUndefined();
    expect(await readConfigurationRow(store, 'Peer.Region')).toBe('east');
    expect(await readConfigurationRow(store, 'ServiceBusConnection')).toContain('west');
    expect(await run('verify')).toMatchObject({ code: 0 });
    await expectReplayable(regions.west, customerKind);
    expect((await runWith({}, 'rebuild-region', 'west')).out).toContain('--apply');
  });

  test('I4: stays held over what may have been deleted long ago, until an operator decides', async () => {
    const { regions, run, runWith } = await createCliHarness();
    await regions.east.table.put(idOf(1), { email: 'old@example.com' });
    await regions.settle();
    await emptyTable(regions.east.store, customerKind.name);
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    const rebuilt = await run('rebuild-region', 'west', '--apply');
    expect(rebuilt).toMatchObject({ code: 3, json: { equal: false, doubtful: [{ id: idOf(1) }] } });
    expect(await createTableRegionHold(regions.west).read()).toBeDefined();
    expect(await regions.east.table.get(idOf(1))).toBeUndefined();
    const { out } = await runWith({}, 'rebuild-region', 'west', '--apply');
    expect(out).toContain('tandem repair --include-old');

    expect(await run('repair', '--include-old', '--apply')).toMatchObject({ code: 0 });
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });

  test('makes the tables of a region that has none yet', async () => {
    const { io, runWith } = await createLost();
    const store = createMemoryTableStore();
    const { openStore: openOther } = io();
    const openStore: Io['openStore'] = (connection) =>
      connection === 'memory:west' ? store : openOther(connection);
    const { out } = await runWith({ openStore }, 'rebuild-region', 'west');
    expect(out).toContain('Rows now: west 0, east 20');
    expect(await runWith({ openStore }, 'rebuild-region', 'west', '--apply')).toMatchObject({
      code: 0,
    });
    expect(await runWith({ openStore }, 'verify')).toMatchObject({ code: 0 });
  });

  test('I14: holds the region from before its tables are there until it is proven equal', async () => {
    const { regions, runWith } = await createLost();
    const { store } = regions.west;
    const hold = createTableRegionHold({ store });
    let seen = 0;
    let held = 0;
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      seen += 1;
      held += (await hold.read()) === undefined ? 0 : 1;
    });
    await runWith({}, 'rebuild-region', 'west', '--apply');
    expect(seen).toBeGreaterThan(0);
    expect(held).toBe(seen);
  });

  test('interrupted, leaves it held, and goes on with the same command', async () => {
    const { regions, run, runWith } = await createLost();
    const { store } = regions.west;
    const stop = new AbortController();
    store.beforeCommit(({ table }) => {
      if (table === customerKind.name) stop.abort();
    });
    const cut = await runWith({ signal: stop.signal }, 'rebuild-region', 'west', '--apply');
    expect(cut.code).toBe(130);
    expect(await createTableRegionHold({ store }).read()).toBeDefined();
    store.beforeCommit(() => undefined);
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await createTableRegionHold({ store }).read()).toBeUndefined();
  });

  test('interrupted in its proof, does not let the region go', async () => {
    const { regions, runWith } = await createLost();
    const stop = new AbortController();
    const onProgress = (text: string): void => {
      if (text.startsWith('rows compared')) stop.abort();
    };
    const cut = await runWith(
      { signal: stop.signal, onProgress },
      'rebuild-region',
      'west',
      '--apply',
    );
    expect(cut.code).toBe(130);
    expect(await createTableRegionHold(regions.west).read()).toBeDefined();
  });

  test.each(['west', 'east'] as const)(
    'holds nothing back while someone else recovers %s',
    async (busy) => {
      const { regions, run } = await createLost();
      const { store } = regions[busy];
      const lease = createTableLease({
        store,
        clock: regions.clock,
        name: 'recovery',
        holder: 'another',
      });
      await lease.acquire(60_000);
      expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 6 });
      expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
      await lease.release();
      expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    },
  );

  test('holds nothing back when the inventory says too little of the region', async () => {
    const { regions, inventory, runWith } = await createLost();
    const environment = { TANDEM_REGIONS: inventory.replaceAll(/,"serviceBus":"[^"]+"/g, '') };
    const refused = await runWith({ environment }, 'rebuild-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('serviceBus') });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });

  test('does nothing before it is told to, and nothing to a region that is not there', async () => {
    const { regions, run } = await createLost();
    const { code, json } = await run('rebuild-region', 'west');
    expect({ code, applied: json['applied'] }).toEqual({ code: 0, applied: false });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
    expect(await run('rebuild-region', 'north', '--apply')).toMatchObject({ code: 2 });
  });
});

describe('tandem rebuild-region, before it is told to', () => {
  test('says what each region has, what differs, and what it would do', async () => {
    const { run, runWith } = await createLost();
    const { json } = await run('rebuild-region', 'west');
    const rows = { west: 0, east: 20 };
    expect(json).toEqual({
      command: 'rebuild-region',
      ok: true,
      applied: false,
      region: 'west',
      from: ['east'],
      rows,
      different: 20,
      damaged: [],
    });
    const { out } = await runWith({}, 'rebuild-region', 'west');
    expect(out).toContain('Rows now: west 0, east 20; 20 of them are not the same');
    expect(out).toContain('fill it from east; what only west has goes there too');
  });

  test('makes no table of the region', async () => {
    const { regions, run } = await createLost();
    let commits = 0;
    regions.west.store.beforeCommit(() => void (commits += 1));
    await run('rebuild-region', 'west');
    expect(commits).toBe(0);
  });

  test('counts none as different that is deleted longer ago than every tombstone', async () => {
    const { regions, run } = await createLost();
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    expect((await run('rebuild-region', 'west')).json).toMatchObject({ different: 19 });
  });

  test('stops when it is told to', async () => {
    const { runWith } = await createLost();
    const stop = new AbortController();
    const io = { signal: stop.signal, onProgress: () => stop.abort() };
    expect(await runWith(io, 'rebuild-region', 'west')).toMatchObject({ code: 130, out: '' });
  });

  test('shows on a terminal what it compares, and as it goes on what it copies', async () => {
    const { regions, runWith } = await createLost();
    const shownBy = async (...args: readonly string[]): Promise<string> => {
      let shown = '';
      const { query } = regions.east.store;
      // Progress is shown five times a second.
      regions.east.store.query = async (range) => {
        await regions.clock.sleep(300);
        return query(range);
      };
      const err = (text: string): void => void (shown += text);
      await runWith({ isTerminal: true, err }, ...args);
      regions.east.store.query = query;
      return shown;
    };
    expect(await shownBy('rebuild-region', 'west')).toMatch(/rows compared [1-9]/);
    const shown = await shownBy('rebuild-region', 'west', '--apply');
    for (const label of ['archive rows copied', 'rows copied', 'rows compared'])
      expect(shown).toContain(label);
  });
});

describe('tandem rebuild-region refuses', () => {
  test('a region that is the only one, or the only one that is left', async () => {
    const { inventory, runWith, run } = await createLost();
    const { regions, ...rest } = JSON.parse(inventory) as { regions: { name: string }[] };
    const alone = regions.filter(({ name }) => name === 'west');
    const environment = { TANDEM_REGIONS: JSON.stringify({ ...rest, regions: alone }) };
    const text = 'west is the only region that is left in the inventory';
    const only = await runWith({ environment }, 'rebuild-region', 'west', '--apply');
    expect(only).toMatchObject({ code: 2, err: expect.stringContaining(text) });
    const left = await run('rebuild-region', 'west', '--without', 'east', '--apply');
    expect(left).toMatchObject({ code: 2, err: expect.stringContaining(text) });
  });

  test('to leave out a region that there is not', async () => {
    const { run } = await createLost();
    const refused = await run('rebuild-region', 'west', '--without', 'north');
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('"north"') });
  });

  test('a kind of rows by its name, and holds nothing back', async () => {
    const { regions, run } = await createLost();
    const refused = await run('rebuild-region', 'west', '--table', 'Customers', '--apply');
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('one table of clients of it: Customers is neither'),
    });
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });

  test('a region that records another number of buckets', async () => {
    const { regions, run } = await createLost();
    await recordBucketCount(regions.west.store, customerKind, MEMORY_BUCKET_COUNT * 2);
    const refused = await run('rebuild-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
    expect(refused.err).toContain(
      `west records ${MEMORY_BUCKET_COUNT * 2} buckets, the others ${MEMORY_BUCKET_COUNT}`,
    );
    expect(await createTableRegionHold(regions.west).read()).toBeUndefined();
  });
});

test('a rebuilt region records the buckets of the others, and the regions that they know', async () => {
  const { regions, run } = await createLost();
  await recordRegions(regions.east.store, ['east', 'west', 'former']);
  expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
  const { store } = regions.west;
  expect(await readRecordedBucketCount(store, customerKind)).toBe(MEMORY_BUCKET_COUNT);
  expect([...(await readRecordedRegions(store))].toSorted()).toEqual(['east', 'former', 'west']);
});

describe('the settings of a rebuilt region', () => {
  test('are those of its peer, but it stays connected as it is', async () => {
    const { regions, run } = await createLost();
    const set = (store: TableStore, values: Record<string, string>) =>
      seedConfiguration({ store, definitions: tandemSettings, values });
    await set(regions.east.store, { 'Tombstone.AgeMs': '8640000000' });
    const { store } = regions.west;
    await set(store, { ServiceBusConnection: 'own.servicebus.example' });
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await readConfigurationRow(store, 'Tombstone.AgeMs')).toBe('8640000000');
    expect(await readConfigurationRow(store, 'ServiceBusConnection')).toBe(
      'own.servicebus.example',
    );
    // Its services are told of their peers elsewhere, and the peer of its peer is itself.
    expect(await readConfigurationRow(store, 'Peer.Region')).toBeUndefined();
  });

  test('name all others where there are several, each with the queue that it has', async () => {
    const { regions, inventory, runWith } = await createCliHarness('north');
    const { store } = regions.west;
    await emptyTable(store, CONFIGURATION_TABLE);
    const known = JSON.parse(inventory) as { regions: { name: string }[] };
    const queued = known.regions.map((one) =>
      one.name === 'north' ? { ...one, queue: 'others' } : one,
    );
    const environment = { TANDEM_REGIONS: JSON.stringify({ ...known, regions: queued }) };
    const { code } = await runWith({ environment }, 'rebuild-region', 'west', '--apply');
    expect(code).toBe(0);
    expect(JSON.parse((await readConfigurationRow(store, 'Peers')) ?? '')).toEqual([
      { region: 'east', connection: 'east.servicebus.example' },
      { region: 'north', connection: 'north.servicebus.example', queue: 'others' },
    ]);
    expect(await readConfigurationRow(store, 'ServiceBusConnection')).toBe(
      'west.servicebus.example',
    );
    expect(await readConfigurationRow(store, 'Peer.Region')).toBeUndefined();
  });
});

describe('the catalogue of a rebuilt region', () => {
  /** As a build that knows tables of clients makes it. */
  async function addCatalogue(store: TableStore): Promise<void> {
    await recordBucketCount(store, catalogKind, 1);
    await store.createTable(catalogKind.name);
  }

  test('is filled from those that have one, beside one of an older build', async () => {
    const { regions, run } = await createCliHarness('north');
    const north = regions.regions.find(({ region }) => region === 'north')!;
    await addCatalogue(north.store);
    await run('tables', 'create', 'Orders', '--region', 'north', '--apply');
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    const { json } = await run('tables', 'list', '--region', 'west');
    expect(json['tables']).toMatchObject([{ name: 'Orders' }]);
    expect(await readRecordedBucketCount(regions.west.store, catalogKind)).toBe(1);
    expect(await readRecordedBucketCount(regions.east.store, catalogKind)).toBeUndefined();
  });

  test('I14: that is not equal, keeps the region held, and tells why', async () => {
    const { regions, run } = await createLost();
    const { store } = regions.east;
    await addCatalogue(store);
    const operations = [{ kind: 'insert', rowKey: 'foreign', properties: new Map() }] as const;
    await store.commit({ table: catalogKind.name, partitionKey: '00', operations });
    const refused = await run('rebuild-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
    expect(refused.err).toContain('(0 rows differ, 1 are damaged)');
    expect(refused.err).toContain('tandem verify --table Catalog');
    expect(await createTableRegionHold(regions.west).read()).toBeDefined();
  });
});

/** East's Configuration names this peer, or none, as where the environment of its services does. */
async function nameInEast({ regions }: CliHarness, peer: string): Promise<void> {
  const properties = new Map([['value', { type: 'String' as const, value: peer }]]);
  const operations = [{ kind: 'upsert' as const, rowKey: 'Peer.Region', properties }];
  const partitionKey = CONFIGURATION_TABLE;
  await regions.east.store.commit({ table: CONFIGURATION_TABLE, partitionKey, operations });
}

async function beatInEast({ regions }: CliHarness, peer: string): Promise<void> {
  await createTableReplicationStatus(regions.east).beat({
    nowMs: regions.clock.nowMs(),
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer, passedMs: undefined, isReachable: true }],
  });
}

describe('tandem add-region', () => {
  test('fills no region that the others do not send to, which rebuild-region does', async () => {
    const harness = await createLost();
    await emptyTable(harness.regions.east.store, REPLICATION_TABLE);
    await nameInEast(harness, 'north');
    const refused = await harness.run('add-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
    expect(refused.err).toContain('east');
    expect(await harness.run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
  });

  test('fills one that they do', async () => {
    const { run } = await createLost();
    expect(await run('add-region', 'west', '--apply')).toMatchObject({ code: 0 });
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('fills one that only the environment of their services names', async () => {
    const harness = await createLost();
    await nameInEast(harness, '');
    await beatInEast(harness, 'west');
    expect(await harness.run('add-region', 'west', '--apply')).toMatchObject({ code: 0 });
  });

  test('fills none that is only set, and that the running replicator does not know yet', async () => {
    const harness = await createLost();
    await nameInEast(harness, 'west');
    await beatInEast(harness, 'north');
    const refused = await harness.run('add-region', 'west', '--apply');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'RECOVERY_REFUSED' } } });
  });
});

test('tandem release-region lets a held region go when it is told to', async () => {
  const { regions, run } = await createCliHarness();
  const hold = createTableRegionHold(regions.west);
  await hold.set({ reason: 'The table Customers was gone.', sinceMs: 0 });
  expect(await run('release-region', 'west')).toMatchObject({ code: 0, json: { held: true } });
  expect(await hold.read()).toBeDefined();
  expect(await run('release-region', 'west', '--apply')).toMatchObject({ json: { held: false } });
  expect(await hold.read()).toBeUndefined();
});

test('tandem release-region says why it is held, since when, and what becomes of it', async () => {
  const { regions, run, runWith } = await createCliHarness();
  expect((await runWith({}, 'release-region', 'west')).out).toBe('west is not held.\n');
  expect((await run('release-region', 'west', '--apply')).json).toMatchObject({
    held: false,
    applied: false,
  });
  await createTableRegionHold(regions.west).set({ reason: 'A table was gone.', sinceMs: 7 });
  expect((await runWith({}, 'release-region', 'west')).out).toBe(
    'west is held; --apply releases it: A table was gone.\n',
  );
  expect((await run('release-region', 'west')).json).toMatchObject({
    held: true,
    applied: false,
    reason: 'A table was gone.',
    sinceMs: 7,
  });
  expect((await runWith({}, 'release-region', 'west', '--apply')).out).toBe(
    'west is released: A table was gone.\n',
  );
});
