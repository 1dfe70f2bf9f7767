import {
  applyRepair,
  bucketOf,
  type FieldValue,
  formatStamp,
  planRepair,
  TerminalError,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { collectTombstones } from '../retention/collect-tombstones.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, MEMORY_GRACE_MS } from '../testing/memory-region.ts';
import {
  MEMORY_TOMBSTONE_AGE_MS,
  recoveryRegionsOf,
  verifyTwo,
} from '../testing/recovery-regions.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';
import { createDamagedRows, type DamagedRowFound } from './damaged-rows.ts';
import { createTableRowScanner } from './recovery-region.ts';

type Regions = TwoRegions<typeof deviceKind>;

const TABLE = deviceKind.name;
const IDS = Array.from({ length: 40 }, (_, index) => `device-${index}`);
const text = (value: string): FieldValue => ({ type: 'String', value });
const STAMP = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });

async function put(
  { store }: Regions['east'],
  [partitionKey, rowKey, columns]: readonly [string, string, Record<string, FieldValue>],
  table: string = TABLE,
): Promise<void> {
  const properties = new Map(Object.entries(columns));
  await store.commit({ table, partitionKey, operations: [{ kind: 'upsert', rowKey, properties }] });
}

function damagedRowsOf({ store }: Regions['east']) {
  const kind = deviceKind;
  return createDamagedRows({ store, kind, bucketCount: MEMORY_BUCKET_COUNT, peers: ['west'] });
}

async function found(region: Regions['east'], depth?: 'quick'): Promise<DamagedRowFound[]> {
  const all: DamagedRowFound[] = [];
  for await (const one of damagedRowsOf(region).scan(depth)) all.push(one);
  return all;
}

/** Where nobody looks for the entity. */
function elsewhere(id: string): string {
  return bucketOf(id, MEMORY_BUCKET_COUNT) === '00' ? '01' : '00';
}

const FOREIGN: readonly (readonly [string, string, Record<string, FieldValue>])[] = [
  ['tenant1', 'a', { name: text('by hand') }],
  [elsewhere('a'), 'a', {}],
  ['00', 'with a space', { name: text('by hand') }],
  ['00', '=zz', { _vector: text(STAMP) }],
  ['00', 'é', { _vector: text(STAMP), _stamps: text('{}') }],
  ['01', '!x', { name: text('by hand') }],
  ['02', 'ÿ'.repeat(300), { _vector: { type: 'Int32', value: 5 } }],
  [elsewhere('zz'), 'zz', { _vector: text(STAMP), _stamps: text('{"x":1}') }],
  ['03', '{', { _vector: text(STAMP), _stamps: text(`{"${STAMP}":[5]}`) }],
];

describe('A8, I15: a row in the table of a kind that something else wrote', () => {
  async function setUp(): Promise<Regions> {
    const regions = await createTwoRegions(deviceKind);
    for (const id of IDS) await regions.east.table.put(id, { label: id });
    await regions.settle();
    for (const row of FOREIGN) await put(regions.east, row);
    return regions;
  }

  test.each([1, 3, 7, 1_000])('breaks no page of %i, and no cursor', async (limit) => {
    const { east } = await setUp();
    for (const filter of [{}, { changedSinceMs: 0 }, { equals: { label: 'device-7' } }]) {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await east.table.list(limit, cursor, filter);
        ids.push(...page.records.map(({ entityId }) => entityId));
        ({ cursor } = page);
      } while (cursor !== undefined);
      const wanted = 'equals' in filter ? ['device-7'] : IDS.toSorted();
      expect(ids.toSorted()).toEqual(wanted);
    }
  });

  test('breaks no proof and no repair, and is named by its key', async () => {
    const regions = await setUp();
    const report = await verifyTwo(regions, deviceKind);
    // Whether an entity was overwritten there nobody can say: no proof, and yet nothing stops.
    expect(report).toMatchObject({ isEqual: false, differentCount: 0, differences: [] });
    expect(report.damaged.every(({ isForeign }) => isForeign)).toBe(true);
    expect(report.damaged.map(({ rowKey }) => rowKey)).toContain('with a space');
    await regions.west.table.put('device-0', { label: 'new' });
    const different = await verifyTwo(regions, deviceKind);
    const { repairs } = planRepair(different, {
      nowMs: regions.clock.nowMs(),
      tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS,
    });
    await applyRepair({ regions: recoveryRegionsOf(regions, deviceKind), repairs });
    const repaired = await verifyTwo(regions, deviceKind);
    expect(repaired).toMatchObject({ differentCount: 0, damaged: report.damaged });
    const rows = damagedRowsOf(regions.east);
    for (const { bucket, rowKey } of report.damaged) {
      await rows.setAside({ table: TABLE, partitionKey: bucket, rowKey });
    }
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
  });

  test('keeps no tombstone from being collected, and is told of', async () => {
    const { east, clock } = await setUp();
    await east.table.remove('device-1');
    const told: string[] = [];
    const collected = await collectTombstones({
      store: east.store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      horizonMs: clock.nowMs() + 1,
      onDamaged: ({ rowKey }) => void told.push(rowKey),
    });
    expect(collected).toBe(1);
    expect(told).toContain('=zz');
  });

  test('is listed, and quickly where no entity can be', async () => {
    const { east } = await setUp();
    const all = await found(east);
    expect(all.map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`).toSorted()).toEqual(
      FOREIGN.map(([partitionKey, rowKey]) => `${partitionKey}/${rowKey}`).toSorted(),
    );
    expect(JSON.stringify(all)).not.toContain('by hand');
    const quick = (await found(east, 'quick')).map(({ partitionKey }) => partitionKey);
    expect(quick).toEqual(['tenant1', '00', '02']);
  });
});

describe('A7: a row that says how far back a table goes, and that nobody can read', () => {
  const TABLES = [TABLE, ARCHIVE_TABLE, CONFLICTS_TABLE];

  test.each(TABLES)('is named, quickly too, and stays where it is (%s)', async (table) => {
    const { east } = await createTwoRegions(deviceKind);
    for (const [rowKey, wholeFrom] of [
      [TABLE, text('soon')],
      [`${TABLE}~aaaaaaaa`, { type: 'Int32', value: 1 }],
      [`${TABLE}~bbbbbbbb`, text('2026-01-01T00:00:00.000Z')],
    ] as const) {
      await put(east, ['~horizon', rowKey, { wholeFrom }], table);
    }
    // Of a kind that begins with the name of this one, in the tables that all kinds share.
    if (table !== TABLE) await put(east, ['~horizon', `${TABLE}Old`, {}], table);
    for (const depth of ['quick', undefined] as const) {
      const named = await found(east, depth);
      expect(named.map(({ rowKey }) => rowKey)).toEqual([TABLE, `${TABLE}~aaaaaaaa`]);
      expect(named[0]).toMatchObject({ table, state: 'damaged' });
      expect(named[0]?.problem).toContain('Write a time into its column wholeFrom');
    }
    const address = { table, partitionKey: '~horizon', rowKey: TABLE };
    await expect(damagedRowsOf(east).setAside(address)).rejects.toThrow('Write its time');
    expect(await east.store.get(table, '~horizon', TABLE)).toBeDefined();
  });
});

describe('A7: a row that nobody can read', () => {
  const entityOf = async (regions: Regions, id: string) => {
    const [east] = recoveryRegionsOf(regions, deviceKind);
    return { bucket: east.replica.bucketOf(id), id };
  };

  test('of an entity is no proof of equality, and is mended once it was set aside', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east } = regions;
    for (const id of IDS) await east.table.put(id, { label: id });
    await regions.settle();
    const { bucket, id } = await entityOf(regions, 'device-3');
    await put(east, [bucket, id, { label: text('overwritten by hand') }]);
    const broken = await verifyTwo(regions, deviceKind);
    expect(broken).toMatchObject({ isEqual: false, damaged: [{ rowKey: id, isForeign: false }] });

    const rows = damagedRowsOf(east);
    const address = { table: TABLE, partitionKey: bucket, rowKey: id };
    const aside = await rows.setAside(address);
    const different = await verifyTwo(regions, deviceKind);
    const options = { nowMs: regions.clock.nowMs(), tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS };
    const { repairs } = planRepair(different, options);
    await applyRepair({ regions: recoveryRegionsOf(regions, deviceKind), repairs });
    expect((await east.table.get(id))?.entity.label).toBe(id);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    expect(await found(east)).toMatchObject([{ rowKey: `!${id}`, state: 'aside' }]);
    await expect(rows.putBack(aside)).rejects.toThrow('stays as it is');
    await rows.discard(aside);
    expect(await found(east)).toEqual([]);
  });

  test('of the archive hides no other, and is set aside with its bytes and put back', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east } = regions;
    await east.table.put('a', { label: 'one' });
    await regions.settle();
    const { bucket } = await entityOf(regions, 'a');
    const day = new Date(regions.clock.nowMs()).toISOString().slice(0, 10).replaceAll('-', '');
    const partitionKey = `${TABLE}-${bucket}-${day}`;
    const bytes = { type: 'Binary', value: new Uint8Array([1, 2, 3]) } as const;
    await put(east, [partitionKey, '0000-damaged', { payload0: bytes }], ARCHIVE_TABLE);
    const rows = damagedRowsOf(east);
    const address = { table: ARCHIVE_TABLE, partitionKey, rowKey: '0000-damaged' };
    const sets = async (): Promise<number> => {
      let count = 0;
      for await (const _ of east.archive.read({ entityKind: TABLE, bucket })) count += 1;
      return count;
    };
    expect(await sets()).toBe(1);
    expect(await found(east)).toMatchObject([{ ...address, state: 'damaged' }]);
    const aside = await rows.setAside(address);
    const [keeper] = recoveryRegionsOf(regions, deviceKind).map(({ archive }) => archive);
    for await (const row of keeper!.scan({ entityKind: TABLE, bucket }))
      expect(row.kind).toBe('set');
    await rows.putBack(aside);
    expect((await rows.read(address))?.properties.get('payload0')).toEqual(bytes);
  });

  test.each([
    ['holds no change set', { payload0: { type: 'Binary', value: new Uint8Array([9]) } }],
    ['names nobody to send it to', { owed: undefined }],
    ['names what is no region', { owed: text('west,/etc/passwd') }],
  ] as const)('of the outbox which %s is named and keeps nobody waiting', async (_, change) => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, clock, drive } = regions;
    await east.table.put('a', { label: 'lost from sight' });
    const { bucket, id } = await entityOf(regions, 'a');
    const {
      rows: [row],
    } = await east.store.query({ table: TABLE, partitions: bucket, rowsFrom: '~', limit: 1 });
    const columns = { ...Object.fromEntries(row!.properties), ...change };
    const kept = Object.entries(columns).filter(
      (one): one is [string, FieldValue] => one[1] !== undefined,
    );
    await put(east, [bucket, row!.rowKey, Object.fromEntries(kept)]);
    const writtenMs = clock.nowMs();
    for (const other of IDS) await east.table.put(other, { label: other });
    await clock.advance(MEMORY_GRACE_MS);
    const turn = async (): Promise<void> => {
      await drive(east.replicator.sweepOnce());
      await drive(west.replicator.receiveOnce(new AbortController().signal));
      await drive(west.replicator.beatOnce());
      await drive(east.replicator.beatOnce());
    };
    await turn();
    expect((await west.table.list(100)).records).toHaveLength(IDS.length);
    const peer = (await west.status.read())?.peers[0];
    expect(peer?.passedMs ?? 0).toBeLessThanOrEqual(writtenMs);
    expect(peer?.soundMs).toBeGreaterThan(writtenMs);
    const key = `${TABLE}/${bucket}/${row!.rowKey}`;
    expect((await east.status.read())?.notices).toMatchObject([
      { kind: 'outbox-row-damaged', subject: key },
    ]);

    const rows = damagedRowsOf(east);
    const [damaged] = await found(east, 'quick');
    const aside = await rows.setAside(damaged!);
    expect(aside.rowKey.startsWith('~o~!')).toBe(true);
    await clock.advance(1_000);
    await turn();
    // Set aside it is still owed: no receipt may say that it was applied.
    expect((await west.status.read())?.peers[0]?.passedMs ?? 0).toBeLessThanOrEqual(writtenMs);
    expect(await west.table.get(id)).toBeUndefined();

    await rows.putBack(aside);
    await put(east, [bucket, row!.rowKey, Object.fromEntries(row!.properties)]);
    await turn();
    expect((await west.table.get(id))?.entity.label).toBe('lost from sight');
    expect((await west.status.read())?.peers[0]?.passedMs).toBeGreaterThan(writtenMs);
  });

  test('is discarded only once it was set aside', async () => {
    const { east } = await createTwoRegions(deviceKind);
    await put(east, ['00', '~o~x', { payload0: text('x') }]);
    const address = { table: TABLE, partitionKey: '00', rowKey: '~o~x' };
    const rows = damagedRowsOf(east);
    await expect(rows.discard(address)).rejects.toThrow(TerminalError);
    const aside = await rows.setAside(address);
    await expect(rows.setAside(aside)).rejects.toThrow('aside already');
    await rows.discard(aside);
    expect(await found(east)).toEqual([]);
  });
});

describe('the list of what nobody reads', () => {
  async function setUp() {
    const store = createMemoryTableStore();
    for (const table of [TABLE, ARCHIVE_TABLE, CONFLICTS_TABLE]) await store.createTable(table);
    const fill = async (table: string, partitionKey: string, keys: readonly string[]) => {
      for (let at = 0; at < keys.length; at += 100) {
        const operations = keys.slice(at, at + 100).map((rowKey) => {
          const properties = new Map([['payload0', text('torn')]]);
          return { kind: 'upsert' as const, rowKey, properties };
        });
        await store.commit({ table, partitionKey, operations });
      }
    };
    const listed = async (depth?: 'quick', peers: readonly string[] = ['west']) => {
      const rows = createDamagedRows({
        store,
        kind: deviceKind,
        bucketCount: MEMORY_BUCKET_COUNT,
        peers,
      });
      const all: DamagedRowFound[] = [];
      for await (const one of rows.scan(depth)) all.push(one);
      return all;
    };
    return { store, fill, listed };
  }
  const keys = (beginning: string, count: number) =>
    Array.from({ length: count }, (_, n) => `${beginning}${String(n).padStart(4, '0')}`);

  test('has every row of every table, over many pages, and of this kind alone', async () => {
    const { fill, listed } = await setUp();
    await fill(TABLE, 'tenant', keys('r', 1_101));
    await fill(ARCHIVE_TABLE, `${TABLE}-00-20260101`, keys('a', 501));
    await fill(CONFLICTS_TABLE, `${TABLE}-00`, keys('c', 501));
    await fill(ARCHIVE_TABLE, 'Orders-00-20260101', ['other']);
    await fill(CONFLICTS_TABLE, 'Orders-00', ['other']);
    const countsOf = (all: readonly DamagedRowFound[]) =>
      [TABLE, ARCHIVE_TABLE, CONFLICTS_TABLE].map(
        (table) => all.filter((one) => one.table === table).length,
      );
    const all = await listed();
    expect(countsOf(all)).toEqual([1_101, 501, 501]);
    expect(new Set(all.map(({ state }) => state))).toEqual(new Set(['foreign', 'damaged']));
    expect(countsOf(await listed('quick'))).toEqual([1_101, 0, 0]);
  });

  test('tells rows of an outbox that cannot be sent from those that something else wrote', async () => {
    const { store, fill, listed } = await setUp();
    const { east } = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    await east.table.put('a', { label: 'sound' });
    const bucket = bucketOf('a', MEMORY_BUCKET_COUNT);
    const {
      rows: [row],
    } = await east.store.query({ table: TABLE, partitions: bucket, rowsFrom: '~', limit: 1 });
    const stamp = row!.rowKey.slice(3);
    const operations = ['~o~', '~p~west~', '~p~north~'].map((lane) => ({
      kind: 'insert' as const,
      rowKey: `${lane}${stamp}`,
      properties: row!.properties,
    }));
    await store.commit({ table: TABLE, partitionKey: bucket, operations });
    await fill(TABLE, bucket, ['~', '~x~o~1', '~p~~1', '~o~torn', '~p~west~torn', '~o~!aside']);
    const told = (all: readonly DamagedRowFound[]) =>
      Object.fromEntries(all.map(({ rowKey, state }) => [rowKey, state]));
    const damaged = {
      '~': 'foreign',
      '~x~o~1': 'foreign',
      '~p~~1': 'foreign',
      '~o~torn': 'damaged',
      '~p~west~torn': 'damaged',
      '~o~!aside': 'aside',
    };
    const all = await listed();
    expect(told(all)).toEqual({ ...damaged, [`~p~north~${stamp}`]: 'damaged' });
    expect(all.find(({ rowKey }) => rowKey.includes('north'))?.problem).toContain(
      'waits for north, which is no peer',
    );
    // A region that nobody named a peer of may have any.
    expect(told(await listed(undefined, []))).toEqual(damaged);
  });

  test('is not changed where a row is gone, or another lies in its place', async () => {
    const { store, fill } = await setUp();
    await fill(TABLE, '00', ['~o~a', '~o~!a']);
    const rows = createDamagedRows({
      store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      peers: [],
    });
    const at = (rowKey: string) => ({ table: TABLE, partitionKey: '00', rowKey });
    await expect(rows.setAside(at('~o~a'))).rejects.toThrow('a row ~o~!a is there');
    await expect(rows.setAside(at('~o~b'))).rejects.toThrow('There is no row');
    await expect(rows.putBack(at('~o~!b'))).rejects.toThrow('There is no row');
    await expect(rows.discard(at('~o~!b'))).rejects.toThrow('There is no row');
    expect(await rows.read(at('~o~a'))).toBeDefined();
  });

  test('reads a bucket of more rows than a page in the order of its keys', async () => {
    const { store } = await setUp();
    const { east } = await createTwoRegions(deviceKind);
    await east.table.put('a', { label: 'sound' });
    const row = await east.store.get(TABLE, bucketOf('a', MEMORY_BUCKET_COUNT), 'a');
    const own = keys('r', 2_105);
    for (let at = 0; at < own.length; at += 100) {
      const operations = own
        .slice(at, at + 100)
        .map((rowKey) => ({ kind: 'insert' as const, rowKey, properties: row!.properties }));
      await store.commit({ table: TABLE, partitionKey: '00', operations });
    }
    const found: string[] = [];
    for await (const one of createTableRowScanner({ store, kind: deviceKind }).scan('00')) {
      found.push(`${one.kind} ${one.rowKey}`);
    }
    expect(found).toEqual(own.map((rowKey) => `row ${rowKey}`));
  });
});
