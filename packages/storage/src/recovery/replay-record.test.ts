import { type RowOperation, type RowPage, type TableStore, TransientError } from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { idInBucket, readRows } from '../testing/memory-region.ts';
import { createTwoRegions } from '../testing/two-regions.ts';
import { createTableArchiveKeeper } from './archive-keeper.ts';
import { createRetriedStore } from './recovery-region.ts';
import {
  listReplayTables,
  openReplayTable,
  replayIntoTable,
  writeReplayRecord,
} from './replay-into-table.ts';

const FIRST = 'first';

/** Begins with a page without rows and then gives one a page, as the service may. */
async function createMiserlyStore(): Promise<TableStore> {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  return {
    ...store,
    async query({ continuation, ...range }): Promise<RowPage> {
      if (continuation === undefined) return { rows: [], continuation: FIRST };
      const more = continuation === FIRST ? {} : { continuation };
      return store.query({ ...range, ...more, limit: 1 });
    },
  };
}

const OPTIONS = { content: 'all of east', ownTables: [] };

test('a replay refuses a table with rows of others, however late these come', async () => {
  const store = await createMiserlyStore();
  await store.createTable('Theirs');
  const operations = [{ kind: 'insert' as const, rowKey: 'a', properties: new Map() }];
  await store.commit({ table: 'Theirs', partitionKey: '00', operations });
  await expect(openReplayTable(store, 'Theirs', OPTIONS)).rejects.toMatchObject({
    code: 'TABLE_FOREIGN',
  });
});

test('a replay begins in an empty table', async () => {
  const store = await createMiserlyStore();
  expect(await openReplayTable(store, 'Fresh', OPTIONS)).toMatchObject({ bucketsDone: [] });
});

test('every table of a replay is listed as it was named, however few come at once', async () => {
  const store = await createMiserlyStore();
  for (const table of ['One', 'three', 'Two']) {
    await writeReplayRecord(store, table, { content: 'all', bucketsDone: [] });
  }
  expect(await listReplayTables(store)).toEqual(['One', 'three', 'Two']);
});

test.each([
  ['ab', false],
  ['abc', true],
  ['1abc', false],
  ['a-bc', false],
  ['-abc', false],
  ['abc-', false],
  ['x'.repeat(63), true],
  ['x'.repeat(64), false],
  ['devices', false],
])('a replay into "%s" is taken: %s', async (table, isTaken) => {
  const store = await createMiserlyStore();
  const opening = openReplayTable(store, table, { ...OPTIONS, ownTables: ['Devices'] });
  const code = await opening.then(
    () => undefined,
    (error: { code: string }) => error.code,
  );
  expect(code).toBe(isTaken ? undefined : 'TABLE_FOREIGN');
});

test('the same replay goes on in its table, another one only where nothing lies in it yet', async () => {
  const store = await createMiserlyStore();
  const begun = { content: OPTIONS.content, bucketsDone: ['00', '03'] };
  await openReplayTable(store, 'Mine', OPTIONS);
  await writeReplayRecord(store, 'Mine', begun);
  const operations = [{ kind: 'insert' as const, rowKey: 'a', properties: new Map() }];
  await store.commit({ table: 'Mine', partitionKey: '00', operations });
  expect(await openReplayTable(store, 'mine', OPTIONS)).toEqual(begun);
  const other = { ...OPTIONS, content: 'all of west' };
  await expect(openReplayTable(store, 'Mine', other)).rejects.toThrow(
    `holds another replay (${OPTIONS.content})`,
  );
  await expect(openReplayTable(store, 'Mine', { ...other, ownTables: ['Mine'] })).rejects.toThrow(
    'of the product itself',
  );
  await openReplayTable(store, 'Empty', OPTIONS);
  expect(await openReplayTable(store, 'Empty', other)).toEqual({
    content: other.content,
    bucketsDone: [],
  });
  // The record says so from then on.
  await store.commit({ table: 'Empty', partitionKey: '00', operations });
  await expect(openReplayTable(store, 'Empty', OPTIONS)).rejects.toThrow('all of west');
});

test('a replay that ended halfway goes on with the buckets that are left, and with none twice', async () => {
  const regions = await createTwoRegions(deviceKind);
  const { east } = regions;
  const buckets = ['00', '01', '02'];
  const ids = buckets.flatMap((bucket) => ['a', 'b'].map((id) => idInBucket(id, bucket)));
  for (const id of ids) await east.table.put(id, { label: id });
  await regions.settle();
  const target = { name: 'east', store: east.store, kind: deviceKind, bucketCount: 4 };
  const replay = (more: { readonly buckets?: readonly string[] } = {}) =>
    replayIntoTable({
      archive: createTableArchiveKeeper({ store: east.store }),
      source: 'east',
      target,
      table: 'Copy',
      span: {},
      buckets,
      ...more,
    });
  const day = new Date(regions.clock.nowMs()).toISOString().slice(0, 10).replaceAll('-', '');
  const partitionKey = `${deviceKind.name}-01-${day}`;
  const commit = (operation: RowOperation) =>
    east.store.commit({ table: ARCHIVE_TABLE, partitionKey, operations: [operation] });
  await commit({ kind: 'insert', rowKey: '0000-torn', properties: new Map() });
  await expect(replay()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  await commit({ kind: 'delete', rowKey: '0000-torn' });
  expect(await replay()).toEqual({ changeSets: 2, rowsWritten: 2, bucketsDone: 1 });
  expect(await replay()).toEqual({ changeSets: 0, rowsWritten: 0, bucketsDone: 0 });
  expect(await readRows(east, 'Copy')).toEqual(await readRows(east, deviceKind.name));
  await expect(replay({ buckets: ['00'] })).rejects.toThrow('holds another replay');
});

test('a command asks a throttled table again, and never for what may have been done', async () => {
  const store = await createMiserlyStore();
  const clock = createVirtualClock(0);
  const faulty = createFaultyStore(store);
  const retried = createRetriedStore(faulty, { clock, randomness: createSeededRandomness(1) });
  const operations = [{ kind: 'insert' as const, rowKey: 'a', properties: new Map() }];
  const commit = () =>
    driveVirtualTime(
      clock,
      retried.commit({ table: REPLICATION_TABLE, partitionKey: 'x', operations }),
    );
  const unknown = new TransientError('TABLE_OUTCOME_UNKNOWN', 'no answer');
  faulty.failCommits([{ when: 'before', error: unknown }]);
  await expect(commit()).rejects.toBe(unknown);
  const throttled = new TransientError('TABLE_THROTTLED', 'slow down');
  faulty.failCommits(Array.from({ length: 4 }, () => ({ when: 'before', error: throttled })));
  expect(await commit()).toMatchObject({ kind: 'committed' });
  faulty.failCommits(Array.from({ length: 5 }, () => ({ when: 'before', error: throttled })));
  await expect(commit()).rejects.toBe(throttled);
  faulty.setOutage(throttled);
  const reading = retried.get(REPLICATION_TABLE, 'x', 'a');
  await clock.advance(50);
  faulty.setOutage(undefined);
  expect(await driveVirtualTime(clock, reading)).toBeDefined();
});
