import {
  bringOver,
  type ChangeSet,
  createApplier,
  createHybridClock,
  type EntityState,
  encodeOpenId,
  encodeVector,
  entityBucketOf,
  type FieldValue,
  type MergePolicy,
  mergeRows,
  type OpenKey,
  type OpenKind,
  type OutboxEntry,
  openTableId,
  otherRowsKind,
  publicETag,
  type RecoveryRegion,
  replayInto,
  rowsKind,
  type TableStore,
  type VersionVector,
} from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRecoveryRegion } from '../recovery/recovery-region.ts';
import type { WriteCondition } from '../replicated-table.ts';
import { createRowMemory } from '../tables/row-memory.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createStateTable } from '../write-path/create-replicated-table.ts';
import {
  createOpenTable,
  createOtherSpace,
  type OpenRecord,
  type OpenTable,
} from './open-table.ts';

const TABLE_ID = openTableId('Orders', '0000');
const SPACES = [
  { kind: rowsKind, bucketCount: 2 },
  { kind: otherRowsKind, bucketCount: 7 },
] as const;
const REGIONS = ['east', 'north', 'west'] as const;
type Region = (typeof REGIONS)[number];

const text = (value: string): FieldValue => ({ type: 'String', value });
const valuesOf = (value: string) => new Map([['value', text(value)]]);
const idOf = (key: OpenKey): string => encodeOpenId(TABLE_ID, key);

/** One region with both spaces, either of which it may write to. */
async function createRegion(region: Region, policy: MergePolicy) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const store = createMemoryTableStore();
  const kinds: OpenKind[] = SPACES.map(({ kind }) => kind);
  for (const { name } of kinds) await store.createTable(name);
  for (const table of ['Archive', 'Conflicts']) await store.createTable(table);
  const hybridClock = createHybridClock({
    region,
    writer: 'w0000001',
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const archive = createTableArchive({ store });
  const sent: OutboxEntry[] = [];
  const shared = {
    store,
    archive,
    hybridClock,
    clock,
    randomness: createSeededRandomness(1),
    wireVersion: 7,
    peers: REGIONS.filter((other) => other !== region),
    onCommitted: (entry: OutboxEntry) => void sent.push(entry),
  };
  const recoveryOf = (of: TableStore) =>
    SPACES.map((space) =>
      createRecoveryRegion({ region, store: of, ...space, peers: [], idPrefix: TABLE_ID }),
    ) as [RecoveryRegion, RecoveryRegion];
  const countOf = (kind: string): number => (kind === rowsKind.name ? 2 : 7);
  const conflicts = createTableConflictJournal({ store, kinds, bucketCount: countOf });
  const spaces = SPACES.map((space) => {
    const memory = createRowMemory();
    const replica = createTableReplica({ store, ...space, memory });
    return { ...space, replica, states: createStateTable({ ...shared, ...space, memory }) };
  });
  const tables = spaces.map((own, index): OpenTable => {
    const { kind, bucketCount, replica } = spaces[1 - index]!;
    const into = own.replica;
    const other = createOtherSpace({ ...shared, kind, bucketCount, replica, into, conflicts });
    return createOpenTable({ ...shared, ...own, tableId: TABLE_ID, policy, other });
  });
  const applier = createApplier({
    region,
    regions: new Set(REGIONS),
    replicas: new Map(spaces.map(({ kind, replica }) => [kind.name, replica])),
    archive,
    conflicts,
    clock,
    hybridClock,
    tombstoneAgeMs: 86_400_000,
    store,
    driftMsMax: 60_000,
  });
  return {
    region,
    clock,
    store,
    sent,
    conflicts,
    spaces,
    /** The table as a region has it that writes to the first space, and as one that writes to the second. */
    tables,
    /** The table once it has moved, read from the new space alone. */
    settled: createOpenTable({ ...shared, ...spaces[1]!, tableId: TABLE_ID, policy }),
    bringOver() {
      const [from, to] = recoveryOf(store);
      return bringOver({ from, to, tableId: TABLE_ID });
    },
    /** Names the change sets of the new space that lie in the archive where nobody looks for what they hold. */
    async misplaced(): Promise<string[]> {
      const { archive: keeper, entityKind, buckets, replica } = recoveryOf(store)[1];
      const found: string[] = [];
      for (const bucket of buckets) {
        for await (const row of keeper.scan({ entityKind, bucket })) {
          if (row.kind === 'damaged') found.push(row.rowKey);
          else {
            const ids = row.set.changes.map(({ entityId }) => entityId);
            if (ids.some((id) => replica.bucketOf(id) !== bucket)) found.push(row.set.stamp);
          }
        }
      }
      return found;
    },
    /** What a replay of the archive of the new space makes of nothing. */
    async replayed(): Promise<OpenTable> {
      const empty = createMemoryTableStore();
      for (const { kind } of SPACES) await empty.createTable(kind.name);
      const { buckets } = recoveryOf(store)[1];
      const into = recoveryOf(empty)[1].replica;
      await replayInto({ archive: recoveryOf(store)[1].archive, region, into, buckets, span: {} });
      const space = { ...shared, ...SPACES[1], store: empty };
      const states = createStateTable(space);
      return createOpenTable({ ...space, states, tableId: TABLE_ID, policy });
    },
    archive,
    async apply(entry: OutboxEntry) {
      const { stamp } = entry.set;
      const results = await applier.apply([{ key: stamp, ...entry }]);
      expect([...results.values()]).toEqual([undefined]);
    },
  };
}

const KEYS: OpenKey[] = ['a', 'b', 'c'].flatMap((partitionKey) =>
  ['1', '2'].map((rowKey) => ({ partitionKey, rowKey })),
);

interface Step {
  readonly region: number;
  readonly key: number;
  readonly verb: 'insert' | 'put' | 'merge' | 'remove' | 'both' | 'deliver' | 'turn';
  readonly name: string;
  readonly isConditional: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  region: fc.nat({ max: REGIONS.length - 1 }),
  key: fc.nat({ max: KEYS.length - 1 }),
  verb: fc.constantFrom('insert', 'put', 'merge', 'remove', 'both', 'deliver', 'deliver', 'turn'),
  name: fc.constantFrom('value', 'other'),
  isConditional: fc.boolean(),
});

/** Returns the join of all changes of one row in the sets that a region has. */
function joinOf(sets: readonly ChangeSet[], entityId: string): EntityState | undefined {
  const states = sets.flatMap(({ changes }) =>
    changes.filter((one) => one.entityId === entityId).map(({ state }) => state),
  );
  return states.reduce<EntityState | undefined>((joined, state) => {
    const own = { state, referenceId: undefined };
    return joined === undefined ? state : mergeRows({ ...own, state: joined }, own).state;
  }, undefined);
}

/** Leaves out where the row has its state from, which is of the region. */
function toComparable(record: OpenRecord): OpenRecord {
  return { ...record, referenceId: undefined };
}

function textOf(vector: VersionVector | undefined): string {
  return vector === undefined ? '' : encodeVector(vector);
}

interface Writing {
  readonly verb: Exclude<Step['verb'], 'deliver' | 'turn'>;
  readonly key: OpenKey;
  readonly values: ReadonlyMap<string, FieldValue>;
  readonly condition: WriteCondition | undefined;
}

async function write(table: OpenTable, { verb, key, values, condition }: Writing): Promise<string> {
  if (verb === 'insert') return (await table.insert(key, values)).kind;
  if (verb === 'remove') return (await table.remove(key, condition)).kind;
  if (verb !== 'both') return (await table[verb](key, values, condition)).kind;
  const { partitionKey } = key;
  const both = ['1', '2'].map((rowKey) => ({ kind: 'put' as const, partitionKey, rowKey, values }));
  return (await table.transact(both)).kind;
}

interface Written extends Pick<Step, 'verb' | 'isConditional'> {
  readonly kind: string;
  readonly isThere: boolean;
  readonly sets: readonly OutboxEntry[];
  /** What the region had before. */
  readonly own: readonly ChangeSet[];
}

/** Checks that a write was decided, and is made, on all that its region had. */
function checkWritten({ verb, kind, isThere, isConditional, sets, own }: Written): void {
  const isRefused = kind === 'condition-failed';
  // Of a row that is shown so, every region and space lets its ETag pass.
  const isAsked = isConditional && verb !== 'both';
  expect(isRefused).toBe(verb === 'insert' ? isThere : isAsked && !isThere);
  for (const { set } of sets) {
    for (const { entityId, state } of set.changes) {
      const before = joinOf(own, entityId)?.vector ?? new Map();
      for (const [of, stamp] of before) expect(state.vector.get(of)! >= stamp).toBe(true);
    }
  }
}

/** Does the steps; what is not delivered by then stays under way. Throws where a region shows anything but the join of what it has. */
async function run(steps: readonly Step[], policy: MergePolicy) {
  const regions = await Promise.all(REGIONS.map((region) => createRegion(region, policy)));
  const has = new Map(regions.map(({ region }) => [region, [] as ChangeSet[]]));
  const underWay = new Map(regions.map(({ region }) => [region, [] as OutboxEntry[]]));
  const turned = new Set<Region>();
  for (const [index, { verb, name, isConditional, ...one }] of steps.entries()) {
    const region = regions[one.region]!;
    const key = KEYS[one.key]!;
    for (const { clock } of regions) await clock.advance(1);
    const table = region.tables[turned.has(region.region) ? 1 : 0]!;
    const own = has.get(region.region)!;
    if (verb === 'turn') turned.add(region.region);
    else if (verb === 'deliver') {
      const waiting = underWay.get(region.region)!;
      const [entry] = waiting.splice(one.key % Math.max(1, waiting.length), 1);
      if (entry === undefined) continue;
      await region.apply(entry);
      own.push(entry.set);
    } else {
      const shown = joinOf(own, idOf(key));
      const tag = shown === undefined ? 'none' : publicETag(shown.vector);
      const condition = isConditional ? ({ kind: 'etag', etag: tag } as const) : undefined;
      const values = new Map([[name, text(`v${index}`)]]);
      const isThere = (await table.get(key)) !== undefined;
      region.sent.length = 0;
      const kind = await write(table, { verb, key, values, condition });
      checkWritten({ verb, kind, isThere, isConditional, sets: region.sent, own });
      for (const entry of region.sent) {
        own.push(entry.set);
        // As the relay does before it forgets the outbox row.
        await region.archive.append([entry]);
        for (const [peer, waiting] of underWay) if (peer !== region.region) waiting.push(entry);
      }
    }
    for (const shown of region.tables) {
      const row = await shown.get(key);
      const state = joinOf(own, idOf(key));
      const isAlive = state !== undefined && (state.alive ?? '') > (state.deleted ?? '');
      expect(textOf(row?.version)).toBe(isAlive ? textOf(state.vector) : '');
    }
  }
  return { regions, has, underWay };
}

describe('a table that moves, read and written as the join of two spaces', () => {
  test.each(['row', 'field'] as const)(
    'shows in each region the join of all that the region has, wherever it was written, and becomes equal (policy %s)',
    async (policy) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { regions, has, underWay } = await run(steps, policy);
          for (const region of regions) {
            for (const entry of underWay.get(region.region)!) {
              await region.apply(entry);
              has.get(region.region)!.push(entry.set);
            }
          }
          const pages = await Promise.all(
            regions.flatMap(({ tables }) =>
              tables.map(async (table) => (await table.query({ limit: 100 })).records),
            ),
          );
          for (const records of pages) {
            expect(records.map(toComparable)).toEqual(pages[0]!.map(toComparable));
          }
          for (const key of KEYS) {
            const all = joinOf(has.get('east')!, idOf(key));
            const row = pages[0]?.find(
              (one) => one.partitionKey === key.partitionKey && one.rowKey === key.rowKey,
            );
            const isAlive = all !== undefined && (all.alive ?? '') > (all.deleted ?? '');
            expect(textOf(row?.version)).toBe(isAlive ? textOf(all.vector) : '');
          }
          for (const region of regions) {
            await region.bringOver();
            const again = await region.bringOver();
            expect(again).toMatchObject({ written: 0, archived: 0, damaged: [] });
            expect(await region.misplaced()).toEqual([]);
            for (const table of [region.settled, await region.replayed()]) {
              const { records } = await table.query({ limit: 100 });
              expect(records.map(toComparable)).toEqual(pages[0]!.map(toComparable));
            }
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  test('I4: what was deleted in one space is not shown from the other, in no page and under no key', async () => {
    const { tables } = await createRegion('east', 'row');
    const [first, second] = tables as [OpenTable, OpenTable];
    await first.put(KEYS[0]!, valuesOf('1'));
    await first.put(KEYS[1]!, valuesOf('1'));
    expect((await second.remove(KEYS[0]!)).kind).toBe('deleted');
    expect(await second.get(KEYS[0]!)).toBeUndefined();
    expect((await second.query()).records).toMatchObject([KEYS[1]!]);
    expect((await second.insert(KEYS[0]!, valuesOf('2'))).kind).toBe('created');
  });

  test('a filter is judged on the join: a row of one space that matches is not shown where the other has changed it', async () => {
    const { tables } = await createRegion('east', 'row');
    const [first, second] = tables as [OpenTable, OpenTable];
    await first.put(KEYS[0]!, valuesOf('old'));
    await second.put(KEYS[0]!, valuesOf('new'));
    const where = (value: string) => ({
      where: { kind: 'compare', name: 'value', operator: 'eq', value: text(value) } as const,
    });
    for (const table of [first, second]) {
      expect((await table.query(where('old'))).records).toEqual([]);
      expect((await table.query({ ...where('new'), select: ['value'] })).records).toHaveLength(1);
    }
  });

  test('pages go on across a turn, with no row twice or not at all', async () => {
    const { tables } = await createRegion('east', 'row');
    const [first, second] = tables as [OpenTable, OpenTable];
    const keys = Array.from({ length: 60 }, (_, index) => ({
      partitionKey: `p${index % 9}`,
      rowKey: String(index).padStart(2, '0'),
    }));
    for (const [index, key] of keys.entries()) {
      if (index % 3 !== 0) await first.put(key, valuesOf('1'));
      if (index % 3 !== 1) await second.put(key, valuesOf('2'));
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await (pages % 2 === 0 ? first : second).query({ limit: 7, cursor });
      seen.push(...page.records.map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`));
      ({ cursor } = page);
      pages += 1;
    } while (cursor !== undefined);
    const wanted = keys.map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`).sort();
    expect(seen).toEqual(wanted);
  });

  test('I7: what two concurrent writes lose to each other, one in either space, is recorded before it is joined', async () => {
    const [east, west] = await Promise.all([
      createRegion('east', 'row'),
      createRegion('west', 'row'),
    ]);
    await east.tables[0]!.put(KEYS[0]!, valuesOf('east'));
    await west.clock.advance(5);
    await west.tables[1]!.put(KEYS[0]!, valuesOf('west'));
    await west.apply(east.sent[0]!);
    expect(await west.conflicts.list(otherRowsKind.name, 10)).toEqual([]);
    // Read, it is joined for who reads it alone.
    expect((await west.tables[1]!.get(KEYS[0]!))?.values.get('value')).toEqual(text('west'));
    await west.tables[1]!.merge(KEYS[0]!, new Map([['more', text('x')]]));
    const [conflict, ...others] = await west.conflicts.list(otherRowsKind.name, 10);
    expect(others).toEqual([]);
    expect(conflict?.fields).toMatchObject([{ name: 'value', loser: { value: text('east') } }]);
  });

  test('I20: a transaction of rows that lie in one bucket of the one space, and in several of the other, is made on all of them', async () => {
    const { tables, sent } = await createRegion('east', 'row');
    const [first, second] = tables as [OpenTable, OpenTable];
    const keys = Array.from({ length: 20 }, (_, index) => ({
      partitionKey: `p${index}`,
      rowKey: '1',
    })).filter((key) => entityBucketOf(rowsKind, idOf(key), 2) === '00');
    expect(new Set(keys.map((key) => entityBucketOf(otherRowsKind, idOf(key), 7))).size).not.toBe(
      1,
    );
    for (const key of keys) await second.put(key, valuesOf('1'));
    sent.length = 0;
    const puts = keys.map((key) => ({ kind: 'put' as const, ...key, values: valuesOf('2') }));
    const inserts = puts.map((put) => ({ ...put, condition: { kind: 'absent' } as const }));
    expect((await first.transact(inserts)).kind).toBe('refused');
    expect((await first.transact(puts)).kind).toBe('done');
    expect(sent).toHaveLength(1);
    for (const { operation } of sent[0]!.set.changes) expect(operation).toBe('replace');
  });

  test('what is pulled stays out of the outbox, under the version that it has', async () => {
    const { tables, sent, spaces } = await createRegion('east', 'row');
    const [first, second] = tables as [OpenTable, OpenTable];
    await first.put(KEYS[0]!, valuesOf('1'));
    const before = await first.get(KEYS[0]!);
    const refused = await second.put(KEYS[0]!, valuesOf('2'), { kind: 'absent' });
    expect(refused).toMatchObject({ kind: 'condition-failed', current: before });
    expect(sent).toHaveLength(1);
    const [, { replica }] = spaces as [unknown, (typeof spaces)[number]];
    const bucket = entityBucketOf(otherRowsKind, idOf(KEYS[0]!), 7);
    const rows = await replica.read(bucket, [idOf(KEYS[0]!)]);
    expect(textOf(rows.get(idOf(KEYS[0]!))?.state.vector)).toBe(textOf(before?.version));
  });
});
