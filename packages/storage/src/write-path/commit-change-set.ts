import {
  AppError,
  type Archive,
  type ArchiveKey,
  type ChangeSet,
  type Clock,
  type CommitOutcome,
  decodeChangeSet,
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
} from '@tandem/core';
import { fromPayloadColumns, textOf, toPayloadColumns } from '../rows/entity-row.ts';

interface CommitContext extends CommittedContext, Pick<TableStore, 'commit'> {
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export type ChangeSetOutcome =
  /** `etags` of the data rows, as far as they are known: none after an ambiguous answer. */
  | { readonly kind: 'committed'; readonly etags: readonly (string | undefined)[] }
  /** The data row at `index` was not as expected; nothing was written. */
  | { readonly kind: 'refused'; readonly index: number };

const NOT_DONE_POLICY: RetryPolicy = { attemptsMax: 4, delayMsMin: 50, delayMsMax: 1_000 };
const COMMITTED_UNSEEN: ChangeSetOutcome = { kind: 'committed', etags: [] };
const UNKNOWN_POLICY: RetryPolicy = { attemptsMax: 8, delayMsMin: 50, delayMsMax: 2_000 };

/**
 * Writes the data rows and the outbox row that holds their change set in one transaction.
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
  const { clock, randomness } = context;
  const transaction: Transaction = {
    table: context.table,
    partitionKey: entry.set.bucket,
    operations: [
      ...rows,
      {
        kind: 'insert',
        rowKey: outboxRowKey(entry.set.stamp),
        properties: toOutboxProperties(entry),
      },
    ],
  };
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

export function toOutboxProperties(entry: OutboxEntry): Properties {
  return new Map<string, FieldValue>([
    ['owed', { type: 'String', value: entry.owed.join(',') }],
    ['committedAfterMs', { type: 'Int64', value: BigInt(Math.trunc(entry.committedAfterMs)) }],
    ...toPayloadColumns(entry.encoded),
  ]);
}

export interface OutboxPlace {
  readonly entityKind: string;
  readonly parkedFor: string | undefined;
}

/**
 * Throws `ROW_MALFORMED` or `CHANGE_UNDECODABLE`. A row that names nobody to send it to would be dropped, one
 * that lies under another's key sent for ever: both are as damaged as one that cannot be read.
 */
export function fromOutboxRow(row: TableRow, { entityKind, parkedFor }: OutboxPlace): OutboxEntry {
  const encoded = fromPayloadColumns(row.properties);
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
  return {
    set,
    encoded,
    owed,
    // A row without the column vouches for nothing, so it holds back every watermark.
    committedAfterMs: committedAfter?.type === 'Int64' ? Number(committedAfter.value) : 0,
    parkedFor,
  };
}

function malformed(what: string): TerminalError {
  return new TerminalError('ROW_MALFORMED', `The outbox row is damaged: ${what}.`);
}

export interface CommittedContext extends Pick<TableStore, 'get'> {
  readonly archive: Pick<Archive, 'has'>;
  readonly table: string;
}

/** Tells whether this region has committed, or applied, a change set: one of its two rows is always there. */
export async function isCommitted(
  key: ArchiveKey,
  { get, archive, table }: CommittedContext,
): Promise<boolean> {
  // The outbox first: what has left it is in the archive already.
  const row = await get(table, key.bucket, outboxRowKey(key.stamp));
  return row !== undefined || (await archive.has(key));
}
