import {
  type ArchiveSpan,
  CHANGES_PER_SET_MAX,
  type ChangeSet,
  deflateChangeSet,
  type EntityState,
  encodeChangeSet,
  eraseState,
  formatStamp,
  type Stamp,
  stampTimeMs,
  type TableStore,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { ARCHIVE_TABLE, createTableArchive } from './table-archive.ts';

const STAMP = '019b78230721-0000-east-a0n1' as Stamp;
const LATER = '019b78230722-0000-east-a0n1' as Stamp;

function stateOf(label: string, stamp: Stamp): EntityState {
  return {
    fields: new Map([['label', { stamp, value: { type: 'String', value: label } }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
}

/** Two entities in one transaction. */
function setOf(stamp: Stamp): ChangeSet {
  return {
    entityKind: 'Devices',
    bucket: '00',
    stamp,
    changes: ['a', 'b'].map((entityId) => ({
      entityId,
      operation: 'replace',
      state: stateOf(entityId, stamp),
    })),
  };
}

const WHOLE = setOf(STAMP);
const OF_A: ChangeSet = { ...WHOLE, changes: WHOLE.changes.slice(0, 1) };

async function openStore(): Promise<TableStore> {
  const store = createMemoryTableStore();
  await store.createTable(ARCHIVE_TABLE);
  return store;
}

const append = (store: TableStore, set: ChangeSet): Promise<void> =>
  createTableArchive({ store }).append([{ set, encoded: encodeChangeSet(set) }]);

async function archivedIn(store: TableStore): Promise<readonly ChangeSet[]> {
  const sets: ChangeSet[] = [];
  const keeper = createTableArchiveKeeper({ store });
  for await (const row of keeper.scan({ entityKind: 'Devices', bucket: '00' })) {
    if (row.kind === 'set') sets.push(row.set);
  }
  return sets;
}

test('I19: what stands for a change set gives way to it', async () => {
  const store = await openStore();
  await createTableArchiveKeeper({ store }).restore([OF_A]);
  expect(await archivedIn(store)).toEqual([OF_A]);
  await append(store, WHOLE);
  expect(await archivedIn(store)).toEqual([WHOLE]);
});

test('I5: a set of which a part was archived first lies there at last in the bytes that came', async () => {
  const store = await openStore();
  await append(store, OF_A);
  const encoded = deflateChangeSet(encodeChangeSet(WHOLE));
  await createTableArchive({ store }).append([{ set: WHOLE, encoded }]);
  const keeper = createTableArchiveKeeper({ store });
  for await (const row of keeper.scan({ entityKind: 'Devices', bucket: '00' })) {
    expect(row).toMatchObject({ kind: 'set', encoded });
  }
  expect(await archivedIn(store)).toEqual([WHOLE]);
});

test('I19: a late delivery brings back nothing that was erased', async () => {
  const store = await openStore();
  await append(store, WHOLE);
  const keeper = createTableArchiveKeeper({ store });
  const erased = {
    ...WHOLE,
    changes: WHOLE.changes.map((one) => ({ ...one, state: eraseState(one.state) })),
  };
  for await (const row of keeper.scan({ entityKind: 'Devices', bucket: '00' })) {
    if (row.kind !== 'set') continue;
    await keeper.put([{ ...row, set: erased, encoded: encodeChangeSet(erased) }]);
  }
  await append(store, WHOLE);
  expect(await archivedIn(store)).toEqual([erased]);
  const other = setOf(LATER);
  // In one transaction with what is there already.
  await createTableArchive({ store }).append(
    [WHOLE, other].map((set) => ({ set, encoded: encodeChangeSet(set) })),
  );
  expect(await archivedIn(store)).toEqual([erased, other]);
});

const DAY_MS = 86_400_000;

const at = (timeMs: number): Stamp =>
  formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });

async function timesIn(store: TableStore, span: Partial<ArchiveSpan> = {}) {
  const damaged: string[] = [];
  const archive = createTableArchive({
    store,
    onDamaged: ({ rowKey }) => damaged.push(rowKey),
  });
  const times: number[] = [];
  for await (const { stamp } of archive.read({ entityKind: 'Devices', bucket: '00', ...span })) {
    times.push(stampTimeMs(stamp));
  }
  return { times, damaged };
}

describe('an archive', () => {
  test('takes more than a transaction does, by bucket and day, and what stands twice once', async () => {
    const store = createFaultyStore(await openStore());
    const sizes: string[] = [];
    store.beforeCommit(({ partitionKey, operations }) => {
      sizes.push(`${partitionKey} ${operations.length}`);
    });
    const here = Array.from({ length: 250 }, (_, n) => setOf(at(n)));
    const entries = [
      ...here,
      { ...setOf(at(7)), bucket: '01' },
      setOf(at(DAY_MS)),
      ...here.slice(0, 9),
    ].map((set) => ({ set, encoded: encodeChangeSet(set) }));
    await createTableArchive({ store }).append(entries);
    expect(sizes.toSorted()).toEqual([
      'Devices-00-19700101 100',
      'Devices-00-19700101 100',
      'Devices-00-19700101 50',
      'Devices-00-19700102 1',
      'Devices-01-19700101 1',
    ]);
    expect((await timesIn(store)).times).toEqual([...here.keys(), DAY_MS]);
    // Large ones share one as far as its bytes go.
    sizes.length = 0;
    const large = [1, 2, 3].map((n) => setOf(at(2 * DAY_MS + n)));
    const encoded = new Uint8Array(900 * 1_024);
    await createTableArchive({ store }).append(large.map((set) => ({ set, encoded })));
    expect(sizes.toSorted()).toEqual(['Devices-00-19700103 1', 'Devices-00-19700103 2']);
  });

  test('has what was appended, and reads the times that it is asked for over pages and days', async () => {
    const store = await openStore();
    const times = [...Array.from({ length: 450 }, (_, n) => n), DAY_MS, DAY_MS + 1];
    await createTableArchive({ store }).append(
      times.map((timeMs) => {
        const set = setOf(at(timeMs));
        return { set, encoded: encodeChangeSet(set) };
      }),
    );
    for (const other of [
      { ...setOf(at(5)), bucket: '001' },
      { ...setOf(at(5)), entityKind: 'Devices2' },
    ]) {
      await append(store, other);
    }
    expect((await timesIn(store)).times).toEqual(times);
    expect((await timesIn(store, { fromMs: -1 })).times).toEqual(times);
    expect((await timesIn(store, { fromMs: 449 })).times).toEqual([449, DAY_MS, DAY_MS + 1]);
    expect((await timesIn(store, { beforeMs: 2 })).times).toEqual([0, 1]);
    expect((await timesIn(store, { fromMs: 3, beforeMs: DAY_MS + 1 })).times).toEqual([
      ...times.slice(3, 450),
      DAY_MS,
    ]);
    const { has } = createTableArchive({ store });
    const key = { entityKind: 'Devices', bucket: '00', stamp: at(449) };
    expect(await has(key)).toBe(true);
    expect(await has({ ...key, bucket: '01' })).toBe(false);
    expect(await has({ ...key, stamp: at(450) })).toBe(false);
  });

  test('reads over a row that nobody can read and one set aside, and leaves both to who mends them', async () => {
    const store = await openStore();
    for (const timeMs of [1, 2, 3]) await append(store, setOf(at(timeMs)));
    const torn = new Map([['payload0', { type: 'String' as const, value: 'torn' }]]);
    const partitionKey = 'Devices-00-19700101';
    await store.commit({
      table: ARCHIVE_TABLE,
      partitionKey,
      operations: [
        { kind: 'upsert', rowKey: at(2), properties: torn },
        { kind: 'upsert', rowKey: `!${at(4)}`, properties: torn },
      ],
    });
    expect(await timesIn(store)).toEqual({ times: [1, 3], damaged: [at(2)] });
    // What was erased in it would come back.
    await append(store, setOf(at(2)));
    expect(await timesIn(store)).toEqual({ times: [1, 3], damaged: [at(2)] });
  });

  test('adds to a set what it lacks, unless that makes more changes than a set holds', async () => {
    const store = await openStore();
    await append(store, OF_A);
    await append(store, WHOLE);
    expect(await archivedIn(store)).toEqual([WHOLE]);
    await append(store, OF_A);
    expect(await archivedIn(store)).toEqual([WHOLE]);
    const others = Array.from({ length: CHANGES_PER_SET_MAX }, (_, n) => ({
      entityId: `d${n}`,
      operation: 'replace' as const,
      state: stateOf('d', STAMP),
    }));
    await append(store, { ...WHOLE, changes: others });
    expect(await archivedIn(store)).toEqual([WHOLE]);
  });

  test('shows the columns of its only change to who browses it, and how many there are', async () => {
    const store = await openStore();
    await append(store, OF_A);
    await append(store, setOf(LATER));
    const { rows } = await store.query({
      table: ARCHIVE_TABLE,
      partitions: { from: '', before: '~' },
      limit: 10,
    });
    const columns = rows.map(({ properties }) =>
      ['origin', 'changeCount', 'entityId', 'operation', 'standIn'].map(
        (name) => properties.get(name)?.value,
      ),
    );
    expect(columns).toEqual([
      ['east', 1, 'a', 'replace', undefined],
      ['east', 2, undefined, undefined, undefined],
    ]);
  });

  test('reads a row that changes under it again, ten times', async () => {
    const inner = await openStore();
    const store = createFaultyStore(inner);
    await append(inner, OF_A);
    let [changes, left] = [0, 9];
    store.beforeCommit(async ({ operations }) => {
      if (operations[0]?.kind !== 'replace' || left === 0) return;
      left -= 1;
      changes += 1;
      const entityId = `d${changes}`;
      await append(inner, {
        ...WHOLE,
        changes: [{ entityId, operation: 'replace', state: stateOf(entityId, STAMP) }],
      });
    });
    const addOf = (entityId: string): Promise<void> =>
      append(store, {
        ...WHOLE,
        changes: [{ entityId, operation: 'replace', state: stateOf(entityId, STAMP) }],
      });
    await addOf('b');
    expect((await archivedIn(store))[0]?.changes).toHaveLength(11);
    left = 100;
    await expect(addOf('c')).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(changes).toBe(19);
  });
});
