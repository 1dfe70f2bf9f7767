import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { RowRange } from '../../ports/table-store.ts';
import { insert, remove, type TableStoreUnderTest, upsert } from './table-store-harness.ts';

/** In the order of their UTF-16 units, which is neither that of a dictionary nor of code points. */
const ORDERED = ['!', '0', '10', '9', 'A', 'Z', 'a', 'a!', 'aa', 'b', '~', 'é', '😀', 'ﬀ'];

/** Call inside `describe`. */
export function describeQueries(it: TableStoreUnderTest): void {
  const seed = async () => {
    for (const partitionKey of ['p', 'P', 'q', 'p!', 'r']) {
      const keys = ['c', 'a', 'e', 'b', 'd'];
      await it.write(partitionKey, ...keys.map((key) => insert(key)));
    }
  };
  const keysIn = async (range: Omit<RowRange, 'table'>) => {
    const rows = await it.readAll(range);
    return rows.map((row) => `${row.partitionKey}/${row.rowKey}`);
  };

  describe('queries', () => {
    test('rows come in the order of their UTF-16 units', async () => {
      await it.write('p', ...ORDERED.toReversed().map((key) => insert(key)));
      expect(await keysIn({ partitions: 'p', limit: 100 })).toEqual(
        ORDERED.map((key) => `p/${key}`),
      );
    });

    test('partitions come in the order of their UTF-16 units', async () => {
      for (const partitionKey of ORDERED.toReversed()) await it.write(partitionKey, insert('r'));
      const partitions = { from: '!', before: '\uffff' };
      expect(await keysIn({ partitions, limit: 100 })).toEqual(ORDERED.map((key) => `${key}/r`));
    });

    test('one partition holds nothing of its neighbours', async () => {
      await seed();
      expect(await keysIn({ partitions: 'p', limit: 100 })).toEqual([
        'p/a',
        'p/b',
        'p/c',
        'p/d',
        'p/e',
      ]);
    });

    test('a row range includes its first key and excludes its last', async () => {
      await seed();
      const range = { partitions: 'p', rowsFrom: 'b', rowsBefore: 'd', limit: 100 };
      expect(await keysIn(range)).toEqual(['p/b', 'p/c']);
      expect(await keysIn({ partitions: 'p', rowsFrom: 'd', limit: 100 })).toEqual(['p/d', 'p/e']);
      expect(await keysIn({ partitions: 'p', rowsBefore: 'b', limit: 100 })).toEqual(['p/a']);
    });

    test('a row range may exclude its first key and include its last', async () => {
      await seed();
      await it.write('p', insert('b '), insert('d '));
      const range = { partitions: 'p', rowsAfter: 'b', rowsThrough: 'd', limit: 1 };
      expect(await keysIn(range)).toEqual(['p/b ', 'p/c', 'p/d']);
      expect(await keysIn({ partitions: 'p', rowsAfter: 'd ', limit: 9 })).toEqual(['p/e']);
      const both = { partitions: 'p', rowsFrom: 'a', rowsAfter: 'b', rowsBefore: 'd', limit: 9 };
      expect(await keysIn({ ...both, rowsThrough: 'c' })).toEqual(['p/b ', 'p/c']);
    });

    test('a range of partitions includes its first and excludes its last', async () => {
      await seed();
      const range = { partitions: { from: 'p', before: 'q' }, rowsFrom: 'd', limit: 100 };
      expect(await keysIn(range)).toEqual(['p/d', 'p/e', 'p!/d', 'p!/e']);
    });

    test('rows that were written before a moment are left out, by the clock of the store', async () => {
      await it.write('p', insert('old'), insert('anew'), insert('gone'));
      // It tells whole seconds, so these are of before the next.
      const writtenFromMs = ((await it.store.timeMs()) ?? 0) + 1_000;
      await delay(2_000);
      await it.write('p', upsert('anew'), insert('new'), remove('gone'));
      const range = { partitions: 'p', rowsFrom: 'a', limit: 1 };
      expect(await keysIn({ ...range, writtenFromMs })).toEqual(['p/anew', 'p/new']);
      expect(await keysIn({ ...range, writtenFromMs: 0 })).toEqual(['p/anew', 'p/new', 'p/old']);
    });

    test('an empty range, partition or table gives no rows', async () => {
      expect(await keysIn({ partitions: 'p', limit: 100 })).toEqual([]);
      await seed();
      expect(await keysIn({ partitions: 'nobody', limit: 100 })).toEqual([]);
      expect(await keysIn({ partitions: 'p', rowsFrom: 'x', limit: 100 })).toEqual([]);
      expect(await keysIn({ partitions: { from: 'x', before: 'y' }, limit: 100 })).toEqual([]);
    });

    test.each([1, 2, 3, 4, 7, 25, 1_000])(
      'pages of %d rows join to the whole, across partitions',
      async (limit) => {
        await seed();
        const keys = await keysIn({ partitions: { from: 'P', before: 's' }, limit });
        const expected = ['P', 'p', 'p!', 'q', 'r'].flatMap((partitionKey) =>
          ['a', 'b', 'c', 'd', 'e'].map((rowKey) => `${partitionKey}/${rowKey}`),
        );
        expect(keys).toEqual(expected);
      },
    );

    test('a page holds no more rows than asked for', async () => {
      await seed();
      const partitions = { from: 'P', before: 's' };
      const page = await it.store.query({ table: it.table, partitions, limit: 7 });
      expect(page.rows.length).toBeLessThanOrEqual(7);
      expect(page.continuation).toBeTypeOf('string');
    });

    test('a continuation is good after rows were removed and inserted', async () => {
      await seed();
      const range = { table: it.table, partitions: 'p', limit: 2 };
      const { rows, continuation = '' } = await it.store.query(range);
      expect(rows.map((row) => row.rowKey)).toEqual(['a', 'b']);
      await it.write('p', remove('c'), insert('cc'), insert('aa'));
      const next = await it.store.query({ ...range, limit: 100, continuation });
      expect(next.rows.map((row) => row.rowKey)).toEqual(['cc', 'd', 'e']);
    });

    test('a continuation holds keys of any characters', async () => {
      const keys = ["O'Brien", '%41', 'a&b=c', 'ümläut', '中文'].sort();
      for (const key of keys) await it.write(key, ...keys.map((rowKey) => insert(rowKey)));
      const expected = keys.flatMap((partitionKey) =>
        keys.map((rowKey) => `${partitionKey}/${rowKey}`),
      );
      expect(await keysIn({ partitions: { from: '!', before: '\uffff' }, limit: 2 })).toEqual(
        expected,
      );
    });

    test('more than 1,000 rows come in pages', async () => {
      const keys = Array.from({ length: 1_100 }, (_, index) => String(index).padStart(5, '0'));
      for (let index = 0; index < keys.length; index += 100) {
        await it.write('p', ...keys.slice(index, index + 100).map((key) => insert(key)));
      }
      const rows = await it.readAll({ partitions: 'p', limit: 1_000 });
      expect(rows.map((row) => row.rowKey)).toEqual(keys);
    });
  });
}
