import { describe, expect, test } from 'vitest';
import { archivePartitionOf, CHANGES_PER_SET_MAX, type ChangeSet } from '../model/change-set.ts';
import type { ArchiveRow, ScannedArchiveRow } from '../ports/recovery-region.ts';
import type { EntityState } from '../state/entity-state.ts';
import { alive, at, SPAN, setOf } from '../testing/memory-recovery-region.ts';
import { encodeChangeSet } from '../wire/change-set-bytes.ts';
import { copyArchive } from './copy-archive.ts';

function rowOf(set: ChangeSet, more: Partial<ArchiveRow> = {}): ScannedArchiveRow {
  const partitionKey = archivePartitionOf(set);
  const encoded = encodeChangeSet(set);
  return { kind: 'set', partitionKey, rowKey: set.stamp, set, encoded, etag: undefined, ...more };
}

function tornAt(set: ChangeSet, etag?: string): ScannedArchiveRow {
  const partitionKey = archivePartitionOf(set);
  return { kind: 'damaged', partitionKey, rowKey: set.stamp, problem: 'It is torn.', etag };
}

const keeperOf = (rows: readonly ScannedArchiveRow[]) => ({
  async *scan() {
    yield* rows;
  },
});

/** Copies, and says what each call wrote: the times of the rows, and the rows themselves. */
async function copied(
  from: readonly ScannedArchiveRow[],
  into: readonly ScannedArchiveRow[],
  refuse: (rows: readonly ArchiveRow[], nth: number) => readonly ArchiveRow[] = () => [],
  horizonMs?: number,
) {
  const puts: (readonly ArchiveRow[])[] = [];
  const told: number[] = [];
  const damaged: string[] = [];
  const written = await copyArchive({
    ...SPAN,
    from: keeperOf(from),
    into: {
      ...keeperOf(into),
      horizons: async () => ({ kindMs: horizonMs, tables: new Map() }),
      put: async (rows) => {
        puts.push(rows);
        return refuse(rows, puts.length);
      },
    },
    onDamaged: ({ rowKey }) => damaged.push(rowKey),
    onRows: (count) => told.push(count),
  }).catch((error: unknown) => error);
  return { written, puts, told, damaged, rows: puts.flat() };
}

const one = (timeMs: number, id = 'a'): ChangeSet => setOf(at(timeMs), [id, alive(timeMs)]);

describe('copying an archive', () => {
  test('gives what is not there, in whatever partition, and nothing else', async () => {
    const dayMs = 86_400_000;
    const from = [1, 2, 3, dayMs, dayMs + 5].map((timeMs) => rowOf(one(timeMs)));
    const into = [0, 2, 4, dayMs + 5, dayMs + 9].map((timeMs) => rowOf(one(timeMs)));
    const { written, rows, told } = await copied(from, into);
    expect(rows.map(({ rowKey }) => rowKey)).toEqual([at(1), at(3), at(dayMs)]);
    expect({ written, told }).toEqual({ written: 3, told: [3] });
    const again = await copied(into, into);
    expect(again).toMatchObject({ written: 0, puts: [], told: [] });
  });

  test('puts 500 at a time, and no more than four megabytes', async () => {
    const many = Array.from({ length: 1_101 }, (_, n) => rowOf(one(n + 1)));
    const { puts, told } = await copied(many, []);
    expect(puts.map(({ length }) => length)).toEqual([500, 500, 101]);
    expect(told).toEqual([500, 500, 101]);
    const large = Array.from({ length: 45 }, (_, n) =>
      rowOf(setOf(at(n + 1), ['a', alive(n + 1, 'x'.repeat(210_000))])),
    );
    // 20 of them are a little more than four megabytes.
    expect((await copied(large, [])).puts.map(({ length }) => length)).toEqual([20, 20, 5]);
  });

  test('keeps each change of either where both have a set, unless those are too many', async () => {
    const [a, b] = [one(5, 'a'), one(5, 'b')];
    const both = setOf(at(5), ['a', alive(5)], ['b', alive(5)]);
    const { rows } = await copied([rowOf(b)], [rowOf(a, { etag: '7' })]);
    expect(rows.map(({ set, etag }) => [set, etag])).toEqual([[both, '7']]);
    expect(rows[0]?.encoded).toEqual(encodeChangeSet(both));
    expect((await copied([rowOf(a)], [rowOf(both)])).puts).toEqual([]);
    const others = Array.from({ length: CHANGES_PER_SET_MAX }, (_, n): [string, EntityState] => [
      `d${n}`,
      alive(5),
    ]);
    expect((await copied([rowOf(a)], [rowOf(setOf(at(5), ...others))])).puts).toEqual([]);
  });

  test('lets what stands for a set give way to it, and adds it to none', async () => {
    const [real, standIn] = [one(5, 'a'), one(5, 'b')];
    const over = await copied([rowOf(real)], [rowOf(standIn, { isStandIn: true, etag: '7' })]);
    expect(over.rows.map(({ set, etag }) => [set, etag])).toEqual([[real, '7']]);
    expect((await copied([rowOf(standIn, { isStandIn: true })], [rowOf(real)])).puts).toEqual([]);
    const stood = await copied(
      [rowOf(standIn, { isStandIn: true })],
      [rowOf(real, { isStandIn: true })],
    );
    expect(stood.rows.map(({ set }) => set.changes.length)).toEqual([2]);
  });

  test('names what is damaged, goes round it, and replaces it where the other can be read', async () => {
    const from = [tornAt(one(1)), rowOf(one(2)), rowOf(one(3))];
    const into = [rowOf(one(1)), tornAt(one(2), '7'), rowOf(one(3))];
    const { rows, damaged } = await copied(from, into);
    expect(damaged).toEqual([at(1)]);
    expect(rows.map(({ rowKey, etag }) => [rowKey, etag])).toEqual([[at(2), '7']]);
  });

  test('looks again at what was archived meanwhile, five times, and counts what it wrote', async () => {
    const from = [1, 2, 3].map((timeMs) => rowOf(one(timeMs)));
    const once = await copied(from, [], (rows, nth) => (nth === 1 ? rows.slice(0, 2) : []));
    // As this archive stays empty, the second pass writes all of them.
    expect(once).toMatchObject({ written: 4, told: [1, 3] });
    const never = await copied(from, [], (rows, nth) => (nth < 5 ? rows : []));
    expect(never.written).toBe(3);
    const always = await copied(from, [], (rows) => rows);
    expect(always.written).toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(always.puts).toHaveLength(5);
  });
});
