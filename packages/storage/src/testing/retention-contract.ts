import {
  type ArchiveRow,
  archivePartitionOf,
  bucketOf,
  type ChangeSet,
  encodeChangeSet,
  formatStamp,
  type TableStore,
} from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { foldArchive } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { type RetentionSettings, trimRegion } from '../retention/trim-region.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createTableLease } from '../status/status-tables.ts';
import { ARCHIVE_TABLE, createTableArchive, toArchiveProperties } from '../tables/table-archive.ts';
import { deviceKind } from './device-kind.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const KIND = deviceKind.name;
const BUCKETS = 2;

export const RETENTION: RetentionSettings = {
  archive: { keepMs: DAY_MS, keepBytes: undefined },
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
      const trimmed = await trimRegion({
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
      expect(await trimRegion(options)).toMatchObject([{ rows: 0, isWhole: false }]);
      expect(await rows()).toHaveLength(2);
      expect(await keeper.horizonMs(KIND)).toBeUndefined();
      await lease.release();
      expect(await trimRegion(options)).toMatchObject([{ rows: 1, isWhole: true }]);
    });
  });
}
