import { describe, expect, test } from 'vitest';
import { isAskable } from '../../limits/table-limits.ts';
import {
  type Comparison,
  type ComparisonOperator,
  matches,
  type Predicate,
  printPredicate,
} from '../../model/predicate.ts';
import type { FieldValue } from '../../values/field-value.ts';
import { type TableStoreUnderTest, text } from './table-store-harness.ts';

const OPERATORS: readonly ComparisonOperator[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'];
const GUIDS = ['00000000-0000-4000-8000-000000000001', 'ffffffff-0000-4000-8000-000000000001'];
const VALUES: readonly FieldValue[] = [
  ...['', "O'Brien", 'a', 'a b', 'ä', 'B', '\u{1F600}', '7'].map(text),
  ...[true, false].map((value) => ({ type: 'Boolean', value }) as const),
  ...[-3, 0, 7, 2 ** 31 - 1].map((value) => ({ type: 'Int32', value }) as const),
  ...[-3n, 0n, 7n, 9_007_199_254_740_993n].map((value) => ({ type: 'Int64', value }) as const),
  ...[-0.5, 0, 7, 0.1, 1e21, Infinity, -Infinity, NaN].map(
    (value) => ({ type: 'Double', value }) as const,
  ),
  ...['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.1Z', '2025-12-31T00:00:00.1234567Z'].map(
    (value) => ({ type: 'DateTime', value }) as const,
  ),
  ...GUIDS.map((value) => ({ type: 'Guid', value }) as const),
  ...[[0], [0x78, 0x9c]].map(
    (value) => ({ type: 'Binary', value: new Uint8Array(value) }) as const,
  ),
];
/** Are of the millisecond of an instant above, and not the same. */
const NEAR: readonly FieldValue[] = [
  '2025-12-31T00:00:00.1234566Z',
  '2025-12-31T00:00:00.1234568Z',
].map((value) => ({ type: 'DateTime', value }) as const);

const compare = (name: string, operator: ComparisonOperator, value: FieldValue): Comparison => ({
  kind: 'compare',
  name,
  operator,
  value,
});
const askedBy = (operator: ComparisonOperator): Comparison[] =>
  [...VALUES, ...NEAR].map((value) => compare('v', operator, value)).filter(isAskable);

/** One row for each value, in `v`; a row without it; and what tells the rows apart, in `n`. */
const ROWS = [...VALUES, ...NEAR, undefined].map((value, index) => ({
  type: value?.type,
  rowKey: String(index).padStart(3, '0'),
  properties: new Map<string, FieldValue>([
    ['n', { type: 'Double', value: index }],
    ...(value === undefined ? [] : [['v', value] as const]),
  ]),
}));

/** Tells where a store may leave a row in: two instants of one millisecond, and what is no number. */
const isNear = (stored: FieldValue | undefined, given: FieldValue): boolean => {
  if (stored?.type === 'Double') return Number.isNaN(stored.value);
  if (stored?.type !== 'DateTime' || given.type !== 'DateTime') return false;
  return stored.value !== given.value && Date.parse(stored.value) === Date.parse(given.value);
};

const below = (value: number) => compare('n', 'lt', { type: 'Double', value });
const from = (value: number) => compare('n', 'ge', { type: 'Double', value });
const isTrue = compare('v', 'eq', { type: 'Boolean', value: true });
const absent = compare('other', 'ne', text('a'));

/** Call inside `describe`. */
export function describePredicates(it: TableStoreUnderTest): void {
  const seed = async () =>
    it.write(
      'p',
      ...ROWS.map(({ rowKey, properties }) => ({ kind: 'insert', rowKey, properties }) as const),
    );
  const found = async (where: Predicate) =>
    (await it.readAll({ partitions: 'p', where, limit: 1_000 })).map(({ rowKey }) => rowKey);
  const expected = (where: Predicate) =>
    ROWS.filter(({ properties }) => matches(where, (name) => properties.get(name))).map(
      ({ rowKey }) => rowKey,
    );

  describe('predicates', () => {
    test.each(OPERATORS)(
      '%s finds exactly what matches among values of one type',
      async (operator) => {
        await seed();
        for (const where of askedBy(operator)) {
          const { value } = where;
          const ofType = new Set(
            ROWS.filter(
              (row) => row.type === value.type && !isNear(row.properties.get('v'), value),
            ).map((row) => row.rowKey),
          );
          const inType = (rowKeys: readonly string[]) => rowKeys.filter((one) => ofType.has(one));
          expect([printPredicate(where), inType(await found(where))]).toEqual([
            printPredicate(where),
            inType(expected(where)),
          ]);
        }
      },
    );

    test.each(OPERATORS)(
      '%s leaves out nothing that matches, whatever its type',
      async (operator) => {
        await seed();
        for (const where of askedBy(operator)) {
          const rowKeys = new Set(await found(where));
          const missing = expected(where).filter((one) => !rowKeys.has(one));
          expect([printPredicate(where), missing]).toEqual([printPredicate(where), []]);
        }
      },
    );

    test.each<[string, Predicate]>([
      ['a property that no row has', absent],
      ['and', { kind: 'and', parts: [below(9), from(3)] }],
      ['or', { kind: 'or', parts: [below(2), isTrue] }],
      [
        'or within and',
        { kind: 'and', parts: [{ kind: 'or', parts: [below(2), isTrue] }, below(1)] },
      ],
      [
        'and within or',
        { kind: 'or', parts: [{ kind: 'and', parts: [below(5), isTrue] }, below(1)] },
      ],
    ])('%s', async (_, where) => {
      await seed();
      expect(await found(where)).toEqual(expected(where));
    });

    test('hold together with the bounds of a range', async () => {
      await seed();
      const range = { partitions: 'p', rowsAfter: '002', rowsBefore: '009', limit: 2 };
      const rows = await it.readAll({ ...range, where: from(5) });
      expect(rows.map(({ rowKey }) => rowKey)).toEqual(['005', '006', '007', '008']);
    });

    test('a page that finds few, or nothing, goes on to what there is', async () => {
      for (let start = 0; start < 2_100; start += 100) {
        const numbers = Array.from({ length: 100 }, (_, index) => start + index);
        await it.write(
          'p',
          ...numbers.map((value) => ({
            kind: 'insert' as const,
            rowKey: String(value).padStart(5, '0'),
            properties: new Map([['n', { type: 'Double', value } as const]]),
          })),
        );
      }
      const where = from(2_095);
      const rows = await it.readAll({ partitions: 'p', where, limit: 2 });
      expect(rows.map(({ rowKey }) => rowKey)).toEqual([
        '02095',
        '02096',
        '02097',
        '02098',
        '02099',
      ]);
    });

    test.each<[string, Predicate, string]>([
      ['a negation', { kind: 'not', part: absent }, 'TABLE_REQUEST_INVALID'],
      ['a whole number', compare('v', 'eq', { type: 'Int32', value: 1 }), 'TABLE_REQUEST_INVALID'],
      ['a constant', { kind: 'constant', value: true }, 'TABLE_REQUEST_INVALID'],
      ['nothing', { kind: 'and', parts: [] }, 'TABLE_REQUEST_INVALID'],
      ['a key', compare('RowKey', 'eq', text('a')), 'TABLE_REQUEST_INVALID'],
      [
        'an order of instants',
        compare('v', 'gt', { type: 'DateTime', value: '2026-01-02T03:04:05Z' }),
        'TABLE_REQUEST_INVALID',
      ],
      [
        'an order of Guids',
        compare('v', 'lt', { type: 'Guid', value: GUIDS[1] ?? '' }),
        'TABLE_REQUEST_INVALID',
      ],
      [
        'bytes',
        compare('v', 'eq', { type: 'Binary', value: new Uint8Array([0]) }),
        'TABLE_REQUEST_INVALID',
      ],
      ['a word of filters', compare('Not', 'eq', text('a')), 'TABLE_REQUEST_INVALID'],
      ['a name in another script', compare('ä', 'eq', text('a')), 'TABLE_REQUEST_INVALID'],
      ['a character that no URL holds', compare('v', 'eq', text('\n')), 'TABLE_REQUEST_INVALID'],
      ['no name', compare('a-b', 'eq', text('a')), 'TABLE_REQUEST_INVALID'],
      ['no number', compare('v', 'lt', { type: 'Double', value: NaN }), 'TABLE_REQUEST_INVALID'],
      [
        'a number with an exponent',
        compare('v', 'lt', { type: 'Double', value: 1e21 }),
        'TABLE_REQUEST_INVALID',
      ],
      ['half a pair', compare('v', 'lt', text('\ud800')), 'TABLE_REQUEST_INVALID'],
      [
        'fifteen comparisons beside that of the partition',
        { kind: 'or', parts: Array.from({ length: 15 }, (_, index) => below(index)) },
        'TABLE_LIMIT_EXCEEDED',
      ],
    ])('of %s is refused before it is asked', async (_, where, code) => {
      await expect(found(where)).rejects.toMatchObject({ code });
    });

    test('of fourteen comparisons is answered', async () => {
      await seed();
      const parts = Array.from({ length: 14 }, (_, index) => below(index));
      expect(await found({ kind: 'or', parts })).toHaveLength(13);
    });
  });

  describe('choices of properties', () => {
    test('leave out all others, and neither keys nor ETag', async () => {
      await seed();
      const [whole] = await it.readAll({ partitions: 'p', limit: 1 });
      const [chosen] = await it.readAll({
        partitions: 'p',
        limit: 1,
        select: new Set(['n', 'no']),
      });
      expect(chosen).toEqual({
        ...whole,
        properties: new Map([['n', ROWS[0]?.properties.get('n')]]),
      });
    });

    test('leave out what the predicate asks of as well', async () => {
      await seed();
      const range = { partitions: 'p', where: below(3), select: new Set(['v']), limit: 10 };
      const rows = await it.readAll(range);
      expect(rows.map(({ properties }) => [...properties.keys()])).toEqual([['v'], ['v'], ['v']]);
    });

    test.each([[[]], [['RowKey']], [['a-b']]])('of %j are refused', async (names) => {
      const range = { partitions: 'p', limit: 1, select: new Set<string>(names) };
      await expect(it.readAll(range)).rejects.toMatchObject({ code: 'TABLE_REQUEST_INVALID' });
    });
  });
}
