import {
  AppError,
  type Archive,
  type ArchiveKey,
  type ChangeSet,
  type Clock,
  type CommitOutcome,
  decodeChangeSet,
  type EntityKind,
  type FieldValue,
  isRegionName,
  type OutboxEntry,
  type Properties,
  type Randomness,
  type RetryPolicy,
  type RowOperation,
  retry,
  retryDelayMs,
  type Stamp,
  type TableRow,
  type TableStore,
  TerminalError,
  type Transaction,
  TransientError,
} from '@tandem/core';
import { textOf, toStoredState } from '../rows/entity-row.ts';
import { rowKeyOf } from '../rows/row-key.ts';
import { rowKeysOf, toDeletions, toSetColumns } from '../rows/set-rows.ts';

interface CommitContext extends CommittedContext, Pick<TableStore, 'commit'> {
  /** Asked for what is beside the transaction itself. */
  readonly store: Pick<TableStore, 'commit'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export type ChangeSetOutcome =
  /** `etags` of the data rows, as far as they are known: none after an ambiguous answer. */
  | { readonly kind: 'committed'; readonly etags: readonly (string | undefined)[] }
  /** The data row at `index` was not as expected; nothing was written. */
  | { readonly kind: 'refused'; readonly index: number };

export const NOT_DONE_POLICY: RetryPolicy = { attemptsMax: 4, delayMsMin: 50, delayMsMax: 1_000 };
const COMMITTED_UNSEEN: ChangeSetOutcome = { kind: 'committed', etags: [] };
const UNKNOWN_POLICY: RetryPolicy = { attemptsMax: 8, delayMsMin: 50, delayMsMax: 2_000 };

/**
 * Writes the data rows and the outbox rows that hold their change set in one transaction. An entry that is to be
 * prepared is written before its rows, beside which a transaction has no room for it: see `prepared-set.ts`.
 *
 * After an ambiguous answer the data row cannot tell whether it was done (someone may have written
 * over it since), but the change set's own outbox or archive row can: one of the two is always
 * there once it is committed. While neither is, the same transaction is repeated under the same keys
 * and ETags, so that a first try that commits late makes the repetition fail, and never writes twice.
 *
 * Throws `TABLE_OUTCOME_UNKNOWN` only when the store gave no definite answer to any attempt.
 */
export async function commitChangeSet(
  entry: OutboxEntry,
  rows: readonly RowOperation[],
  context: CommitContext,
): Promise<ChangeSetOutcome> {
  const { bucket: partitionKey } = entry.set;
  const outboxRows = toOutboxRows(entry);
  const place = { table: context.kind.name, partitionKey };
  if (entry.prepared === undefined) {
    return commitDefinitely({ ...place, operations: [...rows, ...outboxRows] }, entry, context);
  }
  await prepare({ ...place, operations: outboxRows }, context);
  const outcome = await commitDefinitely({ ...place, operations: rows }, entry, context);
  if (outcome.kind === 'refused') {
    const operations = toDeletions(outboxRows.map(({ rowKey }) => rowKey));
    await takeBack({ ...place, operations }, context);
  }
  return outcome;
}

/**
 * Writes what is needed before the rows. A row that is there already was written by a try that gave no answer, for
 * nobody else makes its stamp. What may come late is found by the sweep, and is of a set that was never committed.
 */
async function prepare(transaction: Transaction, context: CommitContext): Promise<void> {
  try {
    await commitRepeatable(transaction, context);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'TABLE_OUTCOME_UNKNOWN') throw error;
    const message = `${error.message} Nothing was done: it was asked for what comes before. Try again.`;
    throw new TransientError('TABLE_UNAVAILABLE', message, { cause: error });
  }
}

/** Deletes what was prepared for rows that are certain not to be written. */
async function takeBack(transaction: Transaction, context: CommitContext): Promise<void> {
  try {
    await commitRepeatable(transaction, context);
  } catch (error) {
    // The sweep finds that it was never committed.
    if (!(error instanceof AppError)) throw error;
  }
}

/** Repeats what does no harm when it is done twice. */
async function commitRepeatable(
  transaction: Transaction,
  { store, clock, randomness }: CommitContext,
): Promise<void> {
  const policy = NOT_DONE_POLICY;
  await retry(() => store.commit(transaction), { policy, clock, randomness });
}

async function commitDefinitely(
  transaction: Transaction,
  entry: OutboxEntry,
  context: CommitContext,
): Promise<ChangeSetOutcome> {
  const { clock, randomness } = context;
  const commit = (): Promise<CommitOutcome> =>
    retry(() => context.commit(transaction), {
      policy: NOT_DONE_POLICY,
      clock,
      randomness,
      retryIf: (error) => error.code !== 'TABLE_OUTCOME_UNKNOWN',
    });

  let unknown: AppError | undefined;
  for (let attempt = 1; attempt <= UNKNOWN_POLICY.attemptsMax; attempt += 1) {
    try {
      if (unknown !== undefined && (await isCommitted(entry.set, context))) return COMMITTED_UNSEEN;
      const outcome = await commit();
      if (outcome.kind === 'committed') return outcome;
      // A refusal of a repetition may be the doing of the first try.
      const isOurs = unknown !== undefined && (await isCommitted(entry.set, context));
      return isOurs ? COMMITTED_UNSEEN : { kind: 'refused', index: outcome.index };
    } catch (error) {
      const isFirstTry = unknown === undefined;
      if (!(error instanceof AppError) || !error.retryable) throw error;
      if (isFirstTry && error.code !== 'TABLE_OUTCOME_UNKNOWN') throw error;
      unknown ??= error;
      await clock.sleep(retryDelayMs(UNKNOWN_POLICY, attempt, randomness.fraction()));
    }
  }
  throw unknown ?? new Error('unreachable: the loop ends without an error only by returning');
}

/**
 * Outbox rows lie in the partition of the entities they tell of, above every entity's key:
 * `~o~<stamp>`, and `~p~<peer>~<stamp>` once parked for one peer.
 */
export function outboxRowKey(stamp: Stamp, parkedFor?: string): string {
  return `${lanePrefix(parkedFor)}${stamp}`;
}

export function lanePrefix(parkedFor: string | undefined): string {
  return parkedFor === undefined ? '~o~' : `~p~${parkedFor}~`;
}

/** Returns the insertions of the rows of an entry, the first of which says all but the rest of the set. */
export function toOutboxRows(entry: OutboxEntry): readonly {
  readonly kind: 'insert';
  readonly rowKey: string;
  readonly properties: Properties;
}[] {
  const [columns = [], ...later] = toSetColumns(entry);
  const rowKey = outboxRowKey(entry.set.stamp, entry.parkedFor);
  const properties = new Map<string, FieldValue>([
    ['owed', { type: 'String', value: entry.owed.join(',') }],
    ['committedAfterMs', { type: 'Int64', value: BigInt(Math.trunc(entry.committedAfterMs)) }],
    ...toPreparedColumn(entry.prepared),
    ...columns,
  ]);
  const keys = rowKeysOf(rowKey, entry.encoded);
  return [properties, ...later.map((own) => new Map(own))].map((own, nth) => ({
    kind: 'insert',
    rowKey: keys[nth] ?? rowKey,
    properties: own,
  }));
}

export interface OutboxPlace {
  readonly entityKind: string;
  readonly parkedFor: string | undefined;
}

/**
 * Returns what the first row of an entry says, and the set that its rows make. Throws `ROW_MALFORMED` or
 * `CHANGE_UNDECODABLE`. A row that names nobody to send it to would be dropped, one
 * that lies under another's key sent for ever: both are as damaged as one that cannot be read.
 */
export function fromOutboxRow(
  { row, encoded }: { readonly row: TableRow; readonly encoded: Uint8Array },
  { entityKind, parkedFor }: OutboxPlace,
): OutboxEntry {
  const set: ChangeSet = decodeChangeSet(encoded);
  const committedAfter = row.properties.get('committedAfterMs');
  const text = textOf(row.properties, 'owed');
  const owed = text === '' ? [] : text?.split(',');
  if (owed?.every(isRegionName) !== true) throw malformed('column owed names no regions');
  const isInPlace =
    set.entityKind === entityKind &&
    set.bucket === row.partitionKey &&
    row.rowKey === outboxRowKey(set.stamp, parkedFor);
  if (!isInPlace) throw malformed('it holds the change set of another row');
  const prepared = textOf(row.properties, PREPARED);
  if (prepared !== undefined && !set.changes.some(({ entityId }) => entityId === prepared)) {
    throw malformed(`column ${PREPARED} names none of its entities`);
  }
  return {
    set,
    encoded,
    owed,
    // A row without the column vouches for nothing, so it holds back every watermark.
    committedAfterMs: committedAfter?.type === 'Int64' ? Number(committedAfter.value) : 0,
    parkedFor,
    ...(prepared === undefined ? {} : { prepared }),
  };
}

/** Is the column of an outbox row that is only prepared: it names the entity whose row tells of the commit. */
const PREPARED = 'prepared';

function toPreparedColumn(prepared: string | undefined): [string, FieldValue][] {
  return prepared === undefined ? [] : [[PREPARED, { type: 'String', value: prepared }]];
}

/** Returns the entity whose row tells whether the change set of an outbox row was committed, where it may not be. */
export function preparedIn({ properties }: Pick<TableRow, 'properties'>): string | undefined {
  return textOf(properties, PREPARED);
}

/** Returns the outbox row of a set that is known to be committed. */
export function withoutPrepared({ properties }: Pick<TableRow, 'properties'>): Properties {
  return new Map([...properties].filter(([name]) => name !== PREPARED));
}

function malformed(what: string): TerminalError {
  return new TerminalError('ROW_MALFORMED', `The outbox row is damaged: ${what}.`);
}

export interface CommittedContext extends Pick<TableStore, 'get'> {
  readonly archive: Pick<Archive, 'has'>;
  readonly kind: Pick<EntityKind, 'name' | 'form'>;
}

/**
 * Tells whether this region has committed, or applied, a change set: one of its two rows is always there. Of a set
 * that is only prepared a row of its own tells, and whoever writes over that settles the set before.
 */
export async function isCommitted(key: ArchiveKey, context: CommittedContext): Promise<boolean> {
  const { get, archive, kind } = context;
  const outboxRow = (): Promise<TableRow | undefined> =>
    get(kind.name, key.bucket, outboxRowKey(key.stamp));
  // The outbox first: what has left it is in the archive already.
  let row = await outboxRow();
  const entityId = row && preparedIn(row);
  if (entityId !== undefined) {
    const told = await get(kind.name, key.bucket, rowKeyOf(kind, entityId));
    if (told !== undefined && markOf(kind, entityId, told) === key.stamp) return true;
    // Only now: had it been settled and written over in between, this row would say so.
    row = await outboxRow();
    if (row !== undefined && preparedIn(row) !== undefined) row = undefined;
  }
  return row !== undefined || (await archive.has(key));
}

/** Returns the prepared set that a row was committed with last; undefined for a row that nobody can read. */
export function markOf(
  kind: Pick<EntityKind, 'form'>,
  entityId: string,
  { properties }: Pick<TableRow, 'properties'>,
): Stamp | undefined {
  try {
    return toStoredState(kind, entityId, properties).prepared;
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  }
}
