import {
  type EntityKind,
  isAlive,
  newestStamp,
  type Operation,
  type StoredState,
  stampRegion,
  toEntity,
} from '@tandem/core';
import type { EntityRecord, WriteOutcome } from '../replicated-table.ts';

export function toRecord<K extends EntityKind>(
  kind: K,
  entityId: string,
  { state, referenceId }: StoredState,
): EntityRecord<K> {
  const newest = newestStamp(state.vector);
  return {
    entityId,
    entity: toEntity(kind, state),
    version: state.vector,
    origin: newest === undefined ? '' : stampRegion(newest),
    referenceId,
  };
}

/** Undefined for a tombstone, as for no row at all. */
export function toLiveRecord<K extends EntityKind>(
  kind: K,
  entityId: string,
  row: StoredState | undefined,
): EntityRecord<K> | undefined {
  return row !== undefined && isAlive(row.state) ? toRecord(kind, entityId, row) : undefined;
}

export function toOutcome<K extends EntityKind>(
  operation: Operation,
  record: EntityRecord<K>,
): WriteOutcome<K> {
  if (operation === 'delete') return { kind: 'deleted', version: record.version };
  return { kind: operation === 'create' ? 'created' : 'replaced', record };
}
