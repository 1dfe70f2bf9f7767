import {
  bucketOf,
  CHANGES_PER_SET_MAX,
  FULL_WIRE_VERSION,
  inflateChangeSet,
  type Properties,
  type Transaction,
  TransientError,
  WHOLE_WIRE_VERSION,
} from '@tandem/core';
import { beforeEach, describe, expect, test } from 'vitest';
import type { TransactOperation } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, readRows } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';
import { isCommitted } from './commit-change-set.ts';

type Kind = typeof deviceKind;
type Operation = TransactOperation<Kind>;

/** Ids of one bucket. */
const IDS = Array.from({ length: 8_000 }, (_, index) => `id${index}`).filter(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === '00',
);
const HUNDRED = IDS.slice(0, CHANGES_PER_SET_MAX);
const [FIRST = ''] = HUNDRED;
const SETTLED_MS = 16_000;

let regions: TwoRegions<Kind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
});

const putAll = (label: string, condition?: Operation['condition']): Operation[] =>
  HUNDRED.map((entityId) => ({ kind: 'put', entityId, entity: { label }, condition }));

const isOfRows = ({ operations }: Transaction): boolean =>
  operations.length === CHANGES_PER_SET_MAX;
const isPreparing = ({ table, operations: [first, ...rest] }: Transaction): boolean =>
  table === deviceKind.name &&
  rest.length === 0 &&
  first?.kind === 'insert' &&
  first.properties.has('prepared');

/** Holds the transaction of the rows, as that of a process that hangs or died, until it is released. */
function holdRows(): { readonly release: () => void; readonly reached: Promise<void> } {
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let isFirst = true;
  regions.east.store.beforeCommit(async (transaction) => {
    if (!isOfRows(transaction) || !isFirst) return;
    isFirst = false;
    reached.resolve();
    await held.promise;
  });
  return { release: held.resolve, reached: reached.promise };
}

async function labelsIn(region: 'east' | 'west'): Promise<ReadonlySet<string | null | undefined>> {
  const { table } = regions[region];
  const found = new Set<string | null | undefined>();
  for (const id of HUNDRED) found.add((await regions.drive(table.get(id)))?.entity.label);
  return found;
}

async function outboxKeys(): Promise<readonly string[]> {
  const { rows } = await regions.east.store.query({
    table: deviceKind.name,
    partitions: '00',
    rowsFrom: '~',
    limit: 100,
  });
  return rows.map(({ rowKey }) => rowKey);
}

async function archivedSizes(region: 'east' | 'west'): Promise<readonly number[]> {
  const span = { entityKind: deviceKind.name, bucket: '00' };
  const sizes: number[] = [];
  for await (const set of regions[region].archive.read(span)) sizes.push(set.changes.length);
  return sizes;
}

/** Both regions hold the same rows, and nothing is owed any more. */
async function expectEqual(): Promise<void> {
  await regions.settle();
  const [east, west] = await Promise.all([
    readRows(regions.east, 'Devices'),
    readRows(regions.west, 'Devices'),
  ]);
  const toColumns = (rows: typeof east): unknown[] =>
    rows.map(({ key, properties }) => {
      // They tell how a row came to be here, and are not of its state.
      const all = Object.entries(properties as Record<string, unknown>);
      return [key, all.filter(([name]) => name !== 'referenceId' && name !== '_prepared')];
    });
  expect(toColumns(east)).toEqual(toColumns(west));
  expect(await outboxKeys()).toEqual([]);
}

async function sweepLater(): Promise<void> {
  await regions.clock.advance(SETTLED_MS);
  await regions.drive(regions.east.replicator.sweepOnce());
}

describe('I20: a transaction of a hundred', () => {
  test('is done whole, in one set, here and in the other region and both archives', async () => {
    const { east, drive } = regions;
    const done = await drive(east.table.transact(putAll('a')));
    expect(done).toMatchObject({ kind: 'done', outcomes: { length: 100 } });
    expect(await labelsIn('west')).toEqual(new Set([undefined]));
    await sweepLater();
    await expectEqual();
    expect(await labelsIn('west')).toEqual(new Set(['a']));
    expect([await archivedSizes('east'), await archivedSizes('west')]).toEqual([[100], [100]]);
    const [{ encoded, set } = {}] = east.committed;
    expect(set?.whole).toBe(true);
    const text = Buffer.from(inflateChangeSet(encoded!)).toString();
    expect(text.startsWith(`{"wire":${FULL_WIRE_VERSION},`)).toBe(true);
  });

  test('is refused before anything is written where a region takes 99', async () => {
    const east = { relaysAtOnce: false, wireVersion: WHOLE_WIRE_VERSION };
    regions = await createTwoRegions(deviceKind, { east });
    const { table } = regions.east;
    await expect(regions.drive(table.transact(putAll('a')))).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
      message: expect.stringMatching(/limit is 99.*Messages\.WireVersion is 4/),
    });
    expect(await readRows(regions.east, 'Devices')).toEqual([]);
    const less = await regions.drive(table.transact(putAll('a').slice(1)));
    expect(less.kind).toBe('done');
  });

  test('refused for one row does nothing, and leaves nothing prepared', async () => {
    const { east, drive } = regions;
    const other = east.openTable();
    await drive(east.table.transact(putAll('a')));
    // What this process remembers is old by then, so the store refuses it.
    await drive(other.put(HUNDRED[70]!, { label: 'b' }));
    const before = await outboxKeys();
    const operations = putAll('c');
    operations[70] = { ...operations[70]!, condition: { kind: 'absent' } };
    const done = await drive(east.table.transact(operations));
    expect(done).toMatchObject({ kind: 'refused', index: 70 });
    expect(await outboxKeys()).toEqual(before);
    // Now that nothing forbids it, it is decided again on what the store says.
    await drive(other.put(HUNDRED[70]!, { label: 'd' }));
    expect(await drive(east.table.transact(putAll('e')))).toMatchObject({ kind: 'done' });
    await sweepLater();
    await expectEqual();
    expect(await labelsIn('west')).toEqual(new Set(['e']));
  });

  test.each([
    ['that are there', true],
    ['that are not', false],
  ])('that was only prepared never comes to be, on rows %s', async (_, areThere) => {
    const { east, drive } = regions;
    if (areThere) await drive(east.table.transact(putAll('old')));
    if (areThere) await sweepLater();
    const { release, reached } = holdRows();
    const writing = east.table.transact(putAll('late'));
    const told = Promise.allSettled([writing]);
    await reached;
    expect(await outboxKeys()).toHaveLength(1);
    await sweepLater();
    // Nothing of it went, and nothing of it is left: what is made of no row is a row that says nothing.
    await expectEqual();
    expect(await labelsIn('west')).toEqual(new Set([areThere ? 'old' : undefined]));
    expect(await archivedSizes('west')).toEqual(areThere ? [100] : [1]);
    // The process was only slow: the store refuses it then, and its caller was told long before.
    release();
    await regions.clock.advance(1_000);
    expect(await drive(told)).toMatchObject([{ reason: { code: 'TABLE_OUTCOME_UNKNOWN' } }]);
    await expectEqual();
    expect(await labelsIn('east')).toEqual(new Set([areThere ? 'old' : undefined]));
    // Whoever writes next finds nothing in the way.
    expect(await drive(east.table.transact(putAll('next')))).toMatchObject({ kind: 'done' });
    await sweepLater();
    await expectEqual();
    expect(await labelsIn('west')).toEqual(new Set(['next']));
  });

  test('is not taken for committed while it is only prepared', async () => {
    const { east } = regions;
    const { release, reached } = holdRows();
    const writing = east.table.transact(putAll('a'));
    await reached;
    const [rowKey = ''] = await outboxKeys();
    const key = { entityKind: 'Devices', bucket: '00', stamp: rowKey.slice(3) as never };
    const get = east.store.get.bind(east.store);
    const asked = { get, archive: east.archive, kind: deviceKind };
    expect(await isCommitted(key, asked)).toBe(false);
    release();
    await regions.drive(writing);
    expect(await isCommitted(key, asked)).toBe(true);
    await sweepLater();
    await regions.settle();
    expect(await outboxKeys()).toEqual([]);
    expect(await isCommitted(key, asked)).toBe(true);
  });

  test.each(['here', 'by another process', 'by the other region'])(
    'whose marked row was written over at once %s is known to be committed',
    async (who) => {
      const { east, west, drive } = regions;
      await drive(east.table.transact(putAll('a')));
      if (who === 'here') await drive(east.table.put(FIRST, { label: 'b' }));
      else if (who === 'by another process')
        await drive(east.openTable().put(FIRST, { label: 'b' }));
      else {
        await drive(west.table.put(FIRST, { label: 'b' }));
        await regions.clock.advance(3_000);
        await drive(west.replicator.sweepOnce());
        await drive(east.replicator.receiveOnce(new AbortController().signal));
      }
      // A row of the set that tells more than its mark does is gone too.
      for (const id of HUNDRED.slice(1)) await drive(east.table.patch(id, { label: 'c' }));
      await sweepLater();
      await expectEqual();
      expect(await archivedSizes('west')).toContain(100);
    },
  );

  test('is settled before its marked row is written over, though its outbox row changes meanwhile', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact(putAll('a')));
    const [rowKey = ''] = await outboxKeys();
    let touches = 0;
    east.store.beforeCommit(async ({ operations: [first] }) => {
      if (first?.rowKey !== rowKey || touches > 2) return;
      touches += 1;
      const { properties } = (await east.store.get('Devices', '00', rowKey))!;
      const operations = [{ kind: 'upsert', rowKey, properties }] as const;
      await east.store.commit({ table: 'Devices', partitionKey: '00', operations });
    });
    // All rows that would tell of it are written over.
    for (const id of HUNDRED) await drive(east.openTable().put(id, { label: 'b' }));
    expect(touches).toBe(3);
    await sweepLater();
    await expectEqual();
    expect(await archivedSizes('west')).toContain(100);
  });

  test('whose marked row the store lost is known by any other row', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact(putAll('a')));
    await east.store.commit({
      table: 'Devices',
      partitionKey: '00',
      operations: [{ kind: 'delete', rowKey: FIRST }],
    });
    await sweepLater();
    await regions.settle();
    expect(await labelsIn('west')).toEqual(new Set(['a']));
    expect(await archivedSizes('east')).toEqual([100]);
  });

  test('whose marked row is damaged waits until it is put back, where no other row tells', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact(putAll('a')));
    const marked = (await east.store.get('Devices', '00', FIRST))!;
    const rewrite = (properties: Properties): Promise<unknown> =>
      east.store.commit({
        table: 'Devices',
        partitionKey: '00',
        operations: [{ kind: 'upsert', rowKey: FIRST, properties }],
      });
    const spoilt = { type: 'String', value: 'nobody can read this' } as const;
    await rewrite(new Map([...marked.properties, ['_vector', spoilt]]));
    await east.store.commit({
      table: 'Devices',
      partitionKey: '00',
      operations: HUNDRED.slice(1).map((rowKey) => ({ kind: 'delete', rowKey })),
    });
    await sweepLater();
    expect(await outboxKeys()).toHaveLength(1);
    await rewrite(marked.properties);
    await sweepLater();
    await regions.settle();
    expect(await labelsIn('west')).toEqual(new Set(['a']));
    expect(await archivedSizes('west')).toEqual([100]);
  });

  test('whose rows the store all lost is known by the archive', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact(putAll('a')));
    await east.archive.append(east.committed);
    await east.store.commit({
      table: 'Devices',
      partitionKey: '00',
      operations: HUNDRED.map((rowKey) => ({ kind: 'delete', rowKey })),
    });
    await sweepLater();
    await regions.settle();
    expect(await labelsIn('west')).toEqual(new Set(['a']));
  });

  const UNKNOWN = new TransientError('TABLE_OUTCOME_UNKNOWN', 'no answer');
  const THROTTLED = new TransientError('TABLE_THROTTLED', 'busy');
  test.each([
    ['what is prepared was written', isPreparing, [{ when: 'after', error: UNKNOWN }]],
    ['what is prepared was not', isPreparing, [{ when: 'before', error: UNKNOWN }]],
    ['the rows were written', isOfRows, [{ when: 'after', error: UNKNOWN }]],
    ['the rows were not', isOfRows, [{ when: 'before', error: UNKNOWN }]],
    ['the store was busy', isPreparing, [{ when: 'before', error: THROTTLED }]],
  ] as const)('is done once where the answer was lost: %s', async (_, which, faults) => {
    const { east, drive } = regions;
    east.store.failCommits(faults, which);
    expect(await drive(east.table.transact(putAll('a')))).toMatchObject({ kind: 'done' });
    expect(east.committed).toHaveLength(1);
    await sweepLater();
    await expectEqual();
    expect(await archivedSizes('west')).toEqual([100]);
  });

  test('says that nothing was done where what comes before could not be written', async () => {
    const { east, drive } = regions;
    const faults = Array.from({ length: 4 }, () => ({ when: 'after' as const, error: UNKNOWN }));
    east.store.failCommits(faults, isPreparing);
    await expect(drive(east.table.transact(putAll('a')))).rejects.toMatchObject({
      code: 'TABLE_UNAVAILABLE',
    });
    expect(await outboxKeys()).toHaveLength(1);
    await sweepLater();
    await expectEqual();
    expect(await labelsIn('east')).toEqual(new Set([undefined]));
  });
});
