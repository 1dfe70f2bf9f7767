import { randomBytes } from 'node:crypto';
import {
  type ArchiveRow,
  bucketOf,
  createNotices,
  encodeChangeSet,
  type Fragment,
  FULL_WIRE_VERSION,
  formatStamp,
  fragmentsOf,
  type OutboundMessage,
  stampTimeMs,
  type TableRow,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { encodeFragment, NIL_STAMP } from '@tandem/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { createTableArchiveKeeper } from './recovery/archive-keeper.ts';
import { createDamagedRows } from './recovery/damaged-rows.ts';
import type { TransactOperation } from './replicated-table.ts';
import { REPLICATION_TABLE } from './status/status-row.ts';
import { ARCHIVE_TABLE, createTableArchive } from './tables/table-archive.ts';
import {
  createTableFragments,
  FRAGMENTS_PARTITION,
  tidyFragments,
} from './tables/table-fragments.ts';
import { deviceKind } from './testing/device-kind.ts';
import {
  MEMORY_BUCKET_COUNT,
  MEMORY_GRACE_MS,
  type MemoryRegion,
  readRows,
} from './testing/memory-region.ts';
import { expectReplayable } from './testing/recovery-regions.ts';
import { createMemoryRegions, createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Kind = typeof deviceKind;
type Region = MemoryRegion<Kind>;

/** Ids of one bucket. */
const IDS = Array.from({ length: 800 }, (_, index) => `id${index}`).filter(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === '00',
);
const KIB = 1_024;
const TABLE = deviceKind.name;
const SETTLED_MS = 16_000;
const SPAN = { entityKind: TABLE, bucket: '00' };
const NOT_ABORTED = new AbortController().signal;

let regions: TwoRegions<Kind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
});

/** A transaction that hardly deflates. */
function randomPuts(count: number, bytes = 60 * KIB): TransactOperation<Kind>[] {
  return IDS.slice(0, count).map((entityId) => ({
    kind: 'put',
    entityId,
    entity: { label: entityId, firmware: new Uint8Array(randomBytes(bytes)) },
    condition: undefined,
  }));
}

const stampAt = (timeMs: number, region: string) =>
  formatStamp({ timeMs, counter: 0, region, writer: 'w' });

async function write(count = 10): Promise<void> {
  const done = await regions.drive(regions.east.table.transact(randomPuts(count)));
  expect(done.kind).toBe('done');
}

async function keysIn(
  { store }: Pick<Region, 'store'>,
  table: string,
  partitions: string | { from: string; before: string },
  rowsFrom = '"',
): Promise<readonly string[]> {
  const { rows } = await store.query({ table, partitions, rowsFrom, limit: 200 });
  return rows.map(({ rowKey }) => rowKey);
}

const ANY = { from: '!', before: '~~' };
const outboxKeys = (region: Region = regions.east) => keysIn(region, TABLE, '00', '~');
const fragmentKeys = (region: Region = regions.west) =>
  keysIn(region, REPLICATION_TABLE, FRAGMENTS_PARTITION);
const archiveKeys = (region: Region) => keysIn(region, ARCHIVE_TABLE, ANY);

async function archivedSizes(region: Region): Promise<readonly number[]> {
  const sizes: number[] = [];
  for await (const set of region.archive.read(SPAN)) sizes.push(set.changes.length);
  return sizes;
}

async function sweepLater(region: Region = regions.east): Promise<void> {
  await regions.clock.advance(SETTLED_MS);
  await regions.drive(region.replicator.sweepOnce());
}

async function remove({ store }: Region, table: string, partition: string, rowKey: string) {
  const operations = [{ kind: 'delete' as const, rowKey }];
  const outcome = await store.commit({ table, partitionKey: partition, operations });
  expect(outcome.kind).toBe('committed');
}

function withoutReference(rows: Awaited<ReturnType<typeof readRows>>): unknown[] {
  return rows.map(({ key, properties }) => {
    const all = Object.entries(properties as Record<string, unknown>);
    return [key, all.filter(([name]) => name !== 'referenceId' && name !== '_prepared')];
  });
}

async function expectEqual(): Promise<void> {
  const [east, west] = [await readRows(regions.east, TABLE), await readRows(regions.west, TABLE)];
  expect(withoutReference(east)).toEqual(withoutReference(west));
}

describe('I20: a change set of more than a message holds', () => {
  test('is whole in the other region, and lies in the same rows of both archives', async () => {
    await write();
    const [first, ...later] = await outboxKeys();
    expect(later.length).toBeGreaterThan(2);
    expect(later.every((key) => key.startsWith(`${first}~f`))).toBe(true);
    await sweepLater();
    await regions.settle();
    await expectEqual();
    expect([await archivedSizes(regions.east), await archivedSizes(regions.west)]).toEqual([
      [10],
      [10],
    ]);
    expect(await archiveKeys(regions.west)).toEqual(await archiveKeys(regions.east));
    expect(await outboxKeys()).toEqual([]);
    expect(await fragmentKeys()).toEqual([]);
    for (const region of [regions.east, regions.west]) await expectReplayable(region, deviceKind);
  });

  test('is refused, with what helps, where a region does not read it yet', async () => {
    const older = await createTwoRegions(deviceKind, { east: { wireVersion: FULL_WIRE_VERSION } });
    const refused = older.drive(older.east.table.transact(randomPuts(10)));
    await expect(refused).rejects.toThrow('Messages.WireVersion 8');
    expect(await readRows(older.east, TABLE)).toEqual([]);
  });

  test('is taken with single writes that wait for it', async () => {
    const { east, drive } = regions;
    const [large, small] = [randomPuts(10), IDS.slice(20, 30)];
    const all = [
      east.table.transact(large),
      ...small.map((id) => east.table.put(id, { label: 'small' })),
    ];
    await drive(Promise.all(all));
    await sweepLater();
    await regions.settle();
    await expectEqual();
    expect(await readRows(regions.west, TABLE)).toHaveLength(20);
  });

  test('is parked for a peer that is down, and comes to it and to nobody twice', async () => {
    const three = await createMemoryRegions(deviceKind, {
      east: { relaysAtOnce: false },
      west: {},
      north: {},
    });
    const [east, west, north] = three.regions as [Region, Region, Region];
    three.bus.setDown('north', true);
    await three.drive(east.table.transact(randomPuts(10)));
    await three.clock.advance(SETTLED_MS);
    await three.drive(east.replicator.sweepOnce());
    const keys = await outboxKeys(east);
    expect(keys.length).toBeGreaterThan(2);
    expect(keys.every((key) => key.startsWith('~p~north~'))).toBe(true);
    three.bus.setDown('north', false);
    await three.clock.advance(SETTLED_MS);
    await three.settle();
    expect(await outboxKeys(east)).toEqual([]);
    for (const region of [west, north]) {
      expect(await readRows(region, TABLE)).toHaveLength(10);
      expect(await archivedSizes(region)).toEqual([10]);
    }
  });
});

describe('a large set that is prepared', () => {
  const COUNT = 40;

  test('is committed whole, and leaves no row behind', async () => {
    await write(COUNT);
    await sweepLater();
    await regions.settle();
    await expectEqual();
    expect(await readRows(regions.west, TABLE)).toHaveLength(COUNT);
    expect(await outboxKeys()).toEqual([]);
  });

  test('of a process that died before its rows were written is undone, with all of its rows', async () => {
    const { east } = regions;
    const gone = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    let isFirst = true;
    east.store.beforeCommit(async ({ operations }) => {
      if (operations.length !== COUNT || !isFirst) return;
      isFirst = false;
      reached.resolve();
      await gone.promise;
    });
    const writing = east.table.transact(randomPuts(COUNT));
    const told = writing.catch((error: unknown) => error);
    await regions.drive(reached.promise);
    const prepared = await outboxKeys();
    expect(prepared.length).toBeGreaterThan(10);
    await sweepLater();
    const left = new Set(await outboxKeys());
    expect(prepared.filter((key) => left.has(key))).toEqual([]);
    expect(await told).toMatchObject({ code: 'TABLE_OUTCOME_UNKNOWN' });
    // It was only slow: its commit is refused.
    gone.resolve();
    await sweepLater();
    await regions.settle();
    await expectEqual();
    expect(await outboxKeys()).toEqual([]);
    for (const id of IDS.slice(0, COUNT)) expect(await east.table.get(id)).toBeUndefined();
  });

  test('that is refused takes its rows away before anything is decided again', async () => {
    const { east, drive } = regions;
    const [first = ''] = IDS;
    await drive(east.table.put(first, { label: 'there' }));
    await sweepLater();
    const puts = randomPuts(COUNT).map((one) => ({
      ...one,
      condition: { kind: 'absent' as const },
    }));
    expect(await drive(east.table.transact(puts))).toMatchObject({ kind: 'refused' });
    expect(await outboxKeys()).toEqual([]);
  });
});

describe('an outbox that has lost a row of a large set', () => {
  test.each([1, 2])('names it, claims nothing, and sends none of it (row %d)', async (nth) => {
    await write();
    const [first = '', ...later] = await outboxKeys();
    await remove(regions.east, TABLE, '00', later[nth] ?? '');
    await sweepLater();
    const page = await regions.east.outbox.scan({ bucket: '00', limit: 100 });
    expect(page).toMatchObject({ entries: [], unreadable: [first] });
    await regions.settle();
    expect(await readRows(regions.west, TABLE)).toEqual([]);
    expect(await fragmentKeys()).toEqual([]);
  });

  test('names each row that is left where it is the first one', async () => {
    await write();
    const [first = '', ...later] = await outboxKeys();
    await remove(regions.east, TABLE, '00', first);
    const page = await regions.east.outbox.scan({ bucket: '00', limit: 2 });
    expect(page.unreadable).toEqual(later.slice(0, 2));
  });

  test('lets an operator set it aside whole, and put it back', async () => {
    const { store } = regions.east;
    await write();
    const before = await outboxKeys();
    const [first = ''] = before;
    await remove(regions.east, TABLE, '00', before[2] ?? '');
    const rows = createDamagedRows({
      store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      peers: ['west'],
    });
    const found: string[] = [];
    for await (const one of rows.scan()) found.push(`${one.state} ${one.rowKey} ${one.problem}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`damaged ${first}`);
    expect(found[0]).toContain('row 3 of');
    const address = { table: TABLE, partitionKey: '00', rowKey: first };
    const aside = await rows.setAside(address);
    const page = await regions.east.outbox.scan({ bucket: '00', limit: 100 });
    expect(page).toMatchObject({ entries: [], unreadable: [], aside: [aside.rowKey] });
    expect((await outboxKeys()).every((key) => key.startsWith('~o~!'))).toBe(true);
    await rows.putBack(aside);
    expect(await outboxKeys()).toEqual(before.filter((_, nth) => nth !== 2));
    await rows.discard(await rows.setAside(address));
    expect(await outboxKeys()).toEqual([]);
  });
});

describe('an archive that has lost a row of a large set', () => {
  async function lose(nth: number): Promise<string> {
    await write();
    await sweepLater();
    await regions.settle();
    const keys = await archiveKeys(regions.west);
    const lost = keys[nth] ?? '';
    const [row] = (
      await regions.west.store.query({ table: ARCHIVE_TABLE, partitions: ANY, limit: 1 })
    ).rows as [TableRow];
    await remove(regions.west, ARCHIVE_TABLE, row.partitionKey, lost);
    return lost;
  }

  test.each([0, 1, 3])(
    'says so to whoever reads it, and gives none of it (row %d)',
    async (nth) => {
      await lose(nth);
      const damaged: string[] = [];
      const { store } = regions.west;
      const archive = createTableArchive({
        store,
        onDamaged: ({ rowKey }) => damaged.push(rowKey),
      });
      for await (const set of archive.read(SPAN)) expect(set).toBeUndefined();
      expect(damaged.length).toBeGreaterThan(0);
      const kinds = new Set<string>();
      for await (const row of createTableArchiveKeeper({ store }).scan(SPAN)) kinds.add(row.kind);
      expect(kinds).toEqual(new Set(['damaged']));
    },
  );

  test.each([0, 2])('is given it again by a redelivery (row %d)', async (nth) => {
    await lose(nth);
    await regions.west.archive.append(regions.east.committed);
    expect(await archivedSizes(regions.west)).toEqual([10]);
    expect(await archiveKeys(regions.west)).toEqual(await archiveKeys(regions.east));
  });
});

describe('the archive row of a large set', () => {
  async function archivedRow(): Promise<ArchiveRow> {
    for await (const row of createTableArchiveKeeper(regions.east).scan(SPAN)) {
      if (row.kind === 'set') return row;
    }
    throw new Error('nothing is archived');
  }

  beforeEach(async () => {
    await write();
    await sweepLater();
  });

  test('is dropped with all others of the set', async () => {
    const row = await archivedRow();
    expect(await createTableArchiveKeeper(regions.east).drop([row])).toHaveLength(1);
    expect(await archiveKeys(regions.east)).toEqual([]);
  });

  test('that is written over by a small one leaves none of the others', async () => {
    const row = await archivedRow();
    const changes = row.set.changes.map(({ state, ...change }) => ({
      ...change,
      state: { ...state, fields: new Map() },
    }));
    const set = { ...row.set, changes };
    const erased = { ...row, set, encoded: encodeChangeSet(set) };
    expect(await createTableArchiveKeeper(regions.east).put([erased])).toEqual([]);
    expect(await archiveKeys(regions.east)).toEqual([row.rowKey]);
    expect(await archivedSizes(regions.east)).toEqual([10]);
  });
});

describe('fragments that are received', () => {
  let fragments: readonly Fragment[];

  const toMessage = (fragment: Fragment, place = 0): OutboundMessage => ({
    messageId: `${fragment.index}.${place}`,
    subject: 'change-set',
    body: encodeFragment(fragment),
  });
  const send = (...some: readonly Fragment[]): Promise<void> =>
    regions.bus.publisherFor('west', 'west').publish(some.map(toMessage));
  const receive = async (): Promise<void> => {
    await regions.drive(regions.west.replicator.receiveOnce(NOT_ABORTED));
    await regions.drive(regions.west.replicator.drain());
  };
  const reasons = () => regions.bus.deadLettersOf('west').map(({ reason }) => reason);
  const rowsOfWest = async () => (await readRows(regions.west, TABLE)).length;

  beforeEach(async () => {
    await write();
    fragments = fragmentsOf(regions.east.committed[0]!);
  });

  test('are applied once the last has come, in whatever order, and not before', async () => {
    const [last, ...others] = fragments.toReversed() as [Fragment, ...Fragment[]];
    await send(...others);
    await receive();
    expect([await rowsOfWest(), (await fragmentKeys()).length]).toEqual([0, others.length]);
    await send(last);
    await receive();
    expect([await rowsOfWest(), await fragmentKeys(), reasons()]).toEqual([10, [], []]);
  });

  test('are forgotten where the set was applied before', async () => {
    await send(...fragments);
    await receive();
    await send(fragments[1]!, fragments[0]!);
    await receive();
    expect([await fragmentKeys(), reasons()]).toEqual([[], []]);
    expect(await archivedSizes(regions.west)).toEqual([10]);
  });

  test('that another applies and takes away between two looks at them are known', async () => {
    const { west, clock } = regions;
    let isArchived = false;
    const archive = { has: () => Promise.resolve(isArchived) };
    const other = createTableFragments({ store: west.store, archive, clock });
    const [first, ...others] = fragments as [Fragment, ...Fragment[]];
    for (const fragment of others) await other.keep(fragment);
    const store: TableStore = {
      ...west.store,
      async query(range) {
        const page = await west.store.query(range);
        if (!isArchived) {
          isArchived = true;
          await other.drop(first);
        }
        return page;
      },
    };
    const kept = await createTableFragments({ store, archive, clock }).keep(first);
    expect(kept).toEqual({ kind: 'known' });
  });

  test('survive a crash anywhere between them', async () => {
    for (const fragment of fragments) {
      regions.west.store.failCommits(
        [{ when: 'after', error: new TransientError('TABLE_UNAVAILABLE', 'It is gone.') }],
        ({ table }) => table === REPLICATION_TABLE,
      );
      await send(fragment);
      await receive();
    }
    expect([await rowsOfWest(), await fragmentKeys(), reasons()]).toEqual([10, [], []]);
  });

  test('that say another thing of their set keep it from nothing', async () => {
    const [first, ...others] = fragments as [Fragment, ...Fragment[]];
    await send({ ...first, bytes: first.bytes + 1 }, { ...first, count: first.count + 1 });
    await send(...others, first);
    await receive();
    expect([await rowsOfWest(), (await fragmentKeys()).length, reasons()]).toEqual([10, 2, []]);
  });

  test('that make no set are dead-lettered by name, and change nothing', async () => {
    const [first, second, ...others] = fragments as [Fragment, Fragment, ...Fragment[]];
    await send({ ...first, deflated: second.deflated }, second, ...others);
    await receive();
    expect([await rowsOfWest(), reasons()]).toEqual([0, ['FRAGMENTS_DIFFER']]);
    // The right one mends it.
    await send(first);
    await receive();
    expect([await rowsOfWest(), await fragmentKeys()]).toEqual([10, []]);
  });

  test('of another set than they say are refused', async () => {
    const elsewhere = fragments.map((one) => ({ ...one, bucket: '01' }));
    await send(...elsewhere);
    await receive();
    expect([await rowsOfWest(), reasons()]).toEqual([0, ['FRAGMENTS_DIFFER']]);
  });

  test('of a set that is refused stay, so that the one dead letter can be put back', async () => {
    const elsewhere = fragments.map((one) => ({ ...one, bucket: 'ff' }));
    await send(...elsewhere);
    await receive();
    expect(reasons()).toEqual(['FRAGMENTS_DIFFER']);
    expect(await fragmentKeys()).toHaveLength(fragments.length);
  });

  test.each([
    ['ENTITY_KIND_UNKNOWN', { entityKind: 'Nobodys' }],
    ['REGION_UNKNOWN', { stamp: stampAt(1_000, 'mars') }],
    ['REGION_UNKNOWN', { stamp: stampAt(1_000, 'old') }],
    ['STAMP_IMPOSSIBLE', { stamp: stampAt(2 ** 48 - 1, 'east') }],
    ['STAMP_IMPOSSIBLE', { stamp: NIL_STAMP }],
  ])(
    'A1, A18: of a set that no region makes are refused (%s), and nothing is kept of it',
    async (reason, own) => {
      await send(...fragments.map((one) => ({ ...one, ...own })));
      await receive();
      expect(reasons()).toEqual(fragments.map(() => reason));
      expect(await fragmentKeys()).toEqual([]);
    },
  );

  test('I19: are given up by the clock of the store alone, and are no older than their set', async () => {
    const { west, clock } = regions;
    const notices = createNotices({ clock });
    const keepMs = 600_000;
    const ahead = { nowMs: () => clock.nowMs() + 366 * 86_400_000 };
    const { archive, store } = west;
    // A clock that is far behind says of what it keeps that it is old.
    const behind = createTableFragments({ store, archive, clock: { nowMs: () => 0 } });
    await send(...fragments.slice(2));
    await receive();
    const [first] = fragments;
    expect(await regions.drive(behind.keep(first!))).toEqual({ kind: 'incomplete' });
    const kept = await fragmentKeys();
    expect(kept).toHaveLength(fragments.length - 1);
    for (const own of [ahead, clock]) {
      await regions.drive(
        tidyFragments({ ...west, driftMsMax: 60_000, clock: own, notices, keepMs }),
      );
      expect(await fragmentKeys()).toEqual(kept);
    }
    const untold: TableStore = { ...store, timeMs: async () => undefined };
    await clock.advance(keepMs);
    await regions.drive(
      tidyFragments({ ...west, driftMsMax: 60_000, store: untold, clock, notices, keepMs }),
    );
    expect(await fragmentKeys()).toEqual(kept);
    await regions.drive(tidyFragments({ ...west, driftMsMax: 60_000, clock, notices, keepMs }));
    expect(await fragmentKeys()).toEqual([]);
  });

  test('that do not become whole are named, and given up in the end', async () => {
    const { west, clock } = regions;
    await send(...fragments.slice(1));
    await receive();
    const notices = createNotices({ clock });
    const tidy = () =>
      regions.drive(
        tidyFragments({ ...west, driftMsMax: 60_000, clock, notices, keepMs: 600_000 }),
      );
    expect([await tidy(), notices.current()]).toEqual([[], []]);
    await clock.advance(60_000);
    expect(await tidy()).toEqual([]);
    const what = `${fragments.length - 1} of ${fragments.length} fragments have come`;
    expect(notices.current()).toMatchObject([{ kind: 'fragments-incomplete' }]);
    expect(notices.current()[0]?.detail).toContain(what);
    await clock.advance(600_000);
    expect(await tidy()).toMatchObject([{ stamp: fragments[0]!.stamp }]);
    expect(notices.current()[0]?.detail).toContain('given up');
    expect(await fragmentKeys()).toEqual([]);
  });

  test('I16: kept by a clock that drifts further than it may are as old as their stamp', async () => {
    const { west, clock } = regions;
    const keptMs = clock.nowMs() + 400_000;
    const [first] = fragments;
    const ahead = createTableFragments({ ...west, clock: { nowMs: () => keptMs } });
    await regions.drive(ahead.keep(first!));
    await clock.advance(60_000);
    const sinceBy = async (driftMsMax: number) => {
      const notices = createNotices({ clock });
      await regions.drive(tidyFragments({ ...west, driftMsMax, clock, notices }));
      return notices.current()[0]?.detail.split('since ')[1];
    };
    expect(await sinceBy(400_000)).toBe(new Date(keptMs).toISOString());
    expect(await sinceBy(60_000)).toBe(new Date(stampTimeMs(first!.stamp)).toISOString());
  });

  test('that many others pile up on are given up first, once they are late', async () => {
    const { west, clock } = regions;
    await send(fragments[0]!);
    await receive();
    await clock.advance(1_000);
    await send({ ...fragments[1]!, bytes: 1 });
    await receive();
    const notices = createNotices({ clock });
    const tidy = () =>
      regions.drive(tidyFragments({ ...west, driftMsMax: 60_000, clock, notices, rowsMax: 1 }));
    expect(await tidy()).toEqual([]);
    await clock.advance(60_000);
    expect(await tidy()).toHaveLength(1);
    expect(await fragmentKeys()).toHaveLength(1);
  });

  test.each([
    ['a year ahead', (nowMs: number) => BigInt(nowMs + 366 * 86_400_000)],
    ['no time at all', () => 2n ** 62n],
    ['before all times', () => -(2n ** 62n)],
  ])('I15, I16: kept at %s are named and given up all the same', async (_, at) => {
    const { west, clock } = regions;
    await send(fragments[0]!);
    await receive();
    const [rowKey = ''] = await fragmentKeys();
    const row = await west.store.get('Replication', 'fragments', rowKey);
    const keptMs = { type: 'Int64', value: at(clock.nowMs()) } as const;
    const properties = new Map([...row!.properties, ['keptMs', keptMs] as const]);
    const operations = [{ kind: 'upsert' as const, rowKey, properties }];
    await west.store.commit({ table: 'Replication', partitionKey: 'fragments', operations });
    const notices = createNotices({ clock });
    const tidy = () =>
      regions.drive(
        tidyFragments({ ...west, driftMsMax: 60_000, clock, notices, keepMs: 600_000 }),
      );
    expect(await tidy()).toEqual([]);
    await clock.advance(61_000);
    expect(await tidy()).toEqual([]);
    expect(notices.current()).toMatchObject([{ kind: 'fragments-incomplete' }]);
    await clock.advance(600_000);
    expect(await tidy()).toHaveLength(1);
    expect(await fragmentKeys()).toEqual([]);
  });

  test('A4: that the store never takes are dead-lettered alone, and no other message waits for them', async () => {
    const { west, clock } = regions;
    const [poison, ...others] = fragments;
    const isPoison = (rowKey: string): boolean => rowKey.endsWith('~00');
    west.store.beforeCommit(({ partitionKey, operations }) => {
      if (partitionKey !== 'fragments' || !operations.some((one) => isPoison(one.rowKey))) return;
      throw new TransientError('TABLE_OUTCOME_UNKNOWN', 'The service answered 500.');
    });
    await send(poison!, ...others);
    await regions.east.table.put('later', { label: 'later' });
    await clock.advance(MEMORY_GRACE_MS);
    await regions.drive(regions.east.replicator.sweepOnce());
    const beganMs = clock.nowMs();
    await regions.drive(west.replicator.receiveOnce(new AbortController().signal));
    expect(await west.table.get('later')).toBeDefined();
    await regions.drive(west.replicator.drain());
    expect(clock.nowMs() - beganMs).toBeLessThan(20_000);
    // It was sent by the test, and by the sweep of its region.
    expect(reasons()).toEqual(['ENTITY_UNSTORABLE', 'ENTITY_UNSTORABLE']);
    expect(await fragmentKeys()).toHaveLength(others.length);

    west.store.beforeCommit(() => undefined);
    await send(poison!);
    await receive();
    expect(await fragmentKeys()).toEqual([]);
  });

  test.each(['Replication', 'Archive', deviceKind.name])(
    'A4: wait out an outage of %s, which costs no delivery',
    async (down) => {
      const { west, clock, bus } = regions;
      let isOver = false;
      west.store.beforeCommit(({ table }) => {
        if (!isOver && table === down) throw new TransientError('TABLE_UNAVAILABLE', 'down');
      });
      await send(...fragments);
      const ended = clock.sleep(300_000).then(() => (isOver = true));
      await regions.drive(west.replicator.receiveOnce(new AbortController().signal));
      await regions.drive(ended);
      await regions.drive(west.replicator.drain());
      expect(bus.deadLettersOf('west')).toEqual([]);
      expect(await bus.viewerFor('west').peek('messages', 0n, 100)).toEqual([]);
      expect(await fragmentKeys()).toEqual([]);
    },
  );

  test('are taken away without a word where the set was applied all the same', async () => {
    const { west, clock } = regions;
    await send(fragments[0]!);
    await receive();
    await west.archive.append(regions.east.committed);
    await clock.advance(60_000);
    const notices = createNotices({ clock });
    await regions.drive(tidyFragments({ ...west, driftMsMax: 60_000, clock, notices }));
    expect([await fragmentKeys(), notices.current()]).toEqual([[], []]);
  });
});
