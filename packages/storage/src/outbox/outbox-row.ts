import {
  type ChangeSet,
  decodeChangeSet,
  type FieldValue,
  type OutboxEntry,
  type Properties,
  type Stamp,
  type TableRow,
} from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { fromPayloadColumns, toPayloadColumns } from '../rows/payload-columns.ts';

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

/** Throws `ROW_MALFORMED` or `CHANGE_UNDECODABLE`. */
export function fromOutboxRow(row: TableRow, parkedFor: string | undefined): OutboxEntry {
  const encoded = fromPayloadColumns(row.properties);
  const set: ChangeSet = decodeChangeSet(encoded);
  const committedAfter = row.properties.get('committedAfterMs');
  const owed = textOf(row.properties, 'owed') ?? '';
  return {
    set,
    encoded,
    owed: owed === '' ? [] : owed.split(','),
    // A row without the column vouches for nothing, so it holds back every watermark.
    committedAfterMs: committedAfter?.type === 'Int64' ? Number(committedAfter.value) : 0,
    parkedFor,
  };
}
