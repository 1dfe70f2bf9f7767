import {
  catalogKind,
  otherRowsKind,
  type RowOperation,
  type RowRange,
  rowsKind,
  type Transaction,
} from '@tandem/core';
import { ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE } from '@tandem/storage';
import { gadgetKind } from './gadget-kind.ts';

export const OUTBOX_PREFIX = '~o~';
export const PARKED_PREFIX = '~p~';

const isOutboxKey = (rowKey: string): boolean =>
  rowKey.startsWith(OUTBOX_PREFIX) || rowKey.startsWith(PARKED_PREFIX);

/** A plain table beside the regions, of whichever account. */
export const PLAIN_TABLE = 'Plain';

/** Tables that operators replay into. */
const REPLAYED_PREFIX = 'Replayed';

/** By table of an entity kind: what the names of its places begin with. */
const ENTITY_TABLES: ReadonlyMap<string, string> = new Map([
  [gadgetKind.name, ''],
  [catalogKind.name, 'catalogue-'],
  [rowsKind.name, 'open-'],
  [otherRowsKind.name, 'moved-'],
]);

/** What a transaction is for, from what is in it. */
export function describeTransaction({ table, operations }: Transaction): string {
  const kind = ENTITY_TABLES.get(table);
  return kind === undefined ? describeTable(table) : kind + describeOperations(operations);
}

function describeOperations(operations: readonly RowOperation[]): string {
  const has = (which: (operation: RowOperation) => boolean): boolean => operations.some(which);
  const writesOutbox = has(({ kind, rowKey }) => kind !== 'delete' && isOutboxKey(rowKey));
  const deletesOutbox = has(({ kind, rowKey }) => kind === 'delete' && isOutboxKey(rowKey));
  if (deletesOutbox) return writesOutbox ? 'outbox-park' : 'outbox-remove';
  const isPrepared = has((one) => one.kind === 'insert' && one.properties.has('prepared'));
  if (writesOutbox) return isPrepared ? 'outbox-prepare' : 'entity+outbox';
  return has(({ kind }) => kind === 'delete') ? 'tombstone' : 'entity';
}

const LEASES = new Set(['sweep', 'tombstones', 'retention', 'recovery', 'copy', 'mirror']);

export function describeRow(table: string, rowKey: string): string {
  const kind = ENTITY_TABLES.get(table);
  if (kind === undefined) return describeTable(table, rowKey);
  return kind + (isOutboxKey(rowKey) ? 'outbox' : 'entity');
}

export function describeRange({ table, rowsFrom = '' }: RowRange): string {
  const kind = ENTITY_TABLES.get(table);
  if (kind === undefined) return describeTable(table);
  if (rowsFrom.startsWith(PARKED_PREFIX)) return `${kind}parked`;
  return kind + (rowsFrom.startsWith(OUTBOX_PREFIX) ? 'outbox' : 'entities');
}

function describeTable(table: string, rowKey = ''): string {
  if (table === PLAIN_TABLE) return 'plain';
  if (table.startsWith(REPLAYED_PREFIX)) return 'replayed';
  switch (table) {
    case ARCHIVE_TABLE:
      return 'archive';
    case CONFLICTS_TABLE:
      return 'conflict';
    case REPLICATION_TABLE:
      return LEASES.has(rowKey) ? 'lease' : 'status';
    default:
      return 'configuration';
  }
}
