import { type EntityState, newestStamp, stampTimeMs } from '@tandem/core';
import type { ListFilter } from '../replicated-table.ts';

/** Names a filter: two that ask for the same have the same name. */
export function nameFilter({ changedSinceMs, equals = {} }: ListFilter): string {
  const fields = Object.entries(equals).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return changedSinceMs === undefined && fields.length === 0
    ? ''
    : JSON.stringify([changedSinceMs ?? null, fields]);
}

/** Whether a live entity is one that the filter asks for. */
export function passesFilter(
  { changedSinceMs, equals = {} }: ListFilter,
  { vector, fields }: EntityState,
): boolean {
  const newest = newestStamp(vector);
  const changedMs = newest === undefined ? 0 : stampTimeMs(newest);
  if (changedSinceMs !== undefined && changedMs < changedSinceMs) return false;
  return Object.entries(equals).every(([name, text]) => {
    const value = fields.get(name)?.value;
    return value?.type === 'String' && value.value === text;
  });
}
