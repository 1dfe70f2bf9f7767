import {
  AppError,
  bucketOf,
  type EntityKind,
  type StoredRow,
  type TableRow,
  TerminalError,
} from '@tandem/core';
import { fromEntityProperties } from './entity-row.ts';
import { decodeRowKey, encodeRowKey } from './row-key.ts';

/** A row in the table of an entity kind that is none of its entities, or that nobody can read. */
export interface DamagedEntityRow {
  readonly kind: 'damaged';
  readonly partitionKey: string;
  readonly rowKey: string;
  /** Which column, and what is wrong with it: never a value. */
  readonly problem: string;
  /** No entity can have the key, so it was written by something else, and no entity is missing for it. */
  readonly isForeign: boolean;
}

export type JudgedRow = { readonly kind: 'row'; readonly row: StoredRow } | DamagedEntityRow;

export interface JudgeRowOptions {
  readonly kind: Pick<EntityKind, 'name'> & Partial<Pick<EntityKind, 'isEntityId'>>;
  /** Undefined where buckets are not to be told apart. */
  readonly bucketCount: number | undefined;
}

/**
 * The one place that tells the rows of our entities from what else may lie in their table: whoever reads
 * many rows skips the others, and names them by their keys.
 */
export function judgeRow(row: TableRow, options: JudgeRowOptions): JudgedRow {
  const { partitionKey, rowKey, etag, properties } = row;
  const damaged = (problem: string, isForeign: boolean): DamagedEntityRow => ({
    kind: 'damaged',
    partitionKey,
    rowKey,
    problem,
    isForeign,
  });
  const entityId = entityIdIn(partitionKey, rowKey, options);
  if (entityId === undefined) return damaged('no entity has this key', true);
  try {
    if (row.damage !== undefined) throw new TerminalError('ROW_MALFORMED', `${row.damage}.`);
    return { kind: 'row', row: { entityId, etag, ...fromEntityProperties(properties) } };
  } catch (error) {
    if (error instanceof AppError) return damaged(error.message, false);
    throw error;
  }
}

/** Undefined for a key under which nobody would look for an entity. */
function entityIdIn(
  partitionKey: string,
  rowKey: string,
  { kind, bucketCount }: JudgeRowOptions,
): string | undefined {
  try {
    const entityId = decodeRowKey(rowKey);
    const isOurs =
      encodeRowKey(entityId) === rowKey &&
      kind.isEntityId?.(entityId) !== false &&
      (bucketCount === undefined || bucketOf(entityId, bucketCount) === partitionKey);
    return isOurs ? entityId : undefined;
  } catch (error) {
    // Such as a key with an escape that stands for no character.
    if (error instanceof URIError || error instanceof AppError) return undefined;
    throw error;
  }
}
