import {
  adoptedStamp,
  type CatalogRecord,
  type Catalogue,
  type ChangeSet,
  createApplier,
  createHybridClock,
  encodeChangeSet,
  encodeOpenId,
  entityBucketOf,
  type FieldValue,
  formatStamp,
  hidingTableIds,
  type IdRange,
  matches,
  newestStamp,
  type OpenKey,
  openIdRange,
  openTableId,
  type Predicate,
  publicETag,
  publicTimestamp,
  readCatalogue,
  rowsKind,
  type SourceState,
  type TableRow,
  type TableStore,
  timestampOfTag,
} from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectTombstones } from '../retention/collect-tombstones.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createStateTable } from '../write-path/create-replicated-table.ts';
import { type AdoptedRow, createOldTable, type OldTable } from './old-table.ts';
import { createOpenTable, type OpenRecord, type OpenTable } from './open-table.ts';

const BUCKETS = 4;
const TABLE_ID = openTableId('Orders', '0000');
const HARD = ['', ' ', '!', '!0', 'a', 'a ', 'a!', 'a b', 'aa', '~', "O'Brien", 'ä', '\u{1F600}'];
const text = (value: string): FieldValue => ({ type: 'String', value });
const idOf = (key: OpenKey): string => encodeOpenId(TABLE_ID, key);

/** The service's own ETags, over a store that counts versions. */
function asService(store: TableStore): TableStore {
  const tagged = (row: TableRow): TableRow => {
    const count = /\d+/.exec(row.etag)?.[0] ?? '0';
    const fraction = count.padStart(7, '0').replace(/0+$/, '');
    const time = `2020-01-01T00:00:00${fraction === '' ? '' : `.${fraction}`}Z`;
    return { ...row, etag: `W/"datetime'${encodeURIComponent(time)}'"` };
  };
  return {
    ...store,
    async get(...asked) {
      const row = await store.get(...asked);
      return row && tagged(row);
    },
    async query(range) {
      const page = await store.query(range);
      return { ...page, rows: page.rows.map(tagged) };
    },
  };
}

/** Empty keys lie in no store in memory; the service takes them. */
const STORABLE = HARD.filter((key) => key !== '');

type Row = readonly [OpenKey, string];

async function createOld(rows: readonly Row[]): Promise<{ old: OldTable; asked: unknown[] }> {
  const stored = createMemoryTableStore();
  await stored.createTable('Plain');
  for (const [{ partitionKey, rowKey }, value] of rows) {
    const properties = new Map([['v', text(value)]]);
    const operations = [{ kind: 'upsert' as const, rowKey, properties }];
    await stored.commit({ table: 'Plain', partitionKey, operations });
  }
  const service = asService(stored);
  const asked: unknown[] = [];
  const store: TableStore = {
    ...service,
    query(range) {
      asked.push(range);
      return service.query(range);
    },
  };
  return { old: createOldTable({ store, table: 'Plain', tableId: TABLE_ID }), asked };
}

async function createRegion(old: OldTable | undefined) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const store = createMemoryTableStore();
  for (const table of [rowsKind.name, 'Archive', 'Conflicts']) await store.createTable(table);
  const hybridClock = createHybridClock({
    region: 'east',
    writer: 'w0000001',
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const archive = createTableArchive({ store });
  const options = {
    kind: rowsKind,
    store,
    archive,
    hybridClock,
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: BUCKETS,
    wireVersion: 6,
    peers: ['west'],
    onCommitted: () => undefined,
  };
  const states = createStateTable(options);
  const conflicts: unknown[] = [];
  const applier = createApplier({
    region: 'east',
    regions: new Set(['east', 'west']),
    replicas: new Map([[rowsKind.name, createTableReplica(options)]]),
    archive,
    conflicts: createTableConflictJournal({ ...options, kinds: [rowsKind] }),
    clock,
    hybridClock,
    tombstoneAgeMs: 86_400_000,
    store,
    driftMsMax: 60_000,
    onConflict: (conflict) => void conflicts.push(conflict),
  });
  let copies = 0;
  return {
    store,
    table: createOpenTable({ ...options, states, tableId: TABLE_ID, old }),
    /** The same table once all is copied. */
    alone: createOpenTable({ ...options, states, tableId: TABLE_ID }),
    conflicts,
    /** What the copier of another region has committed comes here. */
    async copy({ entityId, state }: AdoptedRow) {
      copies += 1;
      const stamp = formatStamp({
        timeMs: clock.nowMs() + copies,
        counter: 0,
        region: 'west',
        writer: 'c',
      });
      const bucket = entityBucketOf(rowsKind, entityId, BUCKETS);
      const changes = [{ entityId, operation: 'create' as const, state }];
      const set: ChangeSet = { entityKind: rowsKind.name, bucket, stamp, changes };
      const results = await applier.apply([{ key: stamp, set, encoded: encodeChangeSet(set) }]);
      expect([...results.values()]).toEqual([undefined]);
    },
  };
}

const EVERYTHING = openIdRange(TABLE_ID, { partitionKey: {}, rowKey: {} });

async function readAll(old: OldTable, range: IdRange, limit: number): Promise<AdoptedRow[]> {
  const rows: AdoptedRow[] = [];
  let rest: IdRange | undefined = range;
  let continuation: string | undefined;
  while (rest !== undefined) {
    const page = await old.page({ range: rest, limit, continuation, where: undefined });
    rows.push(...page.rows);
    ({ rest, continuation } = page);
  }
  return rows;
}

const key = fc.record({
  partitionKey: fc.constantFrom(...STORABLE),
  rowKey: fc.constantFrom(...STORABLE),
});
const oldRows = fc.uniqueArray(fc.tuple(key, fc.constantFrom('x', 'y')), {
  maxLength: 24,
  selector: ([one]) => idOf(one),
});
const bound = fc.option(fc.record({ value: fc.constantFrom(...HARD), isIncluded: fc.boolean() }), {
  nil: undefined,
});
const keyRange = fc.oneof(
  fc.record({ from: bound, to: bound }),
  fc.constantFrom(...HARD).map((value) => {
    const both = { value, isIncluded: true };
    return { from: both, to: both };
  }),
);

describe('an old table', () => {
  test('is read in the order of the ids that its rows have here, whatever the range and the page', async () => {
    await fc.assert(
      fc.asyncProperty(
        oldRows,
        keyRange,
        keyRange,
        fc.integer({ min: 1, max: 5 }),
        async (rows, partitions, rowKeys, limit) => {
          const { old } = await createOld(rows);
          const defined = (given: object) =>
            Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined));
          const range = openIdRange(TABLE_ID, {
            partitionKey: defined(partitions),
            rowKey: defined(rowKeys),
          });
          const { from, to } = range;
          const expected = rows
            .map(([one]) => idOf(one))
            .filter((id) => (from.isIncluded ? id >= from.value : id > from.value))
            .filter((id) => (to.isIncluded ? id <= to.value : id < to.value))
            .toSorted();
          const read = await readAll(old, range, limit);
          expect(read.map(({ entityId }) => entityId)).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('names a row that no region can adopt', async () => {
    const stored = createMemoryTableStore();
    await stored.createTable('Plain');
    const operations = [{ kind: 'upsert' as const, rowKey: 'r', properties: new Map() }];
    await stored.commit({ table: 'Plain', partitionKey: 'p', operations });
    const old = createOldTable({ store: stored, table: 'Plain', tableId: TABLE_ID });
    await expect(old.get({ partitionKey: 'p', rowKey: 'r' })).rejects.toMatchObject({
      code: 'ROW_MALFORMED',
      message: expect.stringMatching(/Row "p", "r" of the old table Plain .*ETag/),
    });
  });

  test.each([
    ['W/"datetime\'2026-12-01T02%3A29%3A48.4767Z\'"', '2026-12-01T02:29:48.4767Z'],
    ['W/"datetime\'2026-12-01T02:29:48.4767Z\'"', undefined],
    ['W/"datetime\'%E0%A4%A\'"', undefined],
    ['W/"7"', undefined],
    ['"datetime\'2026-12-01T02%3A29%3A48.4767Z\'"', undefined],
  ])('%s tells %s', (etag, timestamp) => expect(timestampOfTag(etag)).toBe(timestamp));
});

type Step =
  | {
      readonly kind: 'insert' | 'put' | 'merge' | 'remove';
      readonly which: number;
      readonly value: string;
      readonly holdsTag: boolean;
    }
  | { readonly kind: 'copy'; readonly which: number }
  | { readonly kind: 'query'; readonly value: string; readonly limit: number }
  | { readonly kind: 'transact'; readonly which: number; readonly value: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('insert' as const, 'put' as const, 'merge' as const, 'remove' as const),
    which: fc.nat(1_000),
    value: fc.constantFrom('x', 'y'),
    holdsTag: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('copy' as const), which: fc.nat(1_000) }),
  fc.record({
    kind: fc.constant('query' as const),
    value: fc.constantFrom('x', 'y', 'any'),
    limit: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({
    kind: fc.constant('transact' as const),
    which: fc.nat(1_000),
    value: fc.constantFrom('x', 'y'),
  }),
);

/** One plain table, as a client that knows of no migration sees it. */
class Model {
  readonly rows = new Map<
    string,
    { readonly key: OpenKey; readonly value: string; readonly etag: string }
  >();
}

const shown = ({ partitionKey, rowKey, values, version }: OpenRecord) => ({
  key: { partitionKey, rowKey },
  value: String(values.get('v')?.value),
  etag: publicETag(version),
});

async function readPages(table: OpenTable, where: Predicate | undefined, limit: number) {
  const found: ReturnType<typeof shown>[] = [];
  let cursor: string | undefined;
  do {
    const page = await table.query({ where, limit, cursor });
    found.push(...page.records.map(shown));
    ({ cursor } = page);
  } while (cursor !== undefined);
  return found;
}

describe('I24: a table that is taken over shows one plain table, whatever is copied by then', () => {
  test('to clients with conditions, transactions and pages with filters', async () => {
    await fc.assert(
      fc.asyncProperty(oldRows, fc.array(step, { maxLength: 30 }), async (rows, steps) => {
        const { old } = await createOld(rows);
        const { table, alone, copy, conflicts } = await createRegion(old);
        const model = new Model();
        for (const [one, value] of rows) {
          const state = await old.get(one);
          const etag = publicETag(state?.vector ?? new Map());
          model.rows.set(idOf(one), { key: one, value, etag });
        }
        const all = await readAll(old, EVERYTHING, 100);
        // Keys that the old table has, and some that it has not.
        const keys = [
          ...rows.map(([one]) => one),
          { partitionKey: 'a', rowKey: 'new' },
          { partitionKey: 'new', rowKey: 'r' },
        ];
        for (const one of steps) {
          await perform(one, {
            table,
            model,
            keys,
            copy: async (which) => {
              const row = all[which % Math.max(1, all.length)];
              if (row !== undefined) await copy(row);
            },
          });
        }
        for (const row of all) await copy(row);
        // Copied whole it is the same without the old one, and no copy lost to anything.
        expect(await readPages(alone, undefined, 1_000)).toEqual(
          await readPages(table, undefined, 1_000),
        );
        expect(conflicts).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });
});

interface World {
  readonly table: OpenTable;
  readonly model: Model;
  readonly keys: readonly OpenKey[];
  readonly copy: (which: number) => Promise<void>;
}

async function perform(one: Step, world: World): Promise<void> {
  switch (one.kind) {
    case 'copy':
      return world.copy(one.which);
    case 'query':
      return performQuery(one, world);
    case 'transact':
      return performTransaction(one, world);
    case 'insert':
    case 'put':
    case 'merge':
    case 'remove':
    default:
      return performWrite(one, world);
  }
}

async function performQuery(
  { value, limit }: Extract<Step, { kind: 'query' }>,
  { table, model }: World,
): Promise<void> {
  const where: Predicate | undefined =
    value === 'any'
      ? undefined
      : { kind: 'compare', name: 'v', operator: 'eq', value: text(value) };
  const expected = [...model.rows.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row)
    .filter((row) => where === undefined || matches(where, () => text(row.value)));
  expect(await readPages(table, where, limit)).toEqual(expected);
}

async function performTransaction(
  one: Extract<Step, { kind: 'transact' }>,
  { table, model, keys }: World,
): Promise<void> {
  const which = keys[one.which % keys.length]!;
  const values = new Map([['v', text(one.value)]]);
  const members = keys.filter(({ partitionKey }) => partitionKey === which.partitionKey);
  const done = await table.transact(members.map((member) => ({ ...member, kind: 'put', values })));
  expect(done.kind).toBe('done');
  for (const member of members) await learn(member, table, model, one.value);
}

type WriteStep = Extract<Step, { holdsTag: boolean }>;

/** By whether there is such a row. */
const OUTCOMES: Readonly<Record<WriteStep['kind'], readonly [there: string, absent: string]>> = {
  insert: ['condition-failed', 'created'],
  put: ['replaced', 'created'],
  merge: ['replaced', 'created'],
  remove: ['deleted', 'not-found'],
};

async function performWrite(one: WriteStep, { table, model, keys }: World): Promise<void> {
  const which = keys[one.which % keys.length]!;
  const values = new Map([['v', text(one.value)]]);
  const there = model.rows.get(idOf(which));
  const condition =
    one.holdsTag && there !== undefined ? ({ kind: 'etag', etag: there.etag } as const) : undefined;
  expect(await table.get(which).then((record) => record && shown(record))).toEqual(there);
  const outcome =
    one.kind === 'insert'
      ? await table.insert(which, values)
      : one.kind === 'remove'
        ? await table.remove(which, condition)
        : await table[one.kind](which, values, condition);
  expect(outcome.kind).toBe(OUTCOMES[one.kind][there === undefined ? 1 : 0]);
  if (one.kind === 'remove') model.rows.delete(idOf(which));
  else if (outcome.kind !== 'condition-failed') await learn(which, table, model, one.value);
  const now = await table.get(which);
  expect(now && shown(now)).toEqual(model.rows.get(idOf(which)));
}

/** A write of a plain table changes the ETag, and its Timestamp is later. */
async function learn(which: OpenKey, table: OpenTable, model: Model, value: string): Promise<void> {
  const record = await table.get(which);
  expect(record && shown(record)).toMatchObject({ key: which, value });
  const { etag, version } = { etag: publicETag(record!.version), version: record!.version };
  const before = model.rows.get(idOf(which));
  expect(etag).not.toBe(before?.etag);
  expect(publicTimestamp(newestStamp(version)!) > '2026').toBe(true);
  model.rows.set(idOf(which), { key: which, value, etag });
}

describe('a filter', () => {
  const where: Predicate = { kind: 'compare', name: 'v', operator: 'eq', value: text('x') };

  test('is asked of the old side, and never of ours', async () => {
    const { old, asked } = await createOld([[{ partitionKey: 'p', rowKey: 'r' }, 'x']]);
    const { table } = await createRegion(old);
    await table.put({ partitionKey: 'p', rowKey: 'r' }, new Map([['v', text('y')]]));
    expect((await table.query({ where, partition: 'p' })).records).toEqual([]);
    expect(asked.at(-1)).toMatchObject({ partitions: 'p', where });
  });
});

test('an adopted stamp is that of the row under its id here', async () => {
  const { old } = await createOld([[{ partitionKey: 'p', rowKey: 'r' }, 'x']]);
  const [row] = await readAll(old, EVERYTHING, 1);
  const time = publicTimestamp(newestStamp(row!.state.vector)!);
  expect(row?.state.alive).toBe(adoptedStamp(row!.entityId, time));
});

describe('I26: a tombstone that hides an old row', () => {
  test('is kept while the table is taken over, or the row would come back', async () => {
    const one = { partitionKey: 'p', rowKey: 'r' };
    const { old } = await createOld([[one, 'x']]);
    const { table, store } = await createRegion(old);
    await table.remove(one);
    const collecting = { store, kind: rowsKind, bucketCount: BUCKETS, horizonMs: Infinity };
    const hiding = hidingTableIds(catalogueOf('copied'), Date.UTC(2027, 0, 1));
    expect(await collectTombstones({ ...collecting, hiding })).toBe(0);
    expect(await table.get(one)).toBeUndefined();
    expect((await table.query()).records).toEqual([]);
    // Once it is done nothing is behind it.
    const done = hidingTableIds(catalogueOf('done'), Date.UTC(2027, 0, 1));
    expect(await collectTombstones({ ...collecting, hiding: done })).toBe(1);
  });

  test.each([
    ['is forwarded', 'proxy', true],
    ['is copied', 'copied', true],
    ['is of a newer build', 'unreadable', true],
    ['was done long ago', 'done', false],
  ] as const)('counts where its table %s', (_, state, isHiding) => {
    const ids = hidingTableIds(catalogueOf(state), Date.UTC(2027, 0, 1));
    expect([...ids]).toEqual(isHiding ? [TABLE_ID] : []);
  });

  test('counts where its table was done a moment ago, and where it was deleted since', () => {
    expect(hidingTableIds(catalogueOf('done'), 60_000).size).toBe(1);
    expect(hidingTableIds(catalogueOf('done'), 60_001).size).toBe(0);
    expect(hidingTableIds(catalogueOf('overlay', { isDeleted: true }), 90_000).size).toBe(1);
  });
});

const RECORD: CatalogRecord = {
  name: 'Orders',
  policy: 'row',
  replicate: 'all',
  tombstoneAgeMs: null,
  archiveKeepMs: null,
  conflictsKeepMs: null,
  acl: null,
  source: null,
  mirror: null,
  rowsOf: null,
  createdAt: null,
  deletedAt: null,
  purgedAt: null,
  service: null,
};

function catalogueOf(
  state: SourceState | 'unreadable',
  { isDeleted = false }: { readonly isDeleted?: boolean } = {},
): Catalogue {
  const ranks = ['proxy', 'frozen', 'overlay', 'copied', 'done'];
  const source = {
    state,
    home: 'east',
    from: 'shop',
    table: 'Plain',
    sinceMs: 0,
    ...(ranks.indexOf(state) >= 2 ? { lastWrittenMs: 0 } : {}),
    ...(ranks.indexOf(state) >= 3 ? { copy: { read: 1, written: 1 } } : {}),
    ...(state === 'done'
      ? {
          proof: {
            rows: 1,
            untouched: 1,
            changed: 0,
            deleted: 0,
            digest: '0123456789abcdef',
            atMs: 0,
            regions: ['east'],
          },
        }
      : {}),
  };
  const text = JSON.stringify({ v: 1, ...source });
  const entity = { ...RECORD, source: text };
  const deletion = { entityId: 'orders~0000~deleted', entity: undefined };
  return readCatalogue([{ entityId: 'orders~0000', entity }, ...(isDeleted ? [deletion] : [])]);
}
