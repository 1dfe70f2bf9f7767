import {
  type Archive,
  type ArchiveKey,
  type ChangeSet,
  decodeChangeSet,
  type FieldValue,
  isRegionName,
  type OutboxEntry,
  type Properties,
  type Stamp,
  type TableRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { fromPayloadColumns, textOf, toPayloadColumns } from '../rows/entity-row.ts';

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
