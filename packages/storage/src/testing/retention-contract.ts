import {
  type ArchiveRow,
  archivePartitionOf,
  bucketOf,
  type ChangeSet,
  type Conflict,
  catalogKind,
  createHybridClock,
  encodeChangeSet,
  encodeOpenId,
  entityBucketOf,
  formatStamp,
  localRowsKind,
  type OpenKind,
  openTableId,
  rowsKind,
  type TableSettings,
  type TableStore,
} from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import { foldArchive } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { createTableCatalogue } from '../catalogue/table-catalogue.ts';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createTombstoneHorizons } from '../retention/collect-tombstones.ts';
import {
  type RetentionSettings,
  type TrimmedKind,
  type TrimRegionOptions,
  trimRegion,
} from '../retention/trim-region.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createTableLease, createTableRegionHold } from '../status/status-tables.ts';
import { ARCHIVE_TABLE, createTableArchive, toArchiveProperties } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE, createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createConflictHorizons } from '../tables/trim-conflicts.ts';
import { createReplicatedTable } from '../write-path/create-replicated-table.ts';
import { deviceKind } from './device-kind.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const KIND = deviceKind.name;
const BUCKETS = 2;

/** Resolves with what each table of each kind was trimmed of. */
export async function trimAll(options: TrimRegionOptions): Promise<readonly TrimmedKind[]> {
  const trimmed: TrimmedKind[] = [];
  for await (const one of trimRegion(options)) trimmed.push(one);
  return trimmed;
}

export const RETENTION: RetentionSettings = {
  archive: { keepMs: DAY_MS, keepBytes: undefined },
  conflicts: { keepMs: undefined, keepBytes: undefined },
  promiseMs: DAY_MS / 2,
  tombstoneAgeMs: 90 * DAY_MS,
  driftMsMax: 60_000,
};

/** A change of one device, written alone at that time after the start. */
function setAt(afterMs: number, entityId: string): ChangeSet {
  const stamp = formatStamp({
    timeMs: START_MS + afterMs,
    counter: 0,
    region: 'east',
    writer: 'w',
  });
  const state = {
    fields: new Map([['label', { value: { type: 'String', value: stamp }, stamp }]] as const),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  const bucket = bucketOf(entityId, BUCKETS);
  return {
    entityKind: KIND,
    bucket,
    stamp,
    changes: [{ entityId, operation: 'replace', state }],
  };
}

/** What every table store has to do for an archive to be trimmed in it. */
export function describeRetention(name: string, openStore: () => Promise<TableStore>): void {
  describe(`I22: trimming the tables of a region in ${name}`, () => {
    const setUp = async (...sets: readonly ChangeSet[]) => {
      const store = await openStore();
      await store.createTable(ARCHIVE_TABLE);
      await store.createTable(REPLICATION_TABLE);
      const archive = createTableArchive({ store });
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      const keeper = createTableArchiveKeeper({ store });
      const rows = async (): Promise<ArchiveRow[]> => {
        const found: ArchiveRow[] = [];
        for (const bucket of ['00', '01']) {
          for await (const row of keeper.scan({ entityKind: KIND, bucket })) {
            if (row.kind === 'set') found.push(row);
          }
        }
        return found;
      };
      return { store, archive, keeper, rows };
    };

    test('takes away what was written over before the horizon, over days and buckets', async () => {
      const ids = ['a', 'b', 'c', 'd'];
      const { store, keeper, rows } = await setUp(
        ...ids.flatMap((id) =>
          [0, 0.5, 1, 2, 3, 4].map((days) => setAt(days * DAY_MS + ids.indexOf(id), id)),
        ),
      );
      const clock = createVirtualClock(START_MS + 4.25 * DAY_MS);
      const trimmed = await trimAll({
        store,
        kinds: [deviceKind],
        bucketCountOf: () => BUCKETS,
        clock,
        status: { read: async () => undefined },
        peers: [],
        settings: RETENTION,
        paceMs: 0,
      });
      const horizonMs = START_MS + 3.25 * DAY_MS;
      expect(trimmed).toMatchObject([{ entityKind: KIND, rows: 16, isWhole: true, horizonMs }]);
      expect(await rows()).toHaveLength(8);
      expect(await keeper.horizonMs(KIND)).toBe(horizonMs);
      const folded: string[] = [];
      for (const bucket of ['00', '01']) {
        await foldArchive({
          archive: keeper,
          region: 'east',
          span: { entityKind: KIND, bucket, beforeMs: horizonMs },
          entitiesMax: 100,
          onStates: async (states) => void folded.push(...states.keys()),
        });
      }
      expect(folded.sort()).toEqual(ids);
    });

    test('leaves a row that somebody has written to since it was read', async () => {
      const { store, keeper, rows } = await setUp(setAt(1, 'a'), setAt(2, 'a'));
      const [first, second] = await rows();
      const properties = toArchiveProperties(first!);
      await store.commit({
        table: ARCHIVE_TABLE,
        partitionKey: archivePartitionOf(setAt(1, 'a')),
        operations: [{ kind: 'replace', rowKey: first!.rowKey, etag: first!.etag!, properties }],
      });
      expect(await keeper.drop([first!, second!])).toEqual([second]);
      expect((await rows()).map(({ rowKey }) => rowKey)).toEqual([first!.rowKey]);
      expect(await keeper.drop([second!])).toEqual([]);
    });

    test('keeps how far back it goes, and never less far', async () => {
      const { keeper } = await setUp();
      expect(await keeper.horizonMs(KIND)).toBeUndefined();
      await keeper.raiseHorizon(KIND, 5_000);
      await keeper.raiseHorizon(KIND, 4_000);
      expect(await keeper.horizonMs(KIND)).toBe(5_000);
      expect(await keeper.horizonMs('Others')).toBeUndefined();
      await Promise.all([6_000, 8_000, 7_000].map((ms) => keeper.raiseHorizon(KIND, ms)));
      expect(await keeper.horizonMs(KIND)).toBe(8_000);
    });

    test('takes nothing away while somebody recovers the region', async () => {
      const { store, keeper, rows } = await setUp(setAt(1, 'a'), setAt(2, 'a'));
      const clock = createVirtualClock(START_MS + 9 * DAY_MS);
      const lease = createTableLease({ store, clock, name: 'recovery', holder: 'operator' });
      await lease.acquire(60_000);
      const options = {
        store,
        kinds: [deviceKind],
        bucketCountOf: () => BUCKETS,
        clock,
        status: { read: async () => undefined },
        peers: [],
        settings: RETENTION,
        paceMs: 0,
      };
      expect(await trimAll(options)).toMatchObject([{ rows: 0, isWhole: false }]);
      expect(await rows()).toHaveLength(2);
      expect(await keeper.horizonMs(KIND)).toBeUndefined();
      await lease.release();
      expect(await trimAll(options)).toMatchObject([{ rows: 1, isWhole: true }]);
    });
  });
}

const ROWS = rowsKind.name;
/** The two tables whose rows lie in one bucket: what one commit wrote may be of both. */
const ORDERS = rowOf('orders', 'x');
const DEVICES = rowOf('devices', 'x');

function rowOf(table: string, rowKey: string): string {
  return encodeOpenId(openTableId(table, '0000'), { partitionKey: 'p', rowKey });
}

function openSetAt(afterMs: number, ...entityIds: readonly string[]): ChangeSet {
  return setOfRows(rowsKind, afterMs, entityIds);
}

function setOfRows(kind: OpenKind, afterMs: number, entityIds: readonly string[]): ChangeSet {
  const { stamp, changes } = setAt(afterMs, 'any');
  const [first] = changes;
  if (first === undefined) throw new Error('A set has a change.');
  const bucket = entityBucketOf(kind, entityIds[0] ?? '', BUCKETS);
  const all = entityIds.map((entityId) => ({ ...first, entityId }));
  return { entityKind: kind.name, bucket, stamp, changes: all };
}

function deletedAt(afterMs: number, entityId: string): ChangeSet {
  const set = openSetAt(afterMs, entityId);
  const { vector } = set.changes[0]!.state;
  const state = { fields: new Map(), alive: undefined, deleted: set.stamp, vector };
  return { ...set, changes: [{ entityId, operation: 'delete', state }] };
}

function conflictAt(afterMs: number, entityId: string): Conflict {
  const [greater, smaller] = [afterMs, afterMs - 1].map((at) => setAt(at, 'any').stamp);
  if (greater === undefined || smaller === undefined) throw new Error('There are two.');
  const value = { type: 'String', value: 'v' } as const;
  const winner = { stamp: greater, value };
  const fields = [{ name: 'label', winner, loser: { stamp: smaller, value } }];
  return { entityKind: ROWS, entityId, stamps: [smaller, greater], fields, life: undefined };
}

/** What every table store has to do for tables of clients to be trimmed, each as the catalogue has it. */
export function describeTableRetention(name: string, openStore: () => Promise<TableStore>): void {
  describe(`I22: trimming the tables of clients in ${name}`, () => {
    const setUp = async (settings: Readonly<Record<string, TableSettings>>) => {
      const store = await openStore();
      const clock = createVirtualClock(START_MS);
      for (const table of [ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE, 'Catalog', ROWS]) {
        await store.createTable(table);
      }
      const archive = createTableArchive({ store });
      const table = createReplicatedTable({
        kind: catalogKind,
        store,
        archive,
        hybridClock: createHybridClock({
          region: 'east',
          writer: 'w0000001',
          nowMs: () => clock.nowMs(),
          driftMsMax: 60_000,
        }),
        clock,
        randomness: createSeededRandomness(1),
        bucketCount: 1,
        peers: [],
        onCommitted: () => undefined,
      });
      const catalogue = createTableCatalogue({ store, table, clock, keepMs: () => DAY_MS });
      for (const [one, own] of Object.entries(settings)) await catalogue.create(one, own);
      const keeper = createTableArchiveKeeper({ store });
      const journal = createTableConflictJournal({
        store,
        kinds: [rowsKind],
        bucketCount: BUCKETS,
        peers: ['west'],
      });
      const trim = (
        more: Partial<RetentionSettings> = {},
        options: Partial<Omit<TrimRegionOptions, 'settings'>> = {},
      ) =>
        trimAll({
          store,
          kinds: [catalogKind, rowsKind],
          bucketCountOf: (kind) => (kind === ROWS ? BUCKETS : 1),
          clock,
          status: { read: async () => undefined },
          peers: [],
          settings: { ...RETENTION, archive: NOTHING_SET, conflicts: NOTHING_SET, ...more },
          paceMs: 0,
          ...options,
        });
      const archived = async (): Promise<[days: number, ...ids: string[]][]> => {
        const found: [number, ...string[]][] = [];
        for (const bucket of ['00', '01']) {
          for await (const row of keeper.scan({ entityKind: ROWS, bucket })) {
            if (row.kind !== 'set') continue;
            const days = (parseInt(row.rowKey.slice(0, 12), 16) - START_MS) / DAY_MS;
            found.push([days, ...row.set.changes.map(({ entityId }) => entityId)]);
          }
        }
        return found.toSorted(([a], [b]) => a - b);
      };
      const recorded = async (): Promise<string[]> =>
        (await journal.list(ROWS, 100)).map(({ stamps, entityId }) => {
          const days = (parseInt(stamps[1].slice(0, 12), 16) - START_MS) / DAY_MS;
          return `${days} ${entityId}`;
        });
      return { store, clock, archive, catalogue, keeper, journal, trim, archived, recorded };
    };

    test('goes by the age of each, and by the setting of the region for all others', async () => {
      const { clock, archive, keeper, catalogue, trim, archived } = await setUp({
        Orders: { archiveKeepMs: 2 * DAY_MS },
        Devices: {},
      });
      const sets = [1, 2, 3, 4, 5, 6].flatMap((days) => [
        openSetAt(days * DAY_MS, ORDERS),
        openSetAt((days + 0.25) * DAY_MS, DEVICES),
      ]);
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      await clock.advance(7 * DAY_MS);
      expect(await trim()).toMatchObject([{ entityKind: ROWS, table: 'Archive', rows: 3 }]);
      expect((await archived()).filter(([, id]) => id === ORDERS).map(([days]) => days)).toEqual([
        4, 5, 6,
      ]);
      expect((await archived()).filter(([, id]) => id === DEVICES)).toHaveLength(6);
      const ids = { orders: ORDERS.slice(0, 8), devices: DEVICES.slice(0, 8) };
      expect(await keeper.horizonMs(ROWS, ids.orders)).toBe(START_MS + 5 * DAY_MS);
      expect(await keeper.horizonMs(ROWS, ids.devices)).toBeUndefined();
      // A longer age brings nothing back, and what is kept from now on is kept longer.
      await catalogue.change('Orders', { archiveKeepMs: 4 * DAY_MS });
      await trim({ archive: { keepMs: 3 * DAY_MS, keepBytes: undefined } });
      expect((await archived()).map(([days]) => days)).toEqual([3.25, 4, 4.25, 5, 5.25, 6, 6.25]);
      expect(await keeper.horizonMs(ROWS, ids.orders)).toBe(START_MS + 5 * DAY_MS);
      expect(await keeper.horizonMs(ROWS, ids.devices)).toBe(START_MS + 4 * DAY_MS);
      expect(await keeper.horizonMs(ROWS)).toBe(START_MS + 5 * DAY_MS);
    });

    test('keeps a set of which a change is of a table that keeps it longer', async () => {
      const { clock, archive, keeper, trim, archived } = await setUp({
        Orders: { archiveKeepMs: DAY_MS },
      });
      const sets = [1, 2, 3].map((days) => openSetAt(days * DAY_MS, ORDERS, DEVICES));
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      await clock.advance(9 * DAY_MS);
      await trim();
      expect(await archived()).toHaveLength(3);
      await trim({ archive: { keepMs: DAY_MS, keepBytes: undefined } });
      expect((await archived()).map(([days]) => days)).toEqual([3]);
      expect(await keeper.horizonMs(ROWS, ORDERS.slice(0, 8))).toBe(START_MS + 8 * DAY_MS);
    });

    test('keeps of conflicts what is younger, what is promised, and what a peer is still to be told', async () => {
      const { store, clock, journal, trim, recorded } = await setUp({
        Orders: { conflictsKeepMs: 2 * DAY_MS },
      });
      const of = (id: string) => [1, 2, 3, 4].map((days) => conflictAt(days * DAY_MS, id));
      await journal.record([...of(ORDERS), ...of(DEVICES)]);
      await clock.advance(5 * DAY_MS);
      await trim();
      expect(await recorded()).toHaveLength(8);
      const owed = (await journal.untold('west', { limit: 100 })).conflicts;
      const [kept] = owed.filter(({ conflict }) => conflict.entityId === ORDERS);
      await journal.told(
        'west',
        owed.filter((one) => one !== kept),
      );
      await trim();
      const left = (await recorded()).filter((text) => text.endsWith(ORDERS));
      const owedDays = (
        (await journal.untold('west', { limit: 9 })).conflicts[0]?.conflict.stamps[1] ?? ''
      ).slice(0, 12);
      const days = (parseInt(owedDays, 16) - START_MS) / DAY_MS;
      expect(left.map((text) => Number(text.split(' ')[0])).toSorted((a, b) => a - b)).toEqual(
        [...new Set([days, 3, 4])].toSorted((a, b) => a - b),
      );
      expect((await recorded()).filter((text) => text.endsWith(DEVICES))).toHaveLength(4);
      await journal.told('west', (await journal.untold('west', { limit: 9 })).conflicts);
      const all = { keepMs: DAY_MS / 4, keepBytes: undefined };
      await trim({ conflicts: all, promiseMs: 1.5 * DAY_MS });
      expect((await recorded()).toSorted()).toEqual(
        [`4 ${DEVICES}`, `3 ${ORDERS}`, `4 ${ORDERS}`].toSorted(),
      );
      const from = await createConflictHorizons({ store, entityKind: ROWS }).read();
      expect(from).toEqual({
        kindMs: START_MS + 3.5 * DAY_MS,
        tables: new Map([[ORDERS.slice(0, 8), START_MS + 3 * DAY_MS]]),
      });
    });

    test('waits for no peer with what is not replicated, however long none was heard', async () => {
      const { store, clock, archive } = await setUp({});
      await store.createTable(localRowsKind.name);
      const kinds = [rowsKind, localRowsKind];
      for (const kind of kinds) {
        const sets = [1, 2, 3].map((days) => setOfRows(kind, days * DAY_MS, [ORDERS]));
        await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      }
      await clock.advance(7 * DAY_MS);
      const trimmed = await trimAll({
        store,
        kinds,
        bucketCountOf: () => BUCKETS,
        clock,
        status: { read: async () => undefined },
        peers: ['west'],
        settings: RETENTION,
        paceMs: 0,
      });
      expect(trimmed).toMatchObject([
        { entityKind: ROWS, horizonMs: undefined, rows: 0 },
        { entityKind: localRowsKind.name, rows: 2 },
      ]);
    });

    test('takes the oldest conflicts where they are more than the size that is kept', async () => {
      const { clock, journal, trim, recorded } = await setUp({});
      await journal.accept([1, 2, 3, 4].map((days) => conflictAt(days * DAY_MS, DEVICES)));
      await clock.advance(6 * DAY_MS);
      const one = { keepMs: undefined, keepBytes: 700 };
      await trim({ conflicts: { keepMs: undefined, keepBytes: 1_000_000 } });
      expect(await recorded()).toHaveLength(4);
      expect(await trim({ conflicts: one, promiseMs: DAY_MS })).toMatchObject([
        { entityKind: catalogKind.name, rows: 0 },
        { entityKind: ROWS, table: 'Conflicts', rows: 2 },
      ]);
      expect(await recorded()).toEqual([`4 ${DEVICES}`, `3 ${DEVICES}`]);
    });

    test('records of a table that is kept as all others again what goes of it with those', async () => {
      const { clock, keeper, trim } = await setUp({ Orders: { archiveKeepMs: 2 * DAY_MS } });
      await clock.advance(5 * DAY_MS);
      await trim();
      await clock.advance(5 * DAY_MS);
      const archive = { keepMs: 4 * DAY_MS, keepBytes: undefined };
      const settings = { archive, promiseMs: DAY_MS };
      const horizonMs = clock.nowMs() - 4 * DAY_MS;
      // Without its catalogue nothing is known of any table.
      await trim(settings, { kinds: [rowsKind] });
      expect(await keeper.horizonMs(ROWS, ORDERS.slice(0, 8))).toBe(horizonMs);
    });

    test('takes nothing of either away while the region is held', async () => {
      const { store, clock, archive, journal, trim } = await setUp({});
      const sets = [1, 2].map((days) => openSetAt(days * DAY_MS, DEVICES));
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      await journal.accept([conflictAt(DAY_MS, DEVICES)]);
      await clock.advance(6 * DAY_MS);
      const hold = createTableRegionHold({ store });
      const held = { reason: 'is rebuilt', sinceMs: START_MS };
      await hold.set(held);
      const keep = { keepMs: DAY_MS, keepBytes: undefined };
      const own = { kinds: [rowsKind] };
      const parts = ['Archive', 'Conflicts'].map((table) => ({ table, rows: 0, isWhole: false }));
      expect(await trim({ archive: keep, conflicts: keep }, own)).toMatchObject(parts);
      await hold.release(held);
      expect(await trim({ archive: keep, conflicts: keep }, own)).toMatchObject([
        { table: 'Archive', rows: 1, isWhole: true },
        { table: 'Conflicts', rows: 1, isWhole: true },
      ]);
    });

    test('leaves either to its writers between two transactions, and ends a turn at its bound', async () => {
      const { clock, archive, journal, trim, archived, recorded } = await setUp({});
      const days = Array.from({ length: 120 }, (_, index) => 1 + index / 1_000);
      const sets = days.map((one) => openSetAt(one * DAY_MS, DEVICES));
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      await journal.accept(days.map((one) => conflictAt(one * DAY_MS, DEVICES)));
      await clock.advance(6 * DAY_MS);
      const pacedMs: number[] = [];
      const sleep = async (durationMs: number) => void pacedMs.push(durationMs);
      const options = { kinds: [rowsKind], clock: { ...clock, sleep }, paceMs: 7, rowsMax: 1 };
      const keep = { keepMs: DAY_MS, keepBytes: undefined };
      const [first] = await trim({ archive: keep }, options);
      expect(first?.isWhole).toBe(false);
      expect(await archived()).toHaveLength(120 - (first?.rows ?? 0));
      expect(pacedMs).toEqual([7]);
      const [second] = await trim({ conflicts: keep }, options);
      expect(second).toMatchObject({ table: 'Conflicts', rows: 50, isWhole: false });
      expect(await recorded()).toHaveLength(70);
      expect(pacedMs).toEqual([7, 7]);
    });

    test('forgets what was deleted once its tombstone is gone, by the horizon of its own table', async () => {
      const { store, clock, archive, trim, archived } = await setUp({});
      const early = rowOf('devices', 'y');
      const deleted = [
        deletedAt(2.5 * DAY_MS, ORDERS),
        deletedAt(2.6 * DAY_MS, DEVICES),
        deletedAt(1.5 * DAY_MS, early),
      ];
      await archive.append(deleted.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      const tombstones = createTombstoneHorizons({ store, entityKind: ROWS });
      await tombstones.raise(START_MS + 3 * DAY_MS, ORDERS.slice(0, 8));
      await clock.advance(6 * DAY_MS);
      const settings = {
        archive: { keepMs: DAY_MS, keepBytes: undefined },
        tombstoneAgeMs: 4 * DAY_MS,
      };
      const progress = {
        heartbeatMs: clock.nowMs(),
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: [
          {
            peer: 'west',
            passedMs: clock.nowMs() - 2 * DAY_MS,
            allAppliedMs: clock.nowMs(),
            isReachable: true,
          },
        ],
      };
      const options = { peers: ['west'], status: { read: async () => progress } };
      await trim(settings, options);
      // A peer that is behind may still send what is older than the deletion.
      expect((await archived()).map(([, id]) => id)).toEqual([early, DEVICES]);
      progress.peers[0]!.passedMs = clock.nowMs();
      await trim(settings, options);
      expect((await archived()).map(([, id]) => id)).toEqual([DEVICES]);
    });

    test('takes nothing of a table by an age of its own before every peer has said what it has', async () => {
      const { clock, archive, trim } = await setUp({ Orders: { archiveKeepMs: DAY_MS } });
      const sets = [1, 2].map((days) => openSetAt(days * DAY_MS, ORDERS));
      await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
      await clock.advance(6 * DAY_MS);
      expect(await trim({}, { peers: ['west'] })).toMatchObject([
        { entityKind: ROWS, rows: 0, horizonMs: undefined },
      ]);
    });

    test('keeps a conflict that is found again while it is about to go', async () => {
      const { store, clock, trim, recorded } = await setUp({});
      const again = conflictAt(DAY_MS, DEVICES);
      const journal = createTableConflictJournal({
        store,
        kinds: [rowsKind],
        bucketCount: BUCKETS,
        peers: ['west'],
      });
      await journal.accept([again]);
      await clock.advance(6 * DAY_MS);
      const busy: TableStore = {
        ...store,
        createTable: (table) => store.createTable(table),
        get: (...asked) => store.get(...asked),
        query: (range) => store.query(range),
        timeMs: () => store.timeMs(),
        async commit(transaction) {
          const outcome = await store.commit(transaction);
          const isMarked = transaction.operations.some(
            (one) => one.kind === 'replace' && one.properties.has('going'),
          );
          // After the mark and before the deletion.
          if (isMarked) await journal.record([again]);
          return outcome;
        },
      };
      const options = {
        store: busy,
        kinds: [rowsKind],
        bucketCountOf: () => BUCKETS,
        clock,
        peers: [],
      };
      await trimAll({
        ...options,
        status: { read: async () => undefined },
        settings: {
          ...RETENTION,
          archive: NOTHING_SET,
          conflicts: { keepMs: DAY_MS, keepBytes: undefined },
        },
        paceMs: 0,
      });
      expect(await recorded()).toEqual([`1 ${DEVICES}`]);
      expect((await journal.untold('west', { limit: 9 })).conflicts).toHaveLength(1);
      await trim({ conflicts: { keepMs: DAY_MS, keepBytes: undefined } });
      expect(await recorded()).toHaveLength(1);
    });
  });
}

const NOTHING_SET = { keepMs: undefined, keepBytes: undefined };
