import type { RowPage, TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { REPLICATION_TABLE } from '../status/table-replication-status.ts';
import { listReplayTables, openReplayTable, writeReplayRecord } from './replay-record.ts';

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
