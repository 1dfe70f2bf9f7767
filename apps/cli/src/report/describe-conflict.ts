import { createHash } from 'node:crypto';
import { type Conflict, type ConflictDifference, stampTimeMs } from '@tandem/core';
import { firstRows, textTable, timeText } from './text-table.ts';

const NAME_DIGITS = 12;
const SHOWN_MAX = 20;

/**
 * Makes a short name of the entity and the two changes, which no other conflict has; the same
 * everywhere.
 */
export function conflictName({ entityId, stamps }: Pick<Conflict, 'entityId' | 'stamps'>): string {
  const text = [entityId, ...stamps].join('/');
  return createHash('sha256').update(text).digest('hex').slice(0, NAME_DIGITS);
}

/** Says which conflicts some journals do not have as others do, and which journals these are. */
export function describeConflictDifferences(
  differences: readonly ConflictDifference[],
  behindTitle: string,
): string[] {
  const [shown, more] = firstRows(differences, SHOWN_MAX);
  if (shown.length === 0) return [];
  const rows = shown.map((one) => [
    timeText(stampTimeMs(one.stamps[1])),
    one.entityId,
    one.bucket,
    conflictName(one),
    one.behind.join(', '),
  ]);
  return [textTable(['at', 'id', 'bucket', 'conflict', behindTitle], rows) + more];
}

/** Returns a difference between journals as the line of JSON has it. */
export function conflictDifferenceJson(difference: ConflictDifference): object {
  const { entityId, bucket, behind } = difference;
  return { conflict: conflictName(difference), id: entityId, bucket, behind };
}
