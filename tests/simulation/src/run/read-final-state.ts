import { bucketNames, pagesOf, replayInto, type TableRow, type TableStore } from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  createTableReplica,
  REPLICATION_TABLE,
} from '@tandem/storage';
import {
  createTableArchiveKeeper,
  HORIZON_PARTITION,
  listReplayTables,
  UNTOLD_PREFIX,
} from '@tandem/storage/testing';
import type { FinalRegion, RecordedConflict, StoredEntity } from '../checkers/checker.ts';
import { textsOf } from '../checkers/forgotten.ts';
import { fragmentHeadIn, joinCutRows } from '../observe/cut-sets.ts';
import { describeColumns, readRawChangeSet, readRawRow, textOf } from '../observe/read-raw.ts';
import { isPartitionOfTables } from '../tables/tables-ledger.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { Region, World } from '../world/world.ts';

const PAGE_ROWS = 1_000;
const SYSTEM_ROWS = '~';

/** Reads a region's account with nothing in the way. */
export async function readFinalRegion(
  world: World,
  region: Region,
  replayTimesMs: readonly number[],
): Promise<FinalRegion> {
  const { store } = region.account;
  const rows = await readTable(store, gadgetKind.name);
  const archived = joinCutRows(await readTable(store, ARCHIVE_TABLE));
  const archive = archived.rows.filter(
    ({ partitionKey }) => partitionKey !== HORIZON_PARTITION && !isPartitionOfTables(partitionKey),
  );
  const journal = (await readTable(store, CONFLICTS_TABLE)).filter(
    ({ partitionKey }) => !isPartitionOfTables(partitionKey),
  );
  const conflicts = journal.filter(
    ({ partitionKey, rowKey }) =>
      !partitionKey.startsWith(UNTOLD_PREFIX) && !rowKey.startsWith('!'),
  );
  const { bus, queue } = region.namespace;
  const replayed: TableRow[] = [];
  for (const table of await listReplayTables(store))
    replayed.push(...(await readTable(store, table)));
  const texts = [...rows, ...archive, ...journal, ...replayed].map((row) => ({
    place: `${row.partitionKey}/${row.rowKey}`,
    texts: [...row.properties.values()].flatMap(textsOf),
  }));
  const viewer = bus.viewerFor(queue);
  const messages = [
    ...(await viewer.peek('messages', 0n, Number.MAX_SAFE_INTEGER)),
    ...(await viewer.peek('dead-letters', 0n, Number.MAX_SAFE_INTEGER)),
  ]
    // What one says nobody can tell; no run that has any forgets anything.
    .filter(({ body }) => fragmentHeadIn(body) === undefined)
    .map(({ messageId, body }) => ({ place: messageId, texts: textsOf(body) }));
  const replays: FinalRegion['replays'][number][] = [];
  const keeper = createTableArchiveKeeper({ store });
  const archiveFromMs = (await keeper.horizonMs(gadgetKind.name)) ?? 0;
  for (const [index, beforeMs] of replayTimesMs.entries()) {
    // To an earlier time than it goes back to, an archive refuses to be replayed.
    if (beforeMs < archiveFromMs) continue;
    const rows = await replay(world, region, { table: `Checked${index}`, beforeMs });
    replays.push({ beforeMs, rows });
  }
  const heartbeat = await store.get(REPLICATION_TABLE, 'status', 'heartbeat');
  const oldest = await bus.receiverFor(queue).oldestMessage();
  return {
    name: region.name,
    rows: toEntities(rows),
    archive: new Map(
      // What operators recorded beside the change sets is no change set of its own.
      archive
        .filter(({ rowKey }) => !rowKey.includes('~'))
        .map((row) => [`${row.partitionKey}/${row.rowKey}`, readRawChangeSet(row.properties)]),
    ),
    conflicts: conflicts.map((row) => JSON.parse(conflictText(row)) as RecordedConflict),
    conflictBytes: new Map(
      conflicts.map((row) => [`${row.partitionKey}/${row.rowKey}`, conflictText(row)]),
    ),
    outboxKeys: rows.map(({ rowKey }) => rowKey).filter((key) => key >= SYSTEM_ROWS),
    leftInArchive: archived.left,
    everything: world.recoveries.forgotten.size === 0 ? [] : [...texts, ...messages],
    progress: heartbeat && textOf(heartbeat.properties, 'progress'),
    deadLetters: bus.deadLettersOf(queue),
    oldestMessageMs: oldest === undefined ? 0 : world.scheduler.nowMs() - oldest.enqueuedAtMs,
    replays,
  };
}

async function replay(
  { plan }: World,
  { name, account }: Region,
  { table, beforeMs }: { readonly table: string; readonly beforeMs: number },
): Promise<ReadonlyMap<string, StoredEntity>> {
  const { store } = account;
  const { bucketCount } = plan;
  await store.createTable(table);
  await replayInto({
    archive: createTableArchiveKeeper({ store }),
    buckets: bucketNames(bucketCount),
    into: createTableReplica({ store, kind: gadgetKind, bucketCount, table }),
    region: name,
    span: { beforeMs },
  });
  return toEntities(await readTable(store, table));
}

function toEntities(rows: readonly TableRow[]): ReadonlyMap<string, StoredEntity> {
  const entities = new Map<string, StoredEntity>();
  for (const { partitionKey, rowKey, properties } of rows) {
    const state = rowKey < SYSTEM_ROWS ? readRawRow(properties) : undefined;
    if (state === undefined) continue;
    const referenceId = textOf(properties, 'referenceId');
    const bytes = describeColumns(properties);
    entities.set(rowKey, { state, referenceId, partition: partitionKey, bytes });
  }
  return entities;
}

function conflictText({ properties }: TableRow): string {
  const payload = properties.get('payload0');
  const bytes = payload?.type === 'Binary' ? payload.value : new Uint8Array();
  return new TextDecoder().decode(bytes);
}

async function readTable(store: TableStore, table: string): Promise<TableRow[]> {
  const rows: TableRow[] = [];
  const range = { table, partitions: { from: '', before: '\uffff' }, limit: PAGE_ROWS };
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    rows.push(...page.rows);
  }
  return rows;
}
