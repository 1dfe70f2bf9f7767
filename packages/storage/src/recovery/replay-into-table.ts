import {
  AppError,
  type EntityKind,
  eraseState,
  holdsValues,
  isTableName,
  pagesOf,
  type RecoveryRegion,
  type ReplayIntoOptions,
  type ReplayProgress,
  type Replica,
  replayInto,
  type StoredRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { CONFIGURATION_TABLE } from '../configuration/configuration-table.ts';
import { textOf } from '../rows/entity-row.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createRowMemory } from '../tables/row-memory.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';

export interface ReplayIntoTableOptions
  extends Pick<
    ReplayIntoOptions,
    'archive' | 'buckets' | 'span' | 'onDamaged' | 'onProgress' | 'signal'
  > {
  /** The region whose archive it is. */
  readonly source: string;
  /** Where the table is made. */
  readonly target: {
    readonly name: string;
    readonly store: TableStore;
    readonly kind: EntityKind;
    readonly bucketCount: number;
  };
  readonly table: string;
}

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

/**
 * Replays an archive into a table of its own, and goes on with the buckets that are left where the same
 * replay was interrupted. Throws `TABLE_FOREIGN` and `ARCHIVE_DAMAGED`.
 */
export async function replayIntoTable(options: ReplayIntoTableOptions): Promise<ReplayProgress> {
  const { source, target, table, span, buckets, ...rest } = options;
  const { name, store, kind, bucketCount } = target;
  const ownTables = [
    kind.name,
    ARCHIVE_TABLE,
    CONFLICTS_TABLE,
    CONFIGURATION_TABLE,
    REPLICATION_TABLE,
  ];
  const content = JSON.stringify({ from: source, ...span, buckets });
  const record = await openReplayTable(store, table, { content, ownTables });
  const bucketsDone = [...record.bucketsDone];
  return replayInto({
    ...rest,
    region: name,
    into: createTableReplica({ store, kind, bucketCount, table, memory: createRowMemory(LITTLE) }),
    buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),
    span,
    async onBucketDone(bucket) {
      bucketsDone.push(bucket);
      await writeReplayRecord(store, table, { content, bucketsDone });
    },
  });
}

interface Copy {
  readonly replica: Replica;
  readonly row: StoredRow;
}

interface CopyingRegion {
  readonly kind: EntityKind;
  readonly store: TableStore;
  readonly bucketCount: number;
  readonly recovery: Pick<RecoveryRegion, 'replica'>;
}

/** Counts the tables that replays made in the region and that hold values of the entity. */
export async function countCopies(region: CopyingRegion, entityId: string): Promise<number> {
  return (await findCopies(region, entityId)).length;
}

/**
 * A replay made them, and the rows there take the erased state as every row does. Where the tombstone of the
 * entity is collected since, a copy keeps its own stamps, without the values.
 */
export async function eraseCopies(region: CopyingRegion, entityId: string): Promise<void> {
  const { replica: live } = region.recovery;
  const bucket = live.bucketOf(entityId);
  const erased = (await live.read(bucket, [entityId])).get(entityId);
  for (const { replica, row: stored } of await findCopies(region, entityId)) {
    const row = erased ?? { ...stored, state: eraseState(stored.state) };
    await replica.write(bucket, [{ entityId, row, stored }]);
  }
}

async function findCopies(
  { kind, store, bucketCount }: CopyingRegion,
  entityId: string,
): Promise<readonly Copy[]> {
  const copies: Copy[] = [];
  for (const table of await listReplayTables(store)) {
    const replica = createTableReplica({ store, kind, bucketCount, table });
    const row = await readRow(replica, entityId);
    if (row !== undefined && holdsValues(row.state)) copies.push({ replica, row });
  }
  return copies;
}

/** Undefined, too, in a table that someone has dropped since. */
async function readRow(replica: Replica, entityId: string): Promise<StoredRow | undefined> {
  try {
    return (await replica.read(replica.bucketOf(entityId), [entityId])).get(entityId);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

const PARTITION = 'replay';
const PAGE_ROWS = 1_000;

/** What a table that a replay made holds, and which buckets of it are done. */
export interface ReplayRecord {
  /** The archive and the span, as one text: only the same replay may go on in the table. */
  readonly content: string;
  readonly bucketsDone: readonly string[];
}

/**
 * Makes the table for a replay, or finds the one that the same replay began. Throws `TABLE_FOREIGN` for
 * a name that is none, for one of the product's own tables, and for a table that holds something else.
 */
export async function openReplayTable(
  store: TableStore,
  table: string,
  options: { readonly content: string; readonly ownTables: readonly string[] },
): Promise<ReplayRecord> {
  const { content, ownTables } = options;
  if (!isTableName(table)) {
    throw foreign(`"${table}" is no name for a table: 3 to 63 letters and digits, a letter first.`);
  }
  if (ownTables.some((own) => own.toLowerCase() === table.toLowerCase())) {
    throw foreign(
      `"${table}" is a table of the product itself. Choose another name, or --in-place.`,
    );
  }
  const record = await readReplayRecord(store, table);
  if (record !== undefined && record.content === content) return record;
  await store.createTable(table);
  const isEmpty = await isEmptyTable(store, table);
  if (record !== undefined && !isEmpty) {
    throw foreign(
      `The table "${table}" holds another replay (${record.content}). Choose another name.`,
    );
  }
  if (!isEmpty) {
    throw foreign(`The table "${table}" holds rows that no replay wrote. Choose another name.`);
  }
  const begun: ReplayRecord = { content, bucketsDone: [] };
  await writeReplayRecord(store, table, begun);
  return begun;
}

async function readReplayRecord(
  store: TableStore,
  table: string,
): Promise<ReplayRecord | undefined> {
  const row = await store.get(REPLICATION_TABLE, PARTITION, table.toLowerCase());
  if (row === undefined) return undefined;
  const done = textOf(row.properties, 'bucketsDone') ?? '';
  return {
    content: textOf(row.properties, 'content') ?? '',
    bucketsDone: done === '' ? [] : done.split(','),
  };
}

export async function writeReplayRecord(
  store: TableStore,
  table: string,
  { content, bucketsDone }: ReplayRecord,
): Promise<void> {
  const properties = new Map([
    // As it was given: the service takes names in any case, emulators do not.
    ['table', { type: 'String' as const, value: table }],
    ['content', { type: 'String' as const, value: content }],
    ['bucketsDone', { type: 'String' as const, value: bucketsDone.join(',') }],
  ]);
  const operations = [{ kind: 'upsert' as const, rowKey: table.toLowerCase(), properties }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: PARTITION, operations });
}

/** Lists the tables that replays made here, dropped ones included: they hold what the archive held. */
export async function listReplayTables(store: TableStore): Promise<readonly string[]> {
  const tables: string[] = [];
  const range = { table: REPLICATION_TABLE, partitions: PARTITION, limit: PAGE_ROWS };
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    tables.push(...rows.map(({ rowKey, properties }) => textOf(properties, 'table') ?? rowKey));
  }
  return tables;
}

/** A page without rows says nothing: the service may end one wherever it likes. */
async function isEmptyTable(store: TableStore, table: string): Promise<boolean> {
  const range = { table, partitions: { from: '!', before: '~~' }, limit: 1 };
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    if (rows.length > 0) return false;
  }
  return true;
}

function foreign(message: string): TerminalError {
  return new TerminalError('TABLE_FOREIGN', message);
}
