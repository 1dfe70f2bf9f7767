import { describe, expect, test } from 'vitest';
import type { RowOperation } from '../../ports/table-store.ts';
import type { FieldValue } from '../../values/field-value.ts';
import { insert, remove, type TableStoreUnderTest, text, upsert } from './table-store-harness.ts';

interface RefusedCase {
  readonly name: string;
  readonly operations: () => RowOperation[];
  readonly code: 'TABLE_LIMIT_EXCEEDED' | 'TABLE_REQUEST_INVALID';
  readonly message: RegExp;
}

/** Call inside `describe`. */
export function describeLimits(it: TableStoreUnderTest): void {
  const insertWith = (properties: [string, FieldValue][]): RowOperation => ({
    kind: 'insert',
    rowKey: 'a',
    properties: new Map(properties),
  });
  const many = (count: number, value: FieldValue) =>
    Array.from({ length: count }, (_, index): [string, FieldValue] => [`p${index}`, value]);

  describe('what can never be accepted', () => {
    const cases: readonly RefusedCase[] = [
      {
        name: '101 operations',
        operations: () => Array.from({ length: 101 }, (_, index) => insert(`r${index}`)),
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /101 .* 100/,
      },
      {
        name: 'no operation',
        operations: () => [],
        code: 'TABLE_REQUEST_INVALID',
        message: /at least one/,
      },
      {
        name: 'a row twice',
        operations: () => [insert('a'), upsert('a')],
        code: 'TABLE_REQUEST_INVALID',
        message: /twice/,
      },
      {
        name: 'a row key of 513',
        operations: () => [insert('k'.repeat(513))],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /513 .* 512/,
      },
      {
        name: 'an empty row key',
        operations: () => [insert('')],
        code: 'TABLE_REQUEST_INVALID',
        message: /empty/,
      },
      {
        name: 'a slash in a key',
        operations: () => [insert('a/b')],
        code: 'TABLE_REQUEST_INVALID',
        message: /"\/"/,
      },
      {
        name: 'a control character in a key',
        operations: () => [remove('a\u0085')],
        code: 'TABLE_REQUEST_INVALID',
        message: /encode/,
      },
      {
        name: 'half a surrogate pair in a key',
        operations: () => [insert('a\ud800')],
        code: 'TABLE_REQUEST_INVALID',
        message: /half/,
      },
      {
        name: '253 properties',
        operations: () => [insertWith(many(253, text('')))],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /253 .* 252/,
      },
      {
        name: 'a String of more than 64 KiB',
        operations: () => [insertWith([['v', text('x'.repeat(32_769))]])],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /"v" has 65538 bytes .* 65536/,
      },
      {
        name: 'a Binary of more than 64 KiB',
        operations: () => [insertWith([['v', { type: 'Binary', value: new Uint8Array(65_537) }]])],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /"v" has 65537 bytes/,
      },
      {
        name: 'a row of more than 1 MiB',
        operations: () => [insertWith(many(17, text('x'.repeat(32_000))))],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /bytes, the limit is 1048576/,
      },
      {
        name: 'a property name of 256 characters',
        operations: () => [insertWith([['n'.repeat(256), text('')]])],
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /256 .* 255/,
      },
      {
        name: 'a property with the name of a system column',
        operations: () => [insertWith([['Timestamp', text('')]])],
        code: 'TABLE_REQUEST_INVALID',
        message: /"Timestamp"/,
      },
      {
        name: 'a DateTime before 1601',
        operations: () => [
          insertWith([['v', { type: 'DateTime', value: '1600-12-31T23:59:59Z' }]]),
        ],
        code: 'TABLE_REQUEST_INVALID',
        message: /Edm.DateTime/,
      },
      {
        name: 'a transaction of more than 4 MiB',
        operations: () =>
          Array.from({ length: 5 }, (_, index) => ({
            kind: 'insert',
            rowKey: `r${index}`,
            properties: new Map(many(15, { type: 'Binary', value: new Uint8Array(65_000) })),
          })),
        code: 'TABLE_LIMIT_EXCEEDED',
        message: /4194304/,
      },
    ];

    test.each(cases)('$name', async ({ operations, code, message }) => {
      const commit = it.commit('p', ...operations());
      await expect(commit).rejects.toMatchObject({ code, retryable: false });
      await expect(commit).rejects.toThrow(message);
      expect(await it.readAll({ partitions: 'p', limit: 10 })).toEqual([]);
    });

    test('a table that is missing, or is badly named', async () => {
      const { store } = it;
      const [operation, table, partitionKey] = [insert('a'), 'Missing', 'p'];
      const other = insert('b');
      const missing = { code: 'TABLE_MISSING', message: expect.stringContaining(table) };
      await expect(store.get(table, 'p', 'a')).rejects.toMatchObject(missing);
      await expect(store.query({ table, partitions: 'p', limit: 1 })).rejects.toMatchObject(
        missing,
      );
      for (const operations of [[operation], [operation, other], [remove('a')], [upsert('a')]]) {
        const commit = store.commit({ table, partitionKey, operations });
        await expect(commit).rejects.toMatchObject(missing);
      }
      const badName = { code: 'TABLE_REQUEST_INVALID', message: expect.stringContaining('a-b') };
      await expect(store.createTable('a-b')).rejects.toMatchObject(badName);
    });

    test('a page of more than 1,000 rows, or of none', async () => {
      for (const limit of [0, 1_001]) {
        const query = it.store.query({ table: it.table, partitions: 'p', limit });
        await expect(query).rejects.toMatchObject({ code: 'TABLE_REQUEST_INVALID' });
      }
    });

    test('rows that were written from a moment that is none', async () => {
      for (const writtenFromMs of [Number.NaN, -1, 0.5, Date.UTC(10_000, 0)]) {
        const range = { table: it.table, partitions: 'p', limit: 1, writtenFromMs };
        await expect(it.store.query(range)).rejects.toMatchObject({
          code: 'TABLE_REQUEST_INVALID',
        });
      }
    });

    test('a continuation that the store did not make', async () => {
      const range = { table: it.table, partitions: 'p', limit: 1, continuation: 'no such thing' };
      await expect(it.store.query(range)).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    });
  });

  test('creating a table again changes nothing', async () => {
    await it.write('p', insert('a'));
    await it.store.createTable(it.table);
    expect(await it.get('p', 'a')).toBeDefined();
  });

  test('a row of nearly 1 MiB, and a transaction of nearly 4 MiB', async () => {
    const value = { type: 'Binary', value: new Uint8Array(43_000).fill(7) } as const;
    const operations = Array.from({ length: 3 }, (_, index) => ({
      kind: 'insert' as const,
      rowKey: `r${index}`,
      properties: new Map(many(24, value)),
    }));
    await it.write('p', ...operations);
    const rows = await it.readAll({ partitions: 'p', limit: 1 });
    expect(rows.map((row) => row.properties)).toEqual(operations.map((row) => row.properties));
  });
}
