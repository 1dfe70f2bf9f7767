import { type EntityKind, TerminalError } from '@tandem/core';

/**
 * Entity ids as row keys. Letters, digits, `.`, `_` and `-` stand for themselves; every other byte of
 * the UTF-8 text is written `=HH`. So a key never holds what Table Storage forbids (`/ \ # ?` and
 * control characters) and never begins with `~`, which the system's own rows in the partition do. Throws
 * `ENTITY_INVALID` for half a surrogate pair: UTF-8 has no bytes for it, and every one would be the same key.
 */
export function encodeRowKey(entityId: string): string {
  if (PLAIN_ID.test(entityId)) return entityId;
  if (!entityId.isWellFormed()) {
    const message = 'An entity id holds half a surrogate pair: no row has a key for it.';
    throw new TerminalError('ENTITY_INVALID', message);
  }
  let key = '';
  for (const byte of new TextEncoder().encode(entityId)) {
    const char = String.fromCharCode(byte);
    key += PLAIN.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return key;
}

export function decodeRowKey(rowKey: string): string {
  return decodeURIComponent(rowKey.replaceAll('%', '%25').replaceAll('=', '%'));
}

type KeyForm = Pick<EntityKind, 'form'>;

/** Returns the row key of an entity: of an open kind, whose ids are ordered keys, its id as it is. */
export function rowKeyOf({ form }: KeyForm, entityId: string): string {
  return form === 'open' ? entityId : encodeRowKey(entityId);
}

/** Throws `URIError` for a key that no entity of a typed kind has. */
export function entityIdOf({ form }: KeyForm, rowKey: string): string {
  return form === 'open' ? rowKey : decodeRowKey(rowKey);
}

/** Sorts before every key that extends `rowKey`, and after `rowKey` itself. */
export function keyAfter({ form }: KeyForm, rowKey: string): string {
  // A space is the lowest that an open kind's key may go on with; other keys hold nothing below "!".
  return form === 'open' ? `${rowKey} ` : `${rowKey}!`;
}

/**
 * What an operator has set aside stays in its partition, with its columns as they were, under a key that
 * nobody reads as a row: `!` before the key, behind the lane of an outbox row (ADR 0022).
 */
export function asideKeyOf(rowKey: string): string {
  const lane = laneIn(rowKey);
  return `${lane}!${rowKey.slice(lane.length)}`;
}

/** Returns the key that the row had; undefined for one that is not set aside. */
export function keyBeforeAside(rowKey: string): string | undefined {
  const lane = laneIn(rowKey);
  const own = rowKey.slice(lane.length);
  return own.startsWith('!') ? `${lane}${own.slice(1)}` : undefined;
}

/** Tells whether the key is one of an outbox row. */
export function isLaneKey(rowKey: string): boolean {
  return LANE.test(rowKey);
}

function laneIn(rowKey: string): string {
  return LANE.exec(rowKey)?.[0] ?? '';
}

const LANE = /^(?:~o~|~p~[^~]*~)/;

/** Sorts below every key of an entity and every stamp, and above what is set aside. */
export const ENTITY_ROWS_FROM = '"';

/** Begins the rows of the system in an entity partition, above every entity's key. */
export const SYSTEM_ROWS_FROM = '~';

const PLAIN = /^[A-Za-z0-9._-]$/;
const PLAIN_ID = /^[A-Za-z0-9._-]*$/;
