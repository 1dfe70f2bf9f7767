import { randomBytes } from 'node:crypto';
import {
  bucketOf,
  type Conflict,
  type ContestedField,
  encodeConflict,
  eraseConflict,
  formatStamp,
  joinConflicts,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createDamagedRows } from '../recovery/damaged-rows.ts';
import { CONFLICTS_TABLE, createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { trimConflicts } from '../tables/trim-conflicts.ts';
import { deviceKind } from './device-kind.ts';

const BUCKETS = 2;
/** So many columns fill a row of the table. */
const COLUMNS = 15;
const COLUMN_BYTES_MAX = 64 * 1_024;
const COLUMN_BYTES = 1_024;
/** For most of it smaller ones do as well, with bounds to match. */
const BOUNDS = { plainBytesMax: 8 * 1_024, partBytes: 3 * 1_024 };

/** Its id is what the key of a later row ends with, so that neither is taken for the other. */
const ID = 'f01';
const BUCKET = bucketOf(ID, BUCKETS);

/** What two writes of a whole row lose to each other, of bytes that do not deflate. */
function largeOf(
  entityKind: string,
  timeMs: number,
  columns = COLUMNS,
  columnBytes = COLUMN_BYTES,
): Conflict {
  const stampOf = (region: string) =>
    formatStamp({ timeMs, counter: 0, region, writer: 'w0000001' });
  const stamps = [stampOf('east'), stampOf('west')] as const;
  const fieldOf = (stamp: (typeof stamps)[number]) => {
    const value = new Uint8Array(randomBytes(columnBytes));
    return { stamp, value: { type: 'Binary' as const, value } };
  };
  const fields = Array.from(
    { length: columns },
    (_, nth): ContestedField => ({
      name: `c${String(nth).padStart(2, '0')}`,
      winner: fieldOf(stamps[1]),
      loser: fieldOf(stamps[0]),
    }),
  );
  return { entityKind, entityId: ID, stamps, fields, life: undefined };
}

/** What every table store has to do for a journal to keep conflicts that are larger than a row. */
export function describeConflictJournal(name: string, openStore: () => Promise<TableStore>): void {
  describe(`I7: a conflict of more than a row holds, in ${name}`, () => {
    let worlds = 0;
    const setUp = async (largeConflicts: typeof BOUNDS | undefined = BOUNDS) => {
      const store = await openStore();
      worlds += 1;
      // The store may be one for all of them.
      const kind = { ...deviceKind, name: `Devices${worlds}` };
      const peer = `west${worlds}`;
      const partition = `${kind.name}-${BUCKET}`;
      await store.createTable(CONFLICTS_TABLE);
      const options = { store, kinds: [kind], bucketCount: BUCKETS, peers: [peer] };
      const journal = createTableConflictJournal({ ...options, largeConflicts });
      const damagedRows = createDamagedRows({ ...options, kind });
      const rows = async (): Promise<readonly TableRow[]> =>
        (await store.query({ table: CONFLICTS_TABLE, partitions: partition, limit: 200 })).rows;
      const remove = async (rowKey: string): Promise<void> => {
        const operations = [{ kind: 'delete' as const, rowKey }];
        await store.commit({ table: CONFLICTS_TABLE, partitionKey: partition, operations });
      };
      const damaged = async () => {
        const found: string[] = [];
        for await (const one of damagedRows.scan()) {
          if (one.table === CONFLICTS_TABLE) found.push(`${one.state} ${one.rowKey}`);
        }
        return found;
      };
      const texts = async () => (await journal.list(kind.name, 10)).map(textOf);
      await store.createTable(kind.name);
      await store.createTable('Archive');
      const damagedCount = async () => {
        let count = 0;
        for await (const _ of journal.scan(kind.name, BUCKET, () => (count += 1)));
        return count;
      };
      const largeAt = (timeMs: number, columns?: number, columnBytes?: number): Conflict =>
        largeOf(kind.name, timeMs, columns, columnBytes);
      const found = { damaged, damagedCount, texts, rows };
      return { store, kind, peer, partition, journal, damagedRows, remove, largeAt, ...found };
    };

    test('is kept whole over several rows, beside small ones, and told to the peers', async () => {
      const { journal, rows, damaged, texts, peer, largeAt } = await setUp(undefined);
      const large = largeAt(2_000, COLUMNS, COLUMN_BYTES_MAX);
      const small = [largeAt(1_000, 1), largeAt(3_000, 1)];
      await journal.record([large, ...small]);
      const keys = (await rows()).map(({ rowKey }) => rowKey);
      expect(keys.length).toBeGreaterThan(10);
      expect(keys.filter((key) => key.split('~').length === 3)).toHaveLength(3);
      expect(await texts()).toEqual([small[1]!, large, small[0]!].map(textOf));
      const { conflicts: untold } = await journal.untold(peer, { limit: 10 });
      expect(untold.map(({ conflict }) => textOf(conflict)).sort()).toEqual((await texts()).sort());
      expect(await damaged()).toEqual([]);
      // Said again it is the same.
      await journal.record([large]);
      expect((await rows()).map(({ rowKey }) => rowKey)).toEqual(keys);
    });

    test('grows by what others tell of it, and shrinks once its values are erased', async () => {
      const { journal, rows, damaged, texts, largeAt } = await setUp();
      const large = largeAt(2_000);
      const [first, ...others] = large.fields.map((field) => ({ ...large, fields: [field] }));
      await journal.accept([first!]);
      expect(await rows()).toHaveLength(1);
      await journal.accept(others);
      expect((await rows()).length).toBeGreaterThan(10);
      expect(await texts()).toEqual([textOf(large)]);
      const erased = eraseConflict(large);
      await journal.accept([erased]);
      await journal.accept([large]);
      expect(await texts()).toEqual([textOf(joinConflicts(erased, large))]);
      expect(await rows()).toHaveLength(1);
      expect(await damaged()).toEqual([]);
    });

    test.each([0, 1, 5])(
      'that has lost a row is named, never taken for less, and made whole by a peer (row %d)',
      async (nth) => {
        const { journal, rows, remove, damagedRows, texts, largeAt, ...more } = await setUp();
        const { damaged, damagedCount, peer, partition } = more;
        const [large, small] = [largeAt(2_000), largeAt(3_000, 1)];
        await journal.record([large, small]);
        const before = (await rows()).map(({ rowKey }) => rowKey);
        await remove(before[nth]!);
        expect(await texts()).toEqual([textOf(small)]);
        const untold = (await journal.untold(peer, { limit: 10 })).conflicts;
        expect(untold.map(({ conflict }) => textOf(conflict))).toEqual([textOf(small)]);
        expect(await damagedCount()).toBeGreaterThan(0);
        const named = await damaged();
        expect(named.length).toBeGreaterThan(0);
        expect(named.every((text) => text.startsWith('damaged '))).toBe(true);
        expect(named).toContain(`damaged ${nth === 0 ? before[1] : before[0]}`);
        // A peer tells a part of it, then all.
        await journal.accept([{ ...large, fields: large.fields.slice(0, 1) }]);
        await journal.accept([large]);
        expect(await texts()).toEqual([small, large].map(textOf));
        expect(await damagedCount()).toBe(0);
        // What was left of the damaged one is beside it, as one that an operator can discard.
        for (const text of await damaged()) {
          expect(text).toMatch(/^aside /);
          const rowKey = text.slice('aside '.length);
          const address = { table: CONFLICTS_TABLE, partitionKey: partition, rowKey };
          if ((await damagedRows.read(address)) !== undefined) await damagedRows.discard(address);
        }
        expect((await rows()).map(({ rowKey }) => rowKey)).toEqual(before);
      },
    );

    test('goes whole where it is trimmed, and stays while a peer is to be told', async () => {
      const { store, kind, peer, journal, rows, largeAt } = await setUp();
      await journal.record([largeAt(2_000)]);
      await journal.accept([largeAt(1_000), largeAt(9_000)]);
      const trim = () =>
        trimConflicts({
          store,
          entityKind: kind.name,
          buckets: [BUCKET],
          horizons: { kindMs: 5_000, tables: new Map() },
          isBusy: async () => false,
          pace: async () => undefined,
          rowsMax: 100,
        });
      const timesOf = async () => [
        ...new Set((await rows()).map(({ rowKey }) => parseInt(rowKey.slice(0, 12), 16))),
      ];
      expect(await trim()).toMatchObject({ rows: 1, isWhole: true });
      expect(await timesOf()).toEqual([2_000, 9_000]);
      await journal.told(peer, (await journal.untold(peer, { limit: 10 })).conflicts);
      const report = await trim();
      expect(report).toMatchObject({ rows: 1, isWhole: true });
      expect(report.bytes).toBeGreaterThan(2 * COLUMNS * COLUMN_BYTES);
      expect(await timesOf()).toEqual([9_000]);
    });
  });
}

function textOf(conflict: Conflict): string {
  return Buffer.from(encodeConflict(conflict)).toString();
}
