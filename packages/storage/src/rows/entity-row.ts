import {
  AppError,
  decodeVector,
  type EntityKind,
  type EntityState,
  encodeVector,
  entityBucketOf,
  type FieldValue,
  fieldsSince,
  isSameValue,
  isStamp,
  newestStamp,
  type Properties,
  type RowOperation,
  type RowWrite,
  type Stamp,
  type StampedField,
  type StoredRow,
  type StoredState,
  stampRegion,
  type TableRow,
  TerminalError,
  toPossibleState,
} from '@tandem/core';
import { changedOpenColumns, fromOpenProperties, toOpenProperties } from './open-row.ts';
import { entityIdOf, rowKeyOf } from './row-key.ts';

/**
 * Returns a row of an entity: its fields as ordinary typed columns, as a person browsing the table expects,
 * and the system's columns, which begin with an underscore (`referenceId` alone has its own name).
 *
 *     _vector   version vector, as `encodeVector` writes it
 *     _stamps   JSON: for each stamp the fields that carry it, those without a column included, sorted
 *     _alive    stamp of the last write that made it alive
 *     _deleted  stamp of the last deletion
 *     _base     stamp of the last write that owned the whole entity
 *     _origin   region of the newest transaction
 *     _prepared stamp of the prepared set that it was committed with, on one row of the set: docs/adr/0038
 */
export function toEntityProperties({ state, referenceId, prepared }: StoredState): Properties {
  const properties = new Map<string, FieldValue>();
  for (const [name, { value }] of state.fields) {
    if (value !== null) properties.set(name, value);
  }
  const setText = (name: string, value: string | undefined): void => {
    if (value !== undefined) properties.set(name, { type: 'String', value });
  };
  setText('_vector', encodeVector(state.vector));
  setText('_stamps', encodeStamps(state));
  setText('_alive', state.alive);
  setText('_deleted', state.deleted);
  setText('_base', state.base);
  setText('_origin', originOf(state));
  setText('referenceId', referenceId);
  setText('_prepared', prepared);
  return properties;
}

function originOf({ vector }: EntityState): string | undefined {
  const newest = newestStamp(vector);
  return newest && stampRegion(newest);
}

/**
 * Returns the columns that differ between two states of a row; undefined when one of them is gone or has to be,
 * for only the whole row says so. What nearly every write changes is named unlooked at.
 */
export function changedColumns(
  before: StoredState,
  after: StoredState,
): ReadonlySet<string> | undefined {
  const changed = new Set(['_vector', '_stamps']);
  const fieldsBefore = before.state.fields;
  // It was erased, and nothing that was added by hand may outlive that.
  if ([...after.state.fields.values()].every(({ value }) => value === null)) return undefined;
  for (const [name, { value }] of after.state.fields) {
    const fieldBefore = fieldsBefore.get(name);
    if (fieldBefore !== undefined && isSameValue(fieldBefore.value, value)) continue;
    // A new field without a value: a column of its name may stand there that was added by hand.
    if (value === null) return undefined;
    changed.add(name);
  }
  for (const [name, { value }] of fieldsBefore) {
    if (value !== null && !after.state.fields.has(name)) return undefined;
  }
  const texts = [
    ['_alive', before.state.alive, after.state.alive],
    ['_deleted', before.state.deleted, after.state.deleted],
    ['_base', before.state.base, after.state.base],
    ['_origin', originOf(before.state), originOf(after.state)],
    ['referenceId', before.referenceId, after.referenceId],
    ['_prepared', before.prepared, after.prepared],
  ] as const;
  for (const [name, textBefore, textAfter] of texts) {
    if (textBefore === textAfter) continue;
    if (textAfter === undefined) return undefined;
    changed.add(name);
  }
  return changed;
}

/**
 * Sorted, for the same state is the same bytes in every region: there the fields came in other orders,
 * by other writes and merges.
 */
function encodeStamps({ fields }: EntityState): string {
  const namesByStamp = new Map<Stamp, string[]>();
  for (const [name, { stamp }] of fields) {
    const names = namesByStamp.get(stamp);
    if (names === undefined) namesByStamp.set(stamp, [name]);
    else names.push(name);
  }
  const sorted: Record<Stamp, string[]> = {};
  for (const stamp of [...namesByStamp.keys()].sort()) {
    sorted[stamp] = namesByStamp.get(stamp)!.sort();
  }
  return JSON.stringify(sorted);
}

/**
 * Returns what the row says, without the impossible stamps that it may have taken before they were refused.
 * Throws `ROW_MALFORMED`, naming the column, for a row that this code did not write.
 */
export function fromEntityProperties(properties: Properties): StoredState {
  const vector = decodeVector(textOf(properties, '_vector') ?? '');
  if (vector === undefined) throw malformed('_vector');
  const base = stampOf(properties, '_base');
  const state: EntityState = {
    fields: fieldsSince(base, readFields(properties)),
    alive: stampOf(properties, '_alive'),
    deleted: stampOf(properties, '_deleted'),
    ...(base === undefined ? {} : { base }),
    vector,
  };
  const referenceId = textOf(properties, 'referenceId');
  const prepared = stampOf(properties, '_prepared');
  const stored = { state: toPossibleState(state), referenceId };
  return prepared === undefined ? stored : { ...stored, prepared };
}

/** A column that no stamp names was added by hand; it is not part of the entity. */
function readFields(properties: Properties): Map<string, StampedField> {
  const fields = new Map<string, StampedField>();
  for (const [stamp, names] of Object.entries(readStamps(properties))) {
    if (!isStamp(stamp) || !Array.isArray(names)) throw malformed('_stamps');
    for (const name of names as unknown[]) {
      if (typeof name !== 'string') throw malformed('_stamps');
      fields.set(name, { value: properties.get(name) ?? null, stamp });
    }
  }
  return fields;
}

function readStamps(properties: Properties): object {
  try {
    const stamps: unknown = JSON.parse(textOf(properties, '_stamps') ?? '');
    if (typeof stamps === 'object' && stamps !== null) return stamps;
  } catch (cause) {
    throw malformed('_stamps', cause);
  }
  throw malformed('_stamps');
}

function stampOf(properties: Properties, name: string): Stamp | undefined {
  const text = textOf(properties, name);
  if (text === undefined ? !properties.has(name) : isStamp(text)) return text as Stamp | undefined;
  throw malformed(name);
}

/** Returns what the row of an entity says, in the form of its kind. Throws `ROW_MALFORMED`, naming the column. */
export function toStoredState(
  { form, isPart }: Pick<EntityKind, 'form'> & Pick<JudgeRowOptions, 'isPart'>,
  entityId: string,
  properties: Properties,
): StoredState {
  return form === 'open'
    ? fromOpenProperties(properties, entityId, isPart)
    : fromEntityProperties(properties);
}

/**
 * Returns what writes the row on what is stored: under its ETag, and only the columns that differ (ADR 0018). Throws
 * `TABLE_LIMIT_EXCEEDED` for a row of an open kind that the store takes in no form.
 */
export function toRowOperation(
  kind: Pick<EntityKind, 'form'>,
  { entityId, row, stored }: RowWrite,
): RowOperation {
  const rowKey = rowKeyOf(kind, entityId);
  const isOpen = kind.form === 'open';
  const properties = isOpen ? toOpenProperties(row, entityId) : toEntityProperties(row);
  if (stored === undefined) return { kind: 'insert', rowKey, properties };
  const changed = isOpen
    ? changedOpenColumns(stored, properties, entityId)
    : changedColumns(stored, row);
  return { kind: 'replace', rowKey, properties, etag: stored.etag, changed };
}

export function textOf(properties: Properties, name: string): string | undefined {
  const column = properties.get(name);
  return column?.type === 'String' ? column.value : undefined;
}

function malformed(column: string, cause?: unknown): TerminalError {
  return new TerminalError(
    'ROW_MALFORMED',
    `The row was not written by this product: column ${column} is missing or malformed.`,
    { cause },
  );
}

const COLUMN_BYTES_MAX = 64 * 1024;
const COLUMNS_MAX = 16;

/** Spreads bytes over as many Binary columns as they need: `payload0`, `payload1`, … */
export function toPayloadColumns(bytes: Uint8Array): [string, FieldValue][] {
  const columns: [string, FieldValue][] = [];
  for (let start = 0; start < bytes.length; start += COLUMN_BYTES_MAX) {
    const value = bytes.subarray(start, start + COLUMN_BYTES_MAX);
    columns.push([`payload${columns.length}`, { type: 'Binary', value }]);
  }
  return columns;
}

/** Throws `ROW_MALFORMED` for a row without a payload. */
export function fromPayloadColumns(properties: Properties): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let index = 0; index < COLUMNS_MAX; index += 1) {
    const column = properties.get(`payload${index}`);
    if (column?.type !== 'Binary') break;
    parts.push(column.value);
  }
  if (parts.length === 0) throw new TerminalError('ROW_MALFORMED', 'The row has no payload.');
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

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

type JudgedRow = { readonly kind: 'row'; readonly row: StoredRow } | DamagedEntityRow;

export interface JudgeRowOptions {
  readonly kind: Pick<EntityKind, 'form' | 'isEntityId' | 'bucketTextOf'>;
  /** Undefined where buckets are not to be told apart. */
  readonly bucketCount: number | undefined;
  /** Only some columns were read, of rows of an open kind without a spill; all were by default. */
  readonly isPart?: boolean | undefined;
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
    const { kind, isPart } = options;
    const stored = toStoredState({ form: kind.form, isPart }, entityId, properties);
    return { kind: 'row', row: { entityId, etag, ...stored } };
  } catch (error) {
    if (error instanceof AppError) return damaged(error.message, false);
    throw error;
  }
}

/** Returns undefined for a key under which nobody would look for an entity. */
function entityIdIn(
  partitionKey: string,
  rowKey: string,
  { kind, bucketCount }: JudgeRowOptions,
): string | undefined {
  try {
    const entityId = entityIdOf(kind, rowKey);
    const isOurs =
      rowKeyOf(kind, entityId) === rowKey &&
      kind.isEntityId(entityId) &&
      (bucketCount === undefined || entityBucketOf(kind, entityId, bucketCount) === partitionKey);
    return isOurs ? entityId : undefined;
  } catch (error) {
    // Such as a key with an escape that stands for no character.
    if (error instanceof URIError || error instanceof AppError) return undefined;
    throw error;
  }
}
