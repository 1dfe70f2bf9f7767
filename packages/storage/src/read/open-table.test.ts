import {
  type ChangeSet,
  createApplier,
  createHybridClock,
  encodeOpenId,
  encodeVector,
  type FieldValue,
  type FieldValues,
  fingerprintOf,
  formatStamp,
  type MergePolicy,
  matches,
  type OpenKey,
  type OutboxEntry,
  openTableId,
  type Predicate,
  publicETag,
  REQUEST_WIRE_VERSION,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toOpenProperties } from '../rows/open-row.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createStateTable } from '../write-path/create-replicated-table.ts';
import {
  createOpenTable,
  type OpenOperation,
  type OpenRecord,
  type OpenTable,
} from './open-table.ts';
import type { OpenQuery } from './query-open-rows.ts';

const BUCKETS = 4;
const text = (value: string): FieldValue => ({ type: 'String', value });
const HARD = ['', ' ', '!', '!0', 'a', 'a ', 'a!', 'a b', 'aa', '~', "O'Brien", 'ä', '\u{1F600}'];
const keyOf = ({ partitionKey, rowKey }: OpenKey): OpenKey => ({ partitionKey, rowKey });

async function createRegion(
  region = 'east',
  wrap = (store: TableStore): TableStore => store,
  wireVersion = 1,
) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const stored = createMemoryTableStore();
  const store = wrap(stored);
  for (const table of [rowsKind.name, 'Archive', 'Conflicts']) await stored.createTable(table);
  const damaged: string[] = [];
  const sets: ChangeSet[] = [];
  const received: (Pick<OutboxEntry, 'set' | 'encoded'> & { readonly key: string })[] = [];
  const hybridClock = createHybridClock({
    region,
    writer: 'w0000001',
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const archive = createTableArchive({ store: stored });
  const options = {
    kind: rowsKind,
    store,
    archive,
    hybridClock,
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: BUCKETS,
    wireVersion,
    peers: ['west'],
    onCommitted: ({ set, encoded }: OutboxEntry) => {
      sets.push(set);
      received.push({ key: set.stamp, set, encoded });
    },
    onDamaged: ({ rowKey }: { rowKey: string }) => void damaged.push(rowKey),
  };
  const states = createStateTable(options);
  const open = (name: string, generation = '0000', policy: MergePolicy = 'row'): OpenTable =>
    createOpenTable({ ...options, states, tableId: openTableId(name, generation), policy });
  const journal = createTableConflictJournal({ ...options, store: stored, kinds: [rowsKind] });
  const applier = createApplier({
    region,
    regions: new Set(['east', 'west']),
    replicas: new Map([[rowsKind.name, createTableReplica({ ...options, store: stored })]]),
    archive,
    conflicts: journal,
    clock,
    hybridClock,
    tombstoneAgeMs: 86_400_000,
    store: stored,
    driftMsMax: 60_000,
  });
  return { store: stored, damaged, sets, received, open, applier, journal, clock };
}

async function readAll(table: OpenTable, query: OpenQuery = {}): Promise<OpenRecord[]> {
  const records: OpenRecord[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 500; pages += 1) {
    const page = await table.query({ ...query, cursor });
    expect(page.records.length).toBeLessThanOrEqual(query.limit ?? 1_000);
    records.push(...page.records);
    ({ cursor } = page);
    if (cursor === undefined) return records;
  }
  throw new Error('The query did not end.');
}

const orderOf = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const inOrder = (keys: readonly OpenKey[]): OpenKey[] =>
  keys
    .map(keyOf)
    .sort((a, b) => orderOf(a.partitionKey, b.partitionKey) || orderOf(a.rowKey, b.rowKey));

/** Every pair of the hard keys, in two tables; every third row of the first was deleted again. */
async function seeded(wrap?: (store: TableStore) => TableStore) {
  const region = await createRegion('east', wrap);
  const [orders, others] = [region.open('Orders'), region.open('Others')];
  const keys = HARD.flatMap((partitionKey) => HARD.map((rowKey) => ({ partitionKey, rowKey })));
  await Promise.all(
    keys.map(async (key, index) => {
      const values = new Map([
        ['label', text(`l${index % 5}`)],
        ['whole', { type: 'Int32', value: index % 7 }] as const,
      ]);
      await orders.put(key, values);
      await others.put(key, new Map());
      if (index % 3 === 0) await orders.remove(key);
    }),
  );
  const live = keys.map((key, index) => ({ ...key, index })).filter(({ index }) => index % 3 !== 0);
  return { ...region, orders, live };
}

describe('a table of an open kind', () => {
  test('keeps any properties under both keys, apart from other tables and generations', async () => {
    const { open } = await createRegion();
    const orders = open('Orders');
    const key = { partitionKey: "O'Brien & co", rowKey: 'order 1!' };
    const values = new Map<string, FieldValue>([
      ['total', { type: 'Double', value: 12 }],
      ['count', { type: 'Int64', value: 9_007_199_254_740_993n }],
      ['bytes', { type: 'Binary', value: new Uint8Array([1, 2]) }],
    ]);
    expect((await orders.insert(key, values)).kind).toBe('created');
    expect(await orders.get(key)).toMatchObject({ ...key, values, origin: 'east' });
    expect(await open('ORDERS').get(key)).toMatchObject({ values });
    expect(await open('Orders', '0001').get(key)).toBeUndefined();
    expect(await open('Other').get(key)).toBeUndefined();
  });

  test('inserts, replaces, merges and removes under conditions', async () => {
    const { open } = await createRegion();
    const orders = open('Orders');
    const key = { partitionKey: 'p', rowKey: '' };
    const valuesOf = async () => [...((await orders.get(key))?.values ?? [])].map(([name]) => name);
    expect((await orders.remove(key)).kind).toBe('not-found');
    expect((await orders.merge(key, new Map([['a', text('1')]]), { kind: 'present' })).kind).toBe(
      'condition-failed',
    );
    expect((await orders.merge(key, new Map([['a', text('1')]]))).kind).toBe('created');
    expect((await orders.insert(key, new Map())).kind).toBe('condition-failed');
    await orders.merge(key, new Map([['b', text('2')]]));
    expect(await valuesOf()).toEqual(['a', 'b']);
    const before = await orders.get(key);
    const version = { kind: 'version', versions: [encodeVector(before!.version)] } as const;
    expect((await orders.put(key, new Map([['c', text('3')]]), version)).kind).toBe('replaced');
    expect(await valuesOf()).toEqual(['c']);
    expect((await orders.put(key, new Map(), version)).kind).toBe('condition-failed');
    expect((await orders.remove(key, { kind: 'present' })).kind).toBe('deleted');
    expect(await orders.get(key)).toBeUndefined();
  });

  test('has the rows of one PartitionKey in one bucket, and the other region reads them in order', async () => {
    const [east, west] = [await createRegion('east'), await createRegion('west')];
    const orders = east.open('Orders');
    for (const rowKey of HARD) {
      await orders.put({ partitionKey: 'a customer', rowKey }, new Map([['n', text(rowKey)]]));
    }
    expect(new Set(east.sets.map(({ bucket }) => bucket)).size).toBe(1);
    await west.applier.apply(east.received);
    const read = await readAll(west.open('Orders'), { partition: 'a customer', limit: 3 });
    expect(read.map(({ rowKey }) => rowKey)).toEqual(HARD.toSorted(orderOf));
    expect(read.map(({ values }) => values.get('n'))).toEqual(HARD.toSorted(orderOf).map(text));
    expect(new Set(read.map(({ origin }) => origin))).toEqual(new Set(['east']));
  });

  test.each<[string, OpenKey]>([
    ['PartitionKey', { partitionKey: 'a/b', rowKey: 'r' }],
    ['RowKey', { partitionKey: 'p', rowKey: '\ud800' }],
    ['together', { partitionKey: 'p'.repeat(300), rowKey: 'r'.repeat(300) }],
  ])('bad input: keys (%s) are refused by name before anything is written', async (what, key) => {
    const { open, sets } = await createRegion();
    const refusal = expect.objectContaining({
      code: 'ENTITY_INVALID',
      message: expect.stringContaining(what),
    });
    await expect(open('Orders').put(key, new Map())).rejects.toThrow(refusal);
    await expect(open('Orders').get(key)).rejects.toThrow(refusal);
    expect(sets).toEqual([]);
  });
});

describe('I25: a request that its client repeats', () => {
  const key = { partitionKey: 'p', rowKey: 'r' };
  const other = { partitionKey: 'p', rowKey: 's' };
  const values = (one: string): FieldValues => new Map([['a', text(one)]]);
  const [first, second] = [fingerprintOf(['first']), fingerprintOf(['second'])];
  const openOrders = async (region = 'east', wireVersion = REQUEST_WIRE_VERSION) => {
    const all = await createRegion(region, undefined, wireVersion);
    return { ...all, orders: all.open('Orders') };
  };
  type Orders = Awaited<ReturnType<typeof openOrders>>['orders'];
  const insert = {
    kind: 'put',
    ...key,
    values: values('1'),
    condition: { kind: 'absent' },
  } as const;
  const versionIn = async (orders: Orders): Promise<string> =>
    publicETag((await orders.get(key))?.version ?? new Map());

  test.each<[string, (etag: string) => OpenOperation]>([
    ['an insertion', () => insert],
    ['a replacement', () => ({ kind: 'put', ...key, values: values('2') })],
    ['a merge', () => ({ kind: 'merge', ...key, values: values('2') })],
    [
      'an update under an ETag',
      (etag) => ({ kind: 'put', ...key, values: values('2'), condition: { kind: 'etag', etag } }),
    ],
    ['a deletion', (etag) => ({ kind: 'remove', ...key, condition: { kind: 'etag', etag } })],
  ])('%s is done once, and answered as its first try was', async (what, operationOf) => {
    const { orders, sets } = await openOrders();
    if (what !== 'an insertion') await orders.put(key, values('0'));
    const operation = operationOf(await versionIn(orders));
    const answers = [await orders.transact([operation], first)];
    const written = sets.length;
    answers.push(await orders.transact([operation], first));
    expect(sets.length).toBe(written);
    const shown = answers.map((answer) =>
      answer.kind === 'done' && 'record' in answer.outcomes[0]!
        ? answer.outcomes[0].record
        : answer,
    );
    expect(shown[1]).toEqual(shown[0]);
    expect(answers[1]?.kind).toBe('done');
  });

  test.each([
    ['first', key],
    ['second', other],
  ])('a transaction is known by any of its rows, when its %s was written over', async (_, one) => {
    const { orders, sets } = await openOrders();
    const transaction: OpenOperation[] = [insert, { ...insert, ...other }];
    const done = await orders.transact(transaction, first);
    await orders.put(one, values('later'));
    const written = sets.length;
    const again = await orders.transact(transaction, first);
    expect(sets.length).toBe(written);
    expect(again).toMatchObject(done);
    expect(await orders.get(one)).toMatchObject({ values: values('later') });
  });

  test('is refused once every row of it was written over, by whomever', async () => {
    const { orders } = await openOrders();
    await orders.transact([insert], first);
    await orders.transact([{ kind: 'put', ...key, values: values('2') }], second);
    expect(await orders.transact([insert], first)).toMatchObject({ kind: 'refused', index: 0 });
    await orders.put(key, values('3'));
    expect(await orders.transact([insert], second)).toMatchObject({ kind: 'refused', index: 0 });
  });

  test('is known in the region that takes over, and what that writes is known here', async () => {
    const [east, west] = [await openOrders('east'), await openOrders('west')];
    await east.orders.transact([insert], first);
    await west.applier.apply(east.received);
    expect(await west.orders.transact([insert], first)).toMatchObject({ kind: 'done' });
    expect(west.sets).toEqual([]);
    await west.orders.transact([{ kind: 'remove', ...key }], second);
    await east.applier.apply(west.received);
    expect(await east.orders.transact([{ kind: 'remove', ...key }], second)).toMatchObject({
      kind: 'done',
    });
    expect(await east.orders.transact([insert], first)).toMatchObject({ kind: 'done' });
    expect(await east.orders.get(key)).toMatchObject({ values: values('1') });
  });

  test('is not known where some region does not read of which request a row is', async () => {
    const { orders, sets } = await openOrders('east', REQUEST_WIRE_VERSION - 1);
    await orders.transact([insert], first);
    expect(await orders.transact([insert], first)).toMatchObject({ kind: 'refused' });
    expect(sets.flatMap(({ changes }) => changes.map(({ state }) => state.request))).toEqual([
      undefined,
    ]);
  });

  test('bad input: is named by a fingerprint and by nothing else', async () => {
    const { orders, sets } = await openOrders();
    await expect(orders.transact([insert], 'id 1')).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
      message: expect.stringContaining('fingerprint, 16 characters'),
    });
    expect(sets).toEqual([]);
  });
});

describe('a query of an open table', () => {
  test.each([1, 2, 7, 50, 1_000])('gives all rows in order, in pages of %d', async (limit) => {
    const { orders, live } = await seeded();
    expect((await readAll(orders, { limit })).map(keyOf)).toEqual(inOrder(live));
  });

  test('gives what its predicate means, each row once, whatever it says of keys', async () => {
    const { orders, live } = await seeded();
    const key = fc.constantFrom(...HARD, '\n', 'z', 'a'.repeat(600));
    const comparison = fc.oneof(
      fc.record({
        kind: fc.constant('compare' as const),
        name: fc.constantFrom('PartitionKey', 'RowKey'),
        operator: fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le'),
        value: key.map(text),
      }),
      fc.record({
        kind: fc.constant('compare' as const),
        name: fc.constantFrom('label', 'whole', 'none'),
        operator: fc.constantFrom('eq', 'ne', 'gt'),
        value: fc.constantFrom<FieldValue>(text('l1'), { type: 'Int32', value: 3 }),
      }),
    ) as fc.Arbitrary<Predicate>;
    const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => ({
      predicate: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        comparison,
        fc.record({
          kind: fc.constantFrom('and' as const, 'or' as const),
          parts: fc.array(tie('predicate'), { minLength: 1, maxLength: 3 }),
        }),
        fc.record({ kind: fc.constant('not' as const), part: tie('predicate') }),
      ),
    }));
    const limit = fc.constantFrom(1, 3, 20, 1_000);
    await fc.assert(
      fc.asyncProperty(predicate, limit, async (where, rowsMax) => {
        const expected = live.filter(({ index, ...each }) =>
          matches(where, (name) => {
            if (name === 'PartitionKey') return text(each.partitionKey);
            if (name === 'RowKey') return text(each.rowKey);
            if (name === 'label') return text(`l${index % 5}`);
            return name === 'whole' ? { type: 'Int32', value: index % 7 } : undefined;
          }),
        );
        const read = await readAll(orders, { where, limit: rowsMax });
        expect(read.map(keyOf)).toEqual(inOrder(expected));
      }),
      { numRuns: 150 },
    );
  });

  test('gives the properties that are chosen, and judges by others', async () => {
    const { orders } = await seeded();
    const where: Predicate = { kind: 'compare', name: 'label', operator: 'eq', value: text('l1') };
    const read = await readAll(orders, { where, select: ['whole', 'none'] });
    expect(read.length).toBeGreaterThan(10);
    for (const { values } of read) expect([...values.keys()]).toEqual(['whole']);
  });

  test.each<[string, OpenQuery, 'where' | 'select']>([
    [
      'a text of many KiB',
      {
        where: { kind: 'compare', name: 'label', operator: 'ne', value: text('ä'.repeat(2_000)) },
      },
      'where',
    ],
    [
      'a filter of many comparisons in one',
      {
        where: {
          kind: 'or',
          parts: Array.from({ length: 9 }, (_, nth) => ({
            kind: 'compare',
            name: 'label',
            operator: 'eq',
            value: text(`l${nth}`),
          })),
        },
      },
      'where',
    ],
    [
      '40 columns',
      { select: ['label', ...Array.from({ length: 40 }, (_, n) => `n${n}`)] },
      'select',
    ],
    [
      'columns of long names',
      { select: ['label', ...['ä', 'ö'].map((one) => one.repeat(255))] },
      'select',
    ],
  ])('judges here what is too much to ask: %s', async (_, query, part) => {
    const asked: unknown[] = [];
    const { orders, live } = await seeded((inner) => ({
      ...inner,
      query(range) {
        asked.push(range[part]);
        return inner.query(range);
      },
    }));
    const read = await readAll(orders, query);
    expect(read.map(keyOf)).toEqual(inOrder(live));
    expect(new Set(asked)).toEqual(new Set([undefined]));
  });

  test('finds by its Timestamp a row that took an impossible stamp', async () => {
    const { open, store } = await createRegion();
    const orders = open('Orders');
    await orders.put({ partitionKey: 'p', rowKey: '1' }, new Map());
    const [bucket] = await bucketsOf(store);
    const impossible = formatStamp({
      timeMs: Date.UTC(7000, 0),
      counter: 0,
      region: 'east',
      writer: 'w0000001',
    });
    const rowKey = encodeOpenId(openTableId('Orders', '0000'), { partitionKey: 'p', rowKey: '2' });
    const state = {
      fields: new Map(),
      alive: impossible,
      deleted: undefined,
      vector: new Map([['east', impossible]]),
    };
    const properties = toOpenProperties({ state, referenceId: undefined }, rowKey);
    const operations = [{ kind: 'insert', rowKey, properties }] as const;
    await store.commit({ table: rowsKind.name, partitionKey: bucket!, operations });
    const where: Predicate = {
      kind: 'compare',
      name: 'Timestamp',
      operator: 'lt',
      value: { type: 'DateTime', value: '2026-01-01T00:00:00Z' },
    };
    expect((await readAll(orders, { where })).map((one) => one.rowKey)).toEqual(['2']);
  });

  test('goes on where the store stopped, and looks at no row again that it left out', async () => {
    let queries = 0;
    const counted = (inner: TableStore): TableStore => ({
      ...inner,
      query(range) {
        queries += 1;
        return inner.query(range);
      },
    });
    const { open } = await createRegion('east', counted, REQUEST_WIRE_VERSION);
    const orders = open('Orders');
    for (let start = 0; start < 2_500; start += 50) {
      const operations = Array.from({ length: 50 }, (_, index) => ({
        kind: 'put' as const,
        partitionKey: 'p',
        rowKey: String(start + index).padStart(5, '0'),
        values: new Map([['label', text(start + index === 7 ? 'rare' : 'other')]]),
      }));
      await orders.transact(operations);
    }
    queries = 0;
    const where: Predicate = {
      kind: 'compare',
      name: 'label',
      operator: 'eq',
      value: text('rare'),
    };
    const read = await readAll(orders, { where, partition: 'p' });
    expect(read.map(({ rowKey }) => rowKey)).toEqual(['00007']);
    // A store looks at 1,000 rows for a page.
    expect(queries).toBe(3);
  });

  test.each([
    { what: 'one partition', partitions: 1, rowsOfOne: 24_000 },
    { what: 'every bucket', partitions: 64, rowsOfOne: 2_000 },
  ])('comes to its end where nearly every row of $what is left out', async (one) => {
    const { partitions, rowsOfOne } = one;
    const { store, open } = await createRegion('east', (inner) => inner, REQUEST_WIRE_VERSION);
    const orders = open('Orders');
    for (let nth = 0; nth < partitions; nth += 1) {
      const partitionKey = `p${nth}`;
      await orders.put({ partitionKey, rowKey: 'x' }, new Map([['label', text('other')]]));
      await copyRow(store, { partitionKey, rowKey: 'x' }, rowsOfOne);
    }
    // Behind all others, in one bucket.
    await orders.put({ partitionKey: 'p0', rowKey: 'z' }, new Map([['label', text('rare')]]));
    const where: Predicate = {
      kind: 'compare',
      name: 'label',
      operator: 'eq',
      value: text('rare'),
    };
    const read = await readAll(orders, { where });
    expect(read.map(({ rowKey }) => rowKey)).toEqual(['z']);
  });

  test('gives each row once and in order where every page of the store takes too long', async () => {
    const BEGIN = 'begin';
    let advanced = Promise.resolve();
    const slow = (inner: TableStore): TableStore => ({
      ...inner,
      async query({ continuation, ...range }) {
        if (range.where === undefined || continuation !== undefined) {
          return inner.query({ ...range, ...(continuation !== BEGIN && { continuation }) });
        }
        // As the service does of a page that it could not fill in time.
        advanced = advanced.then(() => clock.advance(5_000));
        await advanced;
        return { rows: [], continuation: BEGIN };
      },
    });
    const { open, clock } = await createRegion('east', slow, REQUEST_WIRE_VERSION);
    const orders = open('Orders');
    const keys = Array.from({ length: 40 }, (_, index) => ({
      partitionKey: `p${String(index).padStart(2, '0')}`,
      rowKey: 'x',
    }));
    const value = text('asked');
    for (const key of keys) await orders.put(key, new Map([['label', value]]));
    const where: Predicate = { kind: 'compare', name: 'label', operator: 'eq', value };
    expect((await readAll(orders, { where })).map(keyOf)).toEqual(keys);
  });

  test('looks at 10,000 rows for a page at most, which may then be empty', async () => {
    let rows = 0;
    const { store, open } = await createRegion('east', (inner) => ({
      ...inner,
      async query(range) {
        const page = await inner.query(range);
        rows += page.rows.length;
        return page;
      },
    }));
    const properties = new Map<string, FieldValue>([['_vector', text('')]]);
    const id = (number: number) =>
      encodeOpenId(openTableId('Orders', '0000'), {
        partitionKey: 'p',
        rowKey: String(number).padStart(6, '0'),
      });
    await open('Orders').put({ partitionKey: 'p', rowKey: 'z' }, new Map());
    const [bucket] = await bucketsOf(store);
    for (let start = 0; start < 12_000; start += 100) {
      const operations = Array.from({ length: 100 }, (_, index) => ({
        kind: 'insert' as const,
        rowKey: id(start + index),
        properties,
      }));
      await store.commit({ table: rowsKind.name, partitionKey: bucket!, operations });
    }
    const page = await open('Orders').query({ partition: 'p' });
    expect(page.records).toEqual([]);
    expect(rows).toBeLessThanOrEqual(11_000);
    const next = await open('Orders').query({ partition: 'p', cursor: page.cursor });
    expect(next.records.map(({ rowKey }) => rowKey)).toEqual(['z']);
  });

  test('skips rows that are none of ours, and tells of them', async () => {
    const { orders, live, store, damaged } = await seeded();
    const foreign = ['plain', 'aaaaaaaa!0x', openTableId('Orders', '0000'), 'tmrbpsep b!0x'];
    for (const partitionKey of ['00', '01', '02', '03']) {
      await store.commit({
        table: rowsKind.name,
        partitionKey,
        operations: foreign.map((rowKey) => ({
          kind: 'insert',
          rowKey,
          properties: new Map([['v', text('v')]]),
        })),
      });
    }
    expect((await readAll(orders, { limit: 9 })).map(keyOf)).toEqual(inOrder(live));
    expect(new Set(damaged)).toEqual(new Set([foreign[2], foreign[3]]));
  });

  test('takes its own cursors alone, in any region', async () => {
    const { orders, live } = await seeded();
    const { cursor } = await orders.query({ limit: 10 });
    const { records } = await orders.query({ limit: 1, cursor });
    expect(records.map(keyOf)).toEqual(inOrder(live).slice(10, 11));
    const refused = { code: 'CURSOR_INVALID' };
    await expect(orders.query({ cursor, partition: 'a' })).rejects.toMatchObject(refused);
    await expect(orders.query({ cursor: `${cursor}x` })).rejects.toMatchObject(refused);
    const west = await createRegion('west');
    expect(await west.open('Orders').query({ cursor })).toEqual({ records: [], cursor: undefined });
    await expect(west.open('Others').query({ cursor })).rejects.toMatchObject(refused);
  });

  test.each<[OpenQuery, RegExp]>([
    [{ limit: 0 }, /1 to 1000/],
    [{ limit: 1_001 }, /1 to 1000/],
    [{ partition: '\ud800' }, /half a surrogate pair/],
    [{ select: [] }, /No property/],
    [
      { where: { kind: 'compare', name: 'a', operator: 'eq', value: text('\udc00') } },
      /"a".*half a surrogate pair/,
    ],
  ])('bad input: %j is refused', async (query, message) => {
    const { open } = await createRegion();
    await expect(open('Orders').query(query)).rejects.toThrow(
      expect.objectContaining({ code: 'ENTITY_INVALID', message: expect.stringMatching(message) }),
    );
  });
});

test('I7: a put that sets hundreds of names to nothing, and loses to a deletion, is in the journal', async () => {
  const [east, west] = [await createRegion('east'), await createRegion('west')];
  const key = { partitionKey: 'p', rowKey: 'r' };
  const named = (beginning: string) =>
    new Map(Array.from({ length: 250 }, (_, n) => [`${beginning}${n}`, text('x')] as const));
  await east.open('Orders', '0000', 'field').put(key, named('a'));
  await west.applier.apply(east.received.splice(0));
  await east.open('Orders', '0000', 'field').put(key, named('b'));
  await west.clock.advance(10);
  await west.open('Orders', '0000', 'field').remove(key);
  await west.applier.apply(east.received);
  await east.applier.apply(west.received);
  for (const { journal } of [east, west]) {
    const [conflict, ...others] = await journal.list(rowsKind.name, 10);
    expect(others).toEqual([]);
    expect(conflict?.fields).toHaveLength(500);
  }
});

/** Puts so many copies of a row before it, as if each had been written. */
async function copyRow(store: TableStore, key: OpenKey, count: number): Promise<void> {
  const idOf = (rowKey: string): string =>
    encodeOpenId(openTableId('Orders', '0000'), { ...key, rowKey });
  for (const bucket of await bucketsOf(store)) {
    const row = await store.get(rowsKind.name, bucket, idOf(key.rowKey));
    if (row === undefined) continue;
    for (let start = 0; start < count; start += 100) {
      const operations = Array.from({ length: Math.min(100, count - start) }, (_, index) => ({
        kind: 'insert' as const,
        rowKey: idOf(String(start + index).padStart(6, '0')),
        properties: row.properties,
      }));
      await store.commit({ table: rowsKind.name, partitionKey: bucket, operations });
    }
  }
}

async function bucketsOf(store: TableStore): Promise<string[]> {
  const partitions = { from: '0', before: 'g' };
  const { rows } = await store.query({ table: rowsKind.name, partitions, limit: 10 });
  return [...new Set(rows.map(({ partitionKey }) => partitionKey))];
}
