import {
  type ArchiveKeeper,
  archivePartitionOf,
  bucketOf,
  type Change,
  type ChangeSet,
  type EntityState,
  encodeChangeSet,
  formatStamp,
  ROWS_PER_TRANSACTION_MAX,
  type ScannedArchiveRow,
  type Stamp,
  type VersionVector,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { copyArchive, restoredSet } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { ARCHIVE_TABLE, createTableArchive } from '../tables/table-archive.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createFaultyStore, type FaultyStore } from '../testing/faulty-store.ts';
import { createTableArchiveKeeper } from './archive-keeper.ts';

const BUCKET = '02';
const KIND = deviceKind.name;
const DAY_MS = 24 * 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);
const SPAN = { entityKind: KIND, bucket: BUCKET };

function stampAt(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs: START_MS + timeMs, counter: 0, region, writer: 'w' });
}

function stateOf(label: string, stamp: Stamp, vector?: VersionVector): EntityState {
  return {
    fields: new Map([['label', { value: { type: 'String', value: label }, stamp }]]),
    alive: stamp,
    deleted: undefined,
    vector: vector ?? new Map([[stamp.slice(18, 22), stamp]]),
  };
}

function setOf(stamp: Stamp, changes: readonly Change[]): ChangeSet {
  return { ...SPAN, stamp, changes };
}

function changeOf(entityId: string, state: EntityState): Change {
  return { entityId, operation: 'replace', state };
}

interface SetUp {
  readonly store: FaultyStore;
  readonly keeper: ArchiveKeeper;
  append(...sets: readonly ChangeSet[]): Promise<void>;
  read(): Promise<readonly ScannedArchiveRow[]>;
  /** The label that each change set has of an entity, by row key. */
  labels(entityId: string): Promise<Readonly<Record<string, unknown>>>;
}

async function setUp(): Promise<SetUp> {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(ARCHIVE_TABLE);
  const keeper = createTableArchiveKeeper({ store });
  const archive = createTableArchive({ store });
  const read = async (): Promise<readonly ScannedArchiveRow[]> => {
    const rows: ScannedArchiveRow[] = [];
    for await (const row of keeper.scan(SPAN)) rows.push(row);
    return rows;
  };
  return {
    store,
    keeper,
    read,
    append: (...sets) =>
      archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) }))),
    async labels(entityId) {
      const found: Record<string, unknown> = {};
      for (const row of await read()) {
        if (row.kind === 'damaged') continue;
        const change = row.set.changes.find((one) => one.entityId === entityId);
        if (change === undefined) continue;
        found[row.rowKey] = change.state.fields.get('label')?.value?.value;
      }
      return found;
    },
  };
}

async function spoil(store: FaultyStore, set: ChangeSet): Promise<void> {
  const properties = new Map([['p0', { type: 'String' as const, value: 'torn' }]]);
  const operations = [{ kind: 'upsert' as const, rowKey: set.stamp, properties }];
  const partitionKey = archivePartitionOf(set);
  await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
}

const restoring = (entityId: string, state: EntityState): ChangeSet =>
  restoredSet({ ...SPAN, entityId, state });

describe('restoring states to an archive', () => {
  test('files a state of one transaction under its stamp, and nothing twice', async () => {
    const { keeper, read, labels } = await setUp();
    const stamp = stampAt(1);
    const set = restoring('a', stateOf('one', stamp));
    await keeper.restore([set]);
    await keeper.restore([set]);
    expect(await labels('a')).toEqual({ [stamp]: 'one' });
    expect((await read()).map((row) => row.partitionKey)).toEqual([`${KIND}-${BUCKET}-20260101`]);
  });

  test('leaves a change set alone that holds the state, or a newer one', async () => {
    const { keeper, append, read } = await setUp();
    const [first, second] = [stampAt(1), stampAt(2)];
    const newer = stateOf('two', second, new Map([['east', second]]));
    await append(setOf(second, [changeOf('a', newer), changeOf('b', stateOf('b', second))]));
    const before = await read();
    await keeper.restore([restoring('a', newer), restoring('b', stateOf('b', second))]);
    expect(await read()).toEqual(before);
    // An older state is another change set, and is not hidden by a newer one under another stamp.
    await keeper.restore([restoring('a', stateOf('one', first))]);
    expect(await read()).toHaveLength(2);
    // Under its own stamp one that contains more is newer, and one that contains something else is not.
    const third = stampAt(3);
    const [west, north] = ['west', 'north'].map((region) => stampAt(1, region)) as [Stamp, Stamp];
    const vectorOf = (...stamps: readonly Stamp[]): VersionVector =>
      new Map(stamps.map((stamp) => [stamp.split('-')[2] ?? '', stamp]));
    await append(setOf(third, [changeOf('c', stateOf('c', third, vectorOf(third, west)))]));
    await keeper.restore([restoring('c', stateOf('c', third, vectorOf(third)))]);
    expect(await read()).toHaveLength(3);
    await keeper.restore([restoring('c', stateOf('c', third, vectorOf(third, north)))]);
    expect(await read()).toHaveLength(4);
  });

  test('a state of several transactions lies beside the change set, which stays as it is', async () => {
    const { keeper, append, labels, read } = await setUp();
    const [east, west] = [stampAt(2), stampAt(1, 'west')];
    const original = setOf(east, [
      changeOf('a', stateOf('east', east)),
      changeOf('b', stateOf('b', east)),
    ]);
    await append(original);
    const joined = stateOf(
      'east',
      east,
      new Map([
        ['east', east],
        ['west', west],
      ]),
    );
    await keeper.restore([restoring('a', joined)]);
    const beside = `${east}~r${bucketOf('a', 256)}`;
    expect(await labels('a')).toEqual({ [east]: 'east', [beside]: 'east' });
    expect(await labels('b')).toEqual({ [east]: 'b' });
    const [plain, restored] = await read();
    expect(plain).toMatchObject({ rowKey: east, set: { changes: original.changes } });
    expect(restored).toMatchObject({ set: { changes: [{ entityId: 'a', state: joined }] } });
    const before = await read();
    await keeper.restore([restoring('a', joined)]);
    expect(await read()).toEqual(before);
  });

  test('where the change set itself is gone it is filed as well: referenceId names it', async () => {
    const { keeper, read } = await setUp();
    const [east, west] = [stampAt(2), stampAt(1, 'west')];
    const vector = new Map([
      ['east', east],
      ['west', west],
    ]);
    await keeper.restore([restoring('a', stateOf('joined', east, vector))]);
    const rows = await read();
    expect(rows.map(({ rowKey }) => rowKey)).toEqual([east, `${east}~r${bucketOf('a', 256)}`]);
    // The one stands for the set until that comes, the other for nothing.
    expect(rows.map((row) => row.kind === 'set' && row.isStandIn)).toEqual([true, undefined]);
    const copy = await setUp();
    await copy.keeper.put(
      rows.flatMap((row) => (row.kind === 'set' ? [{ ...row, etag: undefined }] : [])),
    );
    expect((await copy.read()).map((row) => row.kind === 'set' && row.isStandIn)).toEqual([
      true,
      undefined,
    ]);
  });

  test('tells of a row that values were erased in it, also where it was copied to', async () => {
    const { keeper, read } = await setUp();
    await keeper.restore([restoring('a', stateOf('a', stampAt(1)))]);
    const erased = (await read()).flatMap((row) =>
      row.kind === 'set' ? [{ ...row, isErased: true, isStandIn: false }] : [],
    );
    await keeper.put(erased);
    const copy = await setUp();
    const copied = (await read()).flatMap((row) =>
      row.kind === 'set' ? [{ ...row, etag: undefined }] : [],
    );
    await copy.keeper.put(copied);
    expect(copied.map(({ isErased }) => isErased)).toEqual([true]);
    expect((await copy.read()).map((row) => row.kind === 'set' && row.isErased)).toEqual([true]);
  });

  test('several entities of one commit are all in the row of its stamp', async () => {
    const { keeper, labels, read } = await setUp();
    const stamp = stampAt(1);
    const ids = Array.from({ length: 40 }, (_, n) => `device-${n}`);
    await keeper.restore(ids.map((id) => restoring(id, stateOf(id, stamp))));
    expect(await read()).toHaveLength(1);
    for (const id of ids) expect(await labels(id)).toEqual({ [stamp]: id });
  });

  test('several entities of one commit that share a row beside it are all in that', async () => {
    const { keeper, labels } = await setUp();
    const [east, west] = [stampAt(2), stampAt(1, 'west')];
    const vector = new Map([
      ['east', east],
      ['west', west],
    ]);
    const ids = Array.from({ length: 600 }, (_, n) => `device-${n}`);
    const shared = [...Map.groupBy(ids, (id) => bucketOf(id, 256)).values()].find(
      (own) => own.length > 1,
    );
    const [one = '', other = ''] = shared ?? [];
    await keeper.restore([restoring(one, stateOf(one, east, vector))]);
    await keeper.restore([restoring(other, stateOf(other, east, vector))]);
    const beside = `${east}~r${bucketOf(one, 256)}`;
    expect((await labels(one))[beside]).toBe(one);
    expect((await labels(other))[beside]).toBe(other);
    // A later state of the first joins what is recorded there, and drops nothing.
    const third = stampAt(1, 'north');
    const wider = new Map([...vector, ['north', third] as const]);
    await keeper.restore([restoring(one, stateOf(one, east, wider))]);
    expect((await labels(other))[beside]).toBe(other);
  });

  test('a row that nobody can read is replaced', async () => {
    const { keeper, store, labels, read } = await setUp();
    const stamp = stampAt(1);
    const set = restoring('a', stateOf('one', stamp));
    await spoil(store, set);
    expect((await read()).map(({ kind }) => kind)).toEqual(['damaged']);
    await keeper.restore([set]);
    expect(await labels('a')).toEqual({ [stamp]: 'one' });
  });

  test('I19: what is archived meanwhile is not overwritten', async () => {
    const { keeper, store, append, labels } = await setUp();
    const stamp = stampAt(1);
    const whole = setOf(stamp, [
      changeOf('a', stateOf('one', stamp)),
      changeOf('b', stateOf('two', stamp)),
    ]);
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      await append(whole);
    });
    await keeper.restore([restoring('a', stateOf('one', stamp))]);
    expect(await labels('b')).toEqual({ [stamp]: 'two' });
    expect(await labels('a')).toEqual({ [stamp]: 'one' });
  });

  test('gives up what is written again and again', async () => {
    const { keeper, store } = await setUp();
    const stamp = stampAt(1);
    const set = restoring('a', stateOf('one', stamp));
    let tries = 0;
    store.beforeCommit(async ({ operations: [operation] }) => {
      // Not the spoiling itself.
      if (operation?.kind === 'upsert') return;
      tries += 1;
      await spoil(store, set);
    });
    await expect(keeper.restore([set])).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(tries).toBe(10);
  });
});

describe('putting rows into an archive', () => {
  const many = (count: number): ChangeSet[] =>
    Array.from({ length: count }, (_, n) =>
      setOf(stampAt(n), [changeOf(`device-${n}`, stateOf(`${n}`, stampAt(n)))]),
    );

  test('takes more than a transaction does, over several days, and scans them in their order', async () => {
    const { store, keeper, read } = await setUp();
    const source = await setUp();
    const days = [0, DAY_MS, 2 * DAY_MS].flatMap((dayMs) =>
      Array.from({ length: 205 }, (_, n) => {
        const stamp = stampAt(dayMs + n);
        return setOf(stamp, [changeOf(`device-${n}`, stateOf(`${n}`, stamp))]);
      }),
    );
    for (let from = 0; from < days.length; from += 50) {
      await source.append(...days.slice(from, from + 50));
    }
    const sizes: number[] = [];
    store.beforeCommit(({ operations }) => void sizes.push(operations.length));
    const rows = (await source.read()).flatMap((row) =>
      row.kind === 'set' ? [{ ...row, etag: undefined }] : [],
    );
    expect(await keeper.put(rows)).toEqual([]);
    expect(Math.max(...sizes)).toBe(ROWS_PER_TRANSACTION_MAX);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([5, 5, 5, 100, 100, 100, 100, 100, 100]);
    const stamps = (await read()).map(({ rowKey }) => rowKey);
    expect(stamps).toEqual(days.map(({ stamp }) => stamp));
    expect(stamps.length).toBeGreaterThan(500);
    const [fromMs, beforeMs] = [START_MS + DAY_MS + 5, START_MS + 2 * DAY_MS + 5];
    const some: string[] = [];
    for await (const { rowKey } of keeper.scan({ ...SPAN, fromMs, beforeMs })) some.push(rowKey);
    expect(some).toEqual(stamps.slice(210, 415));
  });

  test('fills no transaction beyond its bytes', async () => {
    const { store, keeper } = await setUp();
    const large = 'x'.repeat(30_000);
    const sets = Array.from({ length: 90 }, (_, n) =>
      setOf(stampAt(n), [changeOf(`d${n}`, stateOf(`${n}${large}`, stampAt(n)))]),
    );
    let commits = 0;
    store.beforeCommit(() => void (commits += 1));
    const rows = sets.map((set) => ({
      partitionKey: archivePartitionOf(set),
      rowKey: set.stamp,
      set,
      encoded: encodeChangeSet(set),
      etag: undefined,
    }));
    expect(await keeper.put(rows)).toEqual([]);
    expect(commits).toBe(2);
  });

  test('I19: leaves out what someone else has written, and writes the rest', async () => {
    const { keeper, append, read, labels } = await setUp();
    await append(...many(3));
    const rows = (await read()).flatMap((row) => (row.kind === 'set' ? [row] : []));
    const [first, second, third] = rows;
    if (first === undefined || second === undefined || third === undefined) throw new Error('none');
    const relabelled = (row: typeof first): typeof first => {
      const changes = row.set.changes.map((change) => ({
        ...change,
        state: stateOf('mine', row.set.stamp),
      }));
      const set = { ...row.set, changes };
      return { ...row, set, encoded: encodeChangeSet(set) };
    };
    const theirs = setOf(second.set.stamp, [
      changeOf('device-1', stateOf('theirs', second.set.stamp)),
    ]);
    await keeper.put([{ ...second, set: theirs, encoded: encodeChangeSet(theirs) }]);
    const leftOut = await keeper.put([first, second, third].map(relabelled));
    expect(leftOut.map(({ rowKey }) => rowKey)).toEqual([second.rowKey]);
    expect(await labels('device-0')).toEqual({ [first.rowKey]: 'mine' });
    expect(await labels('device-1')).toEqual({ [second.rowKey]: 'theirs' });
    expect(await labels('device-2')).toEqual({ [third.rowKey]: 'mine' });
    // A row that is said to be new, and is there.
    expect(await keeper.put([{ ...relabelled(first), etag: undefined }])).toHaveLength(1);
  });
});

describe('copying an archive', () => {
  const copy = (from: SetUp, into: SetUp, damaged: string[] = []): Promise<number> =>
    copyArchive({
      ...SPAN,
      from: from.keeper,
      into: into.keeper,
      onDamaged: ({ rowKey }) => damaged.push(rowKey),
    });

  test('joins what both have under one stamp, and counts what it wrote', async () => {
    const [from, into] = [await setUp(), await setUp()];
    const [one, two, three] = [stampAt(1), stampAt(2), stampAt(3)];
    const both = setOf(two, [changeOf('a', stateOf('a', two))]);
    await from.append(setOf(one, [changeOf('x', stateOf('x', one))]), both);
    await from.append(setOf(three, [changeOf('b', stateOf('b', three))]));
    await into.append(both, setOf(three, [changeOf('c', stateOf('c', three))]));
    expect(await copy(from, into)).toBe(2);
    expect(await into.labels('x')).toEqual({ [one]: 'x' });
    expect(await into.labels('b')).toEqual({ [three]: 'b' });
    expect(await into.labels('c')).toEqual({ [three]: 'c' });
    expect(await copy(from, into)).toBe(0);
    expect(await copy(into, from)).toBe(1);
    for (const id of ['a', 'b', 'c', 'x']) {
      expect(await from.labels(id)).toEqual(await into.labels(id));
    }
  });

  test('names what is damaged in the source, and mends what is damaged in the target', async () => {
    const [from, into] = [await setUp(), await setUp()];
    const sets = [1, 2, 3].map((n) =>
      setOf(stampAt(n), [changeOf(`d${n}`, stateOf(`${n}`, stampAt(n)))]),
    );
    await from.append(...sets);
    await into.append(...sets);
    await spoil(from.store, sets[0]!);
    await spoil(into.store, sets[1]!);
    const damaged: string[] = [];
    expect(await copy(from, into, damaged)).toBe(1);
    expect(damaged).toEqual([sets[0]?.stamp]);
    expect(await into.labels('d1')).toEqual({ [stampAt(1)]: '1' });
    expect(await into.labels('d2')).toEqual({ [stampAt(2)]: '2' });
  });

  test('copies more than is held in memory at once', async () => {
    const [from, into] = [await setUp(), await setUp()];
    const stamps = Array.from({ length: 1_203 }, (_, n) => stampAt(n));
    for (let at = 0; at < stamps.length; at += 100) {
      const part = stamps.slice(at, at + 100);
      await from.append(...part.map((one) => setOf(one, [changeOf('a', stateOf(one, one))])));
    }
    const told: number[] = [];
    const written = await copyArchive({
      ...SPAN,
      from: from.keeper,
      into: into.keeper,
      onDamaged: () => undefined,
      onRows: (count) => told.push(count),
    });
    expect(written).toBe(stamps.length);
    expect(told).toEqual([500, 500, 203]);
    expect((await into.read()).map(({ rowKey }) => rowKey)).toEqual(stamps);
  });

  test('I19: what is archived meanwhile is looked at again, and kept', async () => {
    const [from, into] = [await setUp(), await setUp()];
    const stamp = stampAt(1);
    await from.append(setOf(stamp, [changeOf('a', stateOf('a', stamp))]));
    into.store.beforeCommit(async () => {
      into.store.beforeCommit(() => undefined);
      await into.append(setOf(stamp, [changeOf('b', stateOf('b', stamp))]));
    });
    expect(await copy(from, into)).toBe(1);
    expect(await into.labels('a')).toEqual({ [stamp]: 'a' });
    expect(await into.labels('b')).toEqual({ [stamp]: 'b' });
  });
});
