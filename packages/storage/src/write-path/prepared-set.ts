/**
 * A change set of as many rows, or bytes, as a transaction takes has no room in it for its outbox rows (docs/adr/0038).
 *
 *     step      transaction                                      what it proves
 *     prepare   the outbox rows, the first with a column         nothing: it is owed, and holds the watermarks back
 *               `prepared`
 *     commit    all rows; the one that `prepared` names bears    the set is committed, here and for ever
 *               the stamp of the set as its mark
 *     relay     archive, send, delete the outbox rows            as of any set
 *
 * Whoever is about to write over a row with a mark takes the column `prepared` off the outbox row first, so a set that
 * is still prepared, and whose mark is not there, was not committed. What a crash left behind the sweep settles: by
 * the mark, or by a transaction that makes the commit impossible and takes the outbox row away at once.
 */
import {
  archivePartitionOf,
  type EntityKind,
  type EntityState,
  encodeChangeSet,
  formatStamp,
  type Outbox,
  type OutboxEntry,
  parseStamp,
  type RowOperation,
  type Stamp,
  type StoredRow,
  stampRegion,
  type TableRow,
  type TableStore,
  TerminalError,
  untilUncontended,
} from '@tandem/core';
import { judgeRow, toRowOperation } from '../rows/entity-row.ts';
import { rowKeyOf } from '../rows/row-key.ts';
import { rowKeysOf, toDeletions } from '../rows/set-rows.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import {
  markOf,
  outboxRowKey,
  preparedIn,
  toOutboxRows,
  withoutPrepared,
} from './commit-change-set.ts';

const CONTENTION = { attemptsMax: 10 };

interface Place {
  readonly store: Pick<TableStore, 'get' | 'commit'>;
  readonly kind: EntityKind;
  readonly bucket: string;
}

/**
 * Settles the sets that rows bear as their marks. To be called before anything is written over the rows; to write
 * them first would take away what tells that the sets were committed.
 */
export async function settleMarks(
  rows: Iterable<Pick<StoredRow, 'prepared'> | undefined>,
  place: Place,
): Promise<void> {
  const stamps = new Set<Stamp>();
  for (const row of rows) if (row?.prepared !== undefined) stamps.add(row.prepared);
  for (const stamp of stamps) await settleCommitted(stamp, place);
}

/** A row that is gone was settled by someone else: the mark says how. One that changed meanwhile may still be prepared. */
async function settleCommitted(stamp: Stamp, { store, kind, bucket }: Place): Promise<void> {
  const { name: table } = kind;
  const rowKey = outboxRowKey(stamp);
  await untilUncontended(async () => {
    const row = await store.get(table, bucket, rowKey);
    if (row === undefined || preparedIn(row) === undefined) return undefined;
    const { etag } = row;
    const properties = withoutPrepared(row);
    const operations: RowOperation[] = [{ kind: 'replace', rowKey, properties, etag }];
    const outcome = await store.commit({ table, partitionKey: bucket, operations });
    return outcome.kind === 'committed' ? undefined : { contended: `The outbox row of ${stamp}` };
  }, CONTENTION);
}

type Settled = Awaited<ReturnType<Outbox['settle']>>;

/** Does what `Outbox.settle` says. */
export async function settlePrepared(
  entry: OutboxEntry,
  { store, kind, bucketCount }: Omit<Place, 'bucket'> & { readonly bucketCount: number },
): Promise<Settled> {
  const { bucket, stamp } = entry.set;
  const { name: table } = kind;
  const place = { store, kind, bucket };
  return untilUncontended<Settled>(async () => {
    const outboxRow = await store.get(table, bucket, outboxRowKey(stamp));
    if (outboxRow === undefined) return 'gone';
    const entityId = preparedIn(outboxRow);
    if (entityId === undefined) return 'committed';
    const row = await store.get(table, bucket, rowKeyOf(kind, entityId));
    const isMarked = row !== undefined && markOf(kind, entityId, row) === stamp;
    if (isMarked || (await isToldElsewhere(entry, { ...place, bucketCount }))) {
      await settleCommitted(stamp, place);
      return 'committed';
    }
    // What an operator may put back may bear the mark.
    if (row !== undefined && judgeRow(row, { kind, bucketCount }).kind === 'damaged') {
      const what = `the row that would tell whether ${stamp} was committed is damaged`;
      const remedy = 'put it back, or set it aside with `tandem damaged-rows`';
      throw new TerminalError('ROW_MALFORMED', `A prepared set waits: ${what}; ${remedy}.`);
    }
    const operations = toUndoing({ entry, entityId, row, outboxRow }, kind);
    const outcome = await store.commit({ table, partitionKey: bucket, operations });
    return outcome.kind === 'committed' ? 'undone' : { contended: `The outbox row of ${stamp}` };
  }, CONTENTION);
}

/**
 * Tells of a set whose marked row was lost or damaged: the archive, which only takes what is committed, and any other
 * row that is as the set left it say as much.
 */
async function isToldElsewhere(
  { set }: OutboxEntry,
  { store, kind, bucket, bucketCount }: Place & { readonly bucketCount: number },
): Promise<boolean> {
  const archived = await store.get(ARCHIVE_TABLE, archivePartitionOf(set), set.stamp);
  if (archived !== undefined) return true;
  const region = stampRegion(set.stamp);
  for (const { entityId } of set.changes) {
    const row = await store.get(kind.name, bucket, rowKeyOf(kind, entityId));
    const judged = row && judgeRow(row, { kind, bucketCount });
    if (judged?.kind === 'row' && judged.row.state.vector.get(region) === set.stamp) return true;
  }
  return false;
}

interface Undoing {
  readonly entry: OutboxEntry;
  readonly entityId: string;
  readonly row: TableRow | undefined;
  readonly outboxRow: TableRow;
}

/**
 * Takes the outbox row away and gives the row that would tell another ETag, which whoever is still about to commit
 * does not know. Where there is none a row is made that says nothing: an ordinary write, since all regions are to have
 * the same rows, of a state that neither lives nor was deleted, so that it wins over nothing.
 */
function toUndoing({ entry, entityId, row, outboxRow }: Undoing, kind: EntityKind): RowOperation[] {
  const { rowKey, etag } = outboxRow;
  const away: RowOperation[] = [
    { kind: 'delete', rowKey, etag },
    ...toDeletions(rowKeysOf(rowKey, entry.encoded).slice(1)),
  ];
  if (row !== undefined) {
    return [
      { kind: 'replace', rowKey: row.rowKey, properties: row.properties, etag: row.etag },
      ...away,
    ];
  }
  const { set } = entry;
  const stamp = stampBeside(set.stamp);
  const state: EntityState = {
    fields: new Map(),
    alive: undefined,
    deleted: undefined,
    vector: new Map([[stampRegion(stamp), stamp]]),
  };
  const { entityKind, bucket } = set;
  const changes = [{ entityId, operation: 'delete' as const, state }];
  const nothing = { entityKind, bucket, stamp, changes };
  const own = { ...entry, set: nothing, encoded: encodeChangeSet(nothing), prepared: undefined };
  return [
    toRowOperation(kind, { entityId, row: { state, referenceId: undefined }, stored: undefined }),
    ...toOutboxRows(own),
    ...away,
  ];
}

const WRITER_LENGTH_MAX = 16;

/** Returns a stamp that nobody else makes: that of a writer of which there is no process. */
function stampBeside(stamp: Stamp): Stamp {
  const { writer, ...parts } = parseStamp(stamp);
  return formatStamp({ ...parts, writer: `${writer.slice(0, WRITER_LENGTH_MAX - 1)}u` });
}
