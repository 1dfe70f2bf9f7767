/**
 * The ids of rows of an open kind, which are their row keys too:
 *
 *     id       = table-id code(PartitionKey) "!0" RowKey
 *     table-id = 8 characters of a-z and 2-7, a hash of the table's name in lower case and its generation
 *     code     = every character as it is, but " " as "!1" and "!" as "!2"
 *
 * A key holds nothing below a space, so "!0" comes before whatever may follow within a PartitionKey: ids of a table
 * are in the order of (PartitionKey, RowKey) by UTF-16 units, as Table Storage orders rows. See docs/adr/0034.
 */
import { hash } from 'node:crypto';
import { TerminalError } from '../errors.ts';
import { findKeyFault, KEY_LENGTH_MAX } from '../limits/table-limits.ts';
import type { Bound, KeyBox, KeyRange } from '../model/predicate.ts';

export interface OpenKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

const TABLE_ID_LENGTH = 8;
/** Hold the 40 bits of a table id. */
const HASH_DIGITS = 10;
const SEPARATOR = '!0';
/** Comes after every id of one PartitionKey, and before every id of the next. */
const BEHIND_PARTITION = '!1';
/** Bounds both keys together, the PartitionKey in its code, in UTF-16 units. */
export const OPEN_KEYS_LENGTH_MAX = KEY_LENGTH_MAX - TABLE_ID_LENGTH - SEPARATOR.length;

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const OPEN_ID = /^([a-z2-7]{8})((?:[^ !]|![12])*)!0(.*)$/s;

/** Returns what the ids of a table begin with: another for each generation, one for its name in any case. */
export function openTableId(table: string, generation: string): string {
  // It is asked for by every request: in one go a hash takes a fifth of what an object for it does.
  const digits = hash('sha256', `${table.toLowerCase()}~${generation}`, 'hex');
  let bits = parseInt(digits.slice(0, HASH_DIGITS), 16);
  let id = '';
  for (let place = 0; place < TABLE_ID_LENGTH; place += 1) {
    id = `${BASE32[bits % 32]}${id}`;
    bits = Math.floor(bits / 32);
  }
  return id;
}

/** Throws `ENTITY_INVALID`, naming the key, for one that Table Storage refuses, and for two that are too long together. */
export function encodeOpenId(tableId: string, { partitionKey, rowKey }: OpenKey): string {
  checkOpenKey('PartitionKey', partitionKey);
  checkOpenKey('RowKey', rowKey);
  const partition = codeOf(partitionKey);
  const length = partition.length + rowKey.length;
  if (length <= OPEN_KEYS_LENGTH_MAX) return tableId + partition + SEPARATOR + rowKey;
  throw new TerminalError(
    'ENTITY_INVALID',
    `PartitionKey and RowKey have ${length} UTF-16 units together, a space or ! in the PartitionKey counted ` +
      `twice; the limit is ${OPEN_KEYS_LENGTH_MAX}. Use shorter keys.`,
    { details: { length, limit: OPEN_KEYS_LENGTH_MAX } },
  );
}

function checkOpenKey(name: keyof typeof KEY_NAMES, key: unknown): void {
  const what = typeof key === 'string' ? findKeyFault(key) : 'is no text';
  if (what === undefined) return;
  throw new TerminalError('ENTITY_INVALID', `The ${name} ${what}. Encode it, or use another.`, {
    details: { name },
  });
}

const KEY_NAMES = { PartitionKey: true, RowKey: true } as const;

/** Returns undefined for a text that `encodeOpenId` gives for no keys. */
export function decodeOpenId(
  entityId: string,
): (OpenKey & { readonly tableId: string }) | undefined {
  const [, tableId, code, rowKey] = OPEN_ID.exec(entityId) ?? [];
  if (tableId === undefined || code === undefined || rowKey === undefined) return undefined;
  if (entityId.length > KEY_LENGTH_MAX) return undefined;
  const isCoded = code.includes('!');
  const partitionKey = isCoded ? code.replaceAll('!1', ' ').replaceAll('!2', '!') : code;
  const isGood = findKeyFault(partitionKey) === undefined && findKeyFault(rowKey) === undefined;
  return isGood ? { tableId, partitionKey, rowKey } : undefined;
}

/**
 * Returns what the ids of all rows of a PartitionKey begin with, and no others. Throws `ENTITY_INVALID` for a key that
 * Table Storage refuses.
 */
export function openPartitionPrefix(tableId: string, partitionKey: string): string {
  checkOpenKey('PartitionKey', partitionKey);
  return bucketTextOfPartition(tableId, partitionKey) + SEPARATOR;
}

/** Returns what the id of a row begins with: the id of its table. */
export function tableIdOf(entityId: string): string {
  return entityId.slice(0, TABLE_ID_LENGTH);
}

export function isOpenId(text: string): boolean {
  return decodeOpenId(text) !== undefined;
}

/** Returns table and PartitionKey: rows that have both in common lie in one bucket. */
export function bucketTextOfOpenId(entityId: string): string {
  const end = entityId.indexOf(SEPARATOR);
  return end === -1 ? entityId : entityId.slice(0, end);
}

/** Returns the text that the bucket of a whole PartitionKey is a hash of. */
function bucketTextOfPartition(tableId: string, partitionKey: string): string {
  return tableId + codeOf(partitionKey);
}

function codeOf(partitionKey: string): string {
  return partitionKey.replaceAll('!', '!2').replaceAll(' ', '!1');
}

/** A range that is bounded on both sides, by texts that are whole and no longer than a key. */
export interface IdRange {
  readonly from: Bound;
  readonly to: Bound;
}

/**
 * Returns a range of ids that holds all of a table's rows whose keys lie within the box. It holds none of another
 * table; where the box is of one PartitionKey, or does not bound the RowKey, it holds no other row either.
 */
export function openIdRange(tableId: string, { partitionKey, rowKey }: KeyBox): IdRange {
  const one = partitionOf(partitionKey);
  if (one === undefined) {
    const { from, to } = partitionKey;
    return {
      from: lower(
        from === undefined ? included(tableId) : partitionStart(tableId, whole(from, 'from')),
      ),
      to: upper(
        to === undefined ? excluded(successor(tableId)) : partitionEnd(tableId, whole(to, 'to')),
      ),
    };
  }
  const partition = bucketTextOfPartition(tableId, one);
  const inside = (bound: Bound): Bound => ({
    ...bound,
    value: partition + SEPARATOR + bound.value,
  });
  const { from, to } = rowKey;
  return {
    from: lower(inside(from === undefined ? included('') : whole(from, 'from'))),
    to: upper(to === undefined ? excluded(partition + BEHIND_PARTITION) : inside(whole(to, 'to'))),
  };
}

/** Returns the text that the bucket of all rows in a box is a hash of; undefined where they lie in several. */
export function openPartitionOf(tableId: string, { partitionKey }: KeyBox): string | undefined {
  const one = partitionOf(partitionKey);
  return one === undefined ? undefined : bucketTextOfPartition(tableId, one);
}

/** Returns the one PartitionKey that a range holds, or undefined. */
function partitionOf({ from, to }: KeyRange): string | undefined {
  if (from?.isIncluded !== true || to?.isIncluded !== true) return undefined;
  return from.value === to.value ? from.value : undefined;
}

function partitionStart(tableId: string, { value, isIncluded }: Bound): Bound {
  const partition = bucketTextOfPartition(tableId, value);
  return included(partition + (isIncluded ? SEPARATOR : BEHIND_PARTITION));
}

function partitionEnd(tableId: string, { value, isIncluded }: Bound): Bound {
  const partition = bucketTextOfPartition(tableId, value);
  return excluded(partition + (isIncluded ? BEHIND_PARTITION : SEPARATOR));
}

function included(value: string): Bound {
  return { value, isIncluded: true };
}

function excluded(value: string): Bound {
  return { value, isIncluded: false };
}

/** Comes after everything that begins with the text, which ends in no character that is the last there is. */
function successor(text: string): string {
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1);
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for.
const BELOW_SPACE = /[\u0000-\u001f]/;

/**
 * Keys hold nothing below a space, but a bound may: whatever begins with what stands before it is greater, and the
 * codes would not tell so.
 */
function whole(bound: Bound, side: 'from' | 'to'): Bound {
  const end = bound.value.search(BELOW_SPACE);
  if (end === -1) return bound;
  return { value: bound.value.slice(0, end), isIncluded: side === 'to' };
}

/** No key is longer, so a longer bound lies between its beginning and whatever comes after that. */
function lower(bound: Bound): Bound {
  if (bound.value.length <= KEY_LENGTH_MAX) return bound;
  return excluded(beginningOf(bound.value));
}

function upper(bound: Bound): Bound {
  if (bound.value.length <= KEY_LENGTH_MAX) return bound;
  const beginning = beginningOf(bound.value);
  return beginning.length === KEY_LENGTH_MAX
    ? { value: beginning, isIncluded: true }
    : excluded(`${beginning}\uffff`);
}

/** Does not end within a surrogate pair. */
function beginningOf(text: string): string {
  const beginning = text.slice(0, KEY_LENGTH_MAX);
  return beginning.isWellFormed() ? beginning : beginning.slice(0, -1);
}
