import {
  AppError,
  createHybridClock,
  type FieldValue,
  type FieldValues,
  type NullableFieldValue,
  openTableId,
  type Predicate,
  REQUEST_WIRE_VERSION,
  rowBytes,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOpenTable, type OpenRecord, type OpenTable } from '../read/open-table.ts';
import type { OpenQuery } from '../read/query-open-rows.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createStateTable } from '../write-path/create-replicated-table.ts';

const BUCKETS = 2;
/** Some are columns, some never are, and some are words of the language of filters. */
const NAMES = ['a', 'b', 'id', '_t', '_ts', '_x0', 'constructor', 'größe', 'not', 'x', 'datetime'];
const text = (value: string): FieldValue => ({ type: 'String', value });
const VALUES: readonly FieldValue[] = [
  ...['', 'a', 'b', "O'Brien", '7', 'ä', '\n', '\u{1F600}'].map(text),
  ...[true, false].map((value) => ({ type: 'Boolean', value }) as const),
  ...[3, 7].map((value) => ({ type: 'Int32', value }) as const),
  ...[7n, 2n ** 53n + 1n].map((value) => ({ type: 'Int64', value }) as const),
  ...[7, 0.5, 1e21, NaN, Infinity].map((value) => ({ type: 'Double', value }) as const),
  ...['2026-01-02T03:04:05.1234567Z', '2026-01-02T03:04:05.1234568Z', '2026-12-01T00:00:00Z'].map(
    (value) => ({ type: 'DateTime', value }) as const,
  ),
  ...['0199a1b2-c3d4-4e5f-8a9b-0123456789ab', 'F199A1B2-C3D4-4E5F-8A9B-0123456789AB'].map(
    (value) => ({ type: 'Guid', value }) as const,
  ),
  ...[[], [0], [0xff]].map((value) => ({ type: 'Binary', value: new Uint8Array(value) }) as const),
];
const KEYS = ['p', 'q'].flatMap((partitionKey) =>
  ['', '1', '2', '3', '4', '5'].map((rowKey) => ({ partitionKey, rowKey })),
);

const value = fc.constantFrom(...VALUES);
const write = fc.record({
  key: fc.constantFrom(...KEYS),
  kind: fc.constantFrom('put' as const, 'put' as const, 'merge' as const, 'remove' as const),
  values: fc.uniqueArray(
    fc.tuple(fc.constantFrom(...NAMES), fc.option(value, { freq: 5, nil: null })),
    { selector: ([name]) => name, maxLength: 5 },
  ),
  /** It has so many others that some of these are no columns. */
  isWide: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
});
const OTHERS = Array.from(
  { length: 249 },
  (_, nth) => [`other${nth}`, { type: 'Boolean', value: true }] as const,
);
const comparison = fc.record({
  kind: fc.constant('compare' as const),
  name: fc.constantFrom(...NAMES, 'a', 'b', 'id', 'a', 'b', 'id', 'Timestamp', 'RowKey'),
  operator: fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le'),
  value,
});
const { where } = fc.letrec<{ where: Predicate }>((tie) => ({
  where: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison as fc.Arbitrary<Predicate>,
    comparison as fc.Arbitrary<Predicate>,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('where'), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('where') }),
    fc.record({ kind: fc.constant('constant' as const), value: fc.boolean() }),
  ),
}));
const query: fc.Arbitrary<OpenQuery> = fc.record({
  where: fc.option(where, { freq: 8, nil: undefined }),
  partition: fc.constantFrom(undefined, undefined, 'p'),
  limit: fc.constantFrom(1, 3, 1_000),
  select: fc.option(
    fc.uniqueArray(fc.constantFrom(...NAMES, 'a', 'none', 'RowKey'), {
      minLength: 1,
      maxLength: 3,
    }),
    { nil: undefined },
  ),
});

/** What every table store has to do for a query that is asked of it to be answered as one that is judged here. */
export function describePushDown(
  name: string,
  { openStore, runs }: { readonly openStore: () => Promise<TableStore>; readonly runs: number },
): void {
  describe(`a query of an open table in ${name}`, () => {
    test('is answered as if the store had given every row and every column', async () => {
      const open = await setUp(await openStore());
      let worlds = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(write, { minLength: 4, maxLength: 24 }),
          fc.array(query, { minLength: 8, maxLength: 8 }),
          fc.constantFrom('row' as const, 'field' as const),
          async (writes, queries, policy) => {
            worlds += 1;
            const { asking, judging } = open(`World${worlds}`, policy);
            for (const { key, kind, values, isWide } of writes) {
              if (kind === 'remove') await asking.remove(key);
              else if (isWide) await asking.put(key, wideValuesOf(values));
              else await asking[kind](key, valuesOf(kind, values)).catch(refusedAsTooWide);
            }
            for (const one of queries) {
              expect(await readAll(asking, one)).toEqual(await readAll(judging, one));
            }
          },
        ),
        { numRuns: runs },
      );
    });

    test.each([0, 0xd0, 0xff])(
      'finds bytes that begin with %i from any lower ones on',
      async (first) => {
        const { asking } = (await setUp(await openStore()))(`Bytes${first}`, 'row');
        const key = { partitionKey: 'p', rowKey: 'r' };
        const value = { type: 'Binary', value: Uint8Array.of(first, 0xff) } as const;
        await asking.put(key, new Map([['picture', value]]));
        for (const least of [Uint8Array.of(0), Uint8Array.of(first), value.value]) {
          const where: Predicate = {
            kind: 'compare',
            name: 'picture',
            operator: 'ge',
            value: { type: 'Binary', value: least },
          };
          expect(await readAll(asking, { where })).toMatchObject([key]);
        }
      },
    );

    test('takes from the store the rows and the columns that are wanted, and not the others', async () => {
      const open = await setUp(await openStore());
      const { asking, judging, given } = open('Many', 'row');
      for (let start = 0; start < ROWS; start += 50) {
        const operations = Array.from({ length: 50 }, (_, index) => ({
          kind: 'put' as const,
          partitionKey: 'p',
          rowKey: String(start + index).padStart(4, '0'),
          values: new Map<string, FieldValue>([
            ['state', text((start + index) % 100 === 7 ? 'open' : 'done')],
            ['note', text('n'.repeat(2_000))],
          ]),
        }));
        expect((await asking.transact(operations)).kind).toBe('done');
      }
      const isOpen: Predicate = {
        kind: 'compare',
        name: 'state',
        operator: 'eq',
        value: text('open'),
      };
      const costOf = async (table: OpenTable, asked: OpenQuery) => {
        Object.assign(given, { rows: 0, bytes: 0 });
        const records = await readAll(table, asked);
        return { records: records.length, ...given };
      };
      const found = await costOf(asking, { where: isOpen });
      expect(found).toMatchObject({ records: ROWS / 100, rows: ROWS / 100 });
      expect(await costOf(judging, { where: isOpen })).toMatchObject({
        records: ROWS / 100,
        rows: ROWS,
      });
      const chosen = await costOf(asking, { select: ['state'] });
      const whole = await costOf(judging, { select: ['state'] });
      expect([chosen.records, whole.records]).toEqual([ROWS, ROWS]);
      expect(chosen.bytes).toBeLessThan(whole.bytes / 5);
    });
  });
}

const ROWS = 400;

function valuesOf(
  kind: 'put' | 'merge',
  values: readonly (readonly [string, NullableFieldValue])[],
): FieldValues {
  return new Map(values.filter(([, one]) => kind === 'merge' || one !== null));
}

/** A merge into a row that has so many others already. */
function refusedAsTooWide(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'TABLE_LIMIT_EXCEEDED') throw error;
}

/** At most as many as a row may have. */
function wideValuesOf(values: readonly (readonly [string, NullableFieldValue])[]): FieldValues {
  return new Map([...valuesOf('put', values.slice(0, 3)), ...OTHERS]);
}

async function readAll(table: OpenTable, asked: OpenQuery): Promise<OpenRecord[]> {
  const records: OpenRecord[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 200; pages += 1) {
    const page = await table.query({ ...asked, cursor });
    records.push(...page.records);
    ({ cursor } = page);
    if (cursor === undefined) return records;
  }
  throw new Error('The query did not end.');
}

let worldsSetUp = 0;

/** Returns what opens a table twice: one that asks the store, and one whose store gives all that it has. */
async function setUp(stored: TableStore) {
  const given = { rows: 0, bytes: 0 };
  const counted = (query: TableStore['query']): TableStore => ({
    ...stored,
    async query(range) {
      const page = await query(range);
      given.rows += page.rows.length;
      for (const { partitionKey, rowKey, properties } of page.rows) {
        given.bytes += rowBytes(partitionKey, rowKey, properties);
      }
      return page;
    },
  });
  for (const table of [rowsKind.name, 'Archive']) await stored.createTable(table);
  // Stores may be the same one, where no stamp may come twice.
  worldsSetUp += 1;
  const clock = createVirtualClock(Date.UTC(2026, 11, worldsSetUp));
  const options = {
    kind: rowsKind,
    store: counted((range) => stored.query(range)),
    archive: createTableArchive({ store: stored }),
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'w0000001',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: BUCKETS,
    wireVersion: REQUEST_WIRE_VERSION,
    peers: ['west'],
    onCommitted: () => undefined,
  };
  const states = createStateTable(options);
  const whole = counted((range) => stored.query({ ...range, where: undefined, select: undefined }));
  return (name: string, policy: 'row' | 'field') => {
    const own = { ...options, states, policy, tableId: openTableId(name, '0000') };
    return {
      asking: createOpenTable(own),
      judging: createOpenTable({ ...own, store: whole }),
      given,
    };
  };
}
