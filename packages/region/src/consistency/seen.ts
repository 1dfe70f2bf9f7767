// What one caller has seen of a region's tables, as one token that he carries from region to region.
//
// A token says of each region in which he read or wrote until when, and whose writes he saw there. Where he comes
// next, a read waits until that region has passed the watermarks of those regions for that time; of the rows
// that he met last the token holds the very versions, so for these it waits for the row alone.

import { hash } from 'node:crypto';
import {
  decodeVector,
  encodeVector,
  isRegionName,
  mergeVectors,
  OLD_REGION,
  TerminalError,
  type VersionVector,
} from '@tandem/core';
import { sealCursor, unsealCursor } from '@tandem/storage';

/** What was seen in one region. */
interface Visit {
  /** When last, in milliseconds since the epoch, on the clock of the process there. */
  readonly timeMs: number;
  /** Whose writes were among what was seen. */
  readonly writers: ReadonlySet<string>;
}

/** What a caller has seen. */
export interface Seen {
  /** Are kept by region. */
  readonly visits: ReadonlyMap<string, Visit>;
  /** By the hash of the row, the one met last at the end. */
  readonly rows: ReadonlyMap<string, VersionVector>;
}

export const NOTHING_SEEN: Seen = { visits: new Map(), rows: new Map() };

/** A client carries it in a header. */
const ROWS_MAX = 8;
const REGIONS_MAX = 33;
const TOKEN_LENGTH_MAX = 8_192;
const SCOPE = 's1';

/** Returns what was seen, and besides a version of a row, in this region, now. */
export function withRow(
  seen: Seen,
  row: { readonly key: string; readonly version: VersionVector },
  here: { readonly region: string; readonly nowMs: number },
): Seen {
  const { visits, rows } = withVisit(seen, row.version, here);
  return { visits, rows: lastOf([...rows, [row.key, row.version]]) };
}

/** Returns the same of a row that is one of many, of which no version is kept. */
export function withVisit(
  { visits, rows }: Seen,
  version: VersionVector,
  { region, nowMs }: { readonly region: string; readonly nowMs: number },
): Seen {
  const before = visits.get(region);
  // What an old table had done is in every region that shows the table, and no watermark is of it.
  const of = [...version.keys()].filter((writer) => writer !== OLD_REGION);
  const writers = new Set([...(before?.writers ?? []), ...of]);
  const timeMs = Math.max(before?.timeMs ?? 0, nowMs);
  return { visits: new Map(visits).set(region, { timeMs, writers }), rows };
}

/** Returns what either has seen. */
export function joinSeen(a: Seen, b: Seen): Seen {
  const visits = new Map(a.visits);
  for (const [region, { timeMs, writers }] of b.visits) {
    const own = visits.get(region);
    visits.set(region, {
      timeMs: Math.max(own?.timeMs ?? 0, timeMs),
      writers: new Set([...(own?.writers ?? []), ...writers]),
    });
  }
  return { visits, rows: lastOf([...a.rows, ...b.rows]) };
}

/** Joins the versions of one row, and keeps the rows that come last: the visits cover the others. */
function lastOf(rows: readonly (readonly [string, VersionVector])[]): Seen['rows'] {
  const joined = new Map<string, VersionVector>();
  for (const [key, version] of rows) {
    const before = joined.get(key);
    joined.delete(key);
    joined.set(key, before === undefined ? version : mergeVectors(before, version));
  }
  return new Map([...joined].slice(-ROWS_MAX));
}

/** Names a row in a token: ids may be long, and are nobody else's to read. */
export function rowKeyOf(entityKind: string, entityId: string): string {
  return hash('sha256', `${entityKind}\n${entityId}`, 'base64url').slice(0, 11);
}

/** Returns an opaque text, the same for the same that was seen. */
export function encodeSeen({ visits, rows }: Seen): string {
  const places = [...visits].map(([region, { timeMs, writers }]) =>
    // Of rows that only an old table has written there is no writer.
    [region, timeMs.toString(36), ...[...writers].toSorted()].join(':'),
  );
  const versions = [...rows].map(([key, version]) => `${key}:${encodeVector(version)}`);
  return sealCursor([...places.toSorted(), '', ...versions].join(','), SCOPE);
}

/** Throws `SESSION_INVALID` for a text that `encodeSeen` cannot have made. */
export function decodeSeen(token: string): Seen {
  const text = token.length > TOKEN_LENGTH_MAX ? undefined : unsealCursor(token, SCOPE);
  const parts = text?.split(',') ?? [];
  const gap = parts.indexOf('');
  if (gap === -1) throw sessionInvalid('it is none that a session gave');
  const visits = new Map(parts.slice(0, gap).map(readVisit));
  const rows = new Map(parts.slice(gap + 1).map(readRow));
  if (visits.size > REGIONS_MAX || rows.size > ROWS_MAX) throw sessionInvalid('it is too long');
  return { visits, rows };
}

function readVisit(text: string): [string, Visit] {
  const [region = '', time = '', ...writers] = text.split(':');
  const timeMs = /^[0-9a-z]{1,10}$/.test(time) ? parseInt(time, 36) : Number.NaN;
  const isSound = [region, ...writers].every(isRegionName) && writers.length <= REGIONS_MAX;
  if (!isSound || !Number.isSafeInteger(timeMs)) throw sessionInvalid('a visit cannot be read');
  return [region, { timeMs, writers: new Set(writers) }];
}

function readRow(text: string): [string, VersionVector] {
  const [key = '', vector = ''] = text.split(':');
  const version = decodeVector(vector);
  if (!/^[\w-]{11}$/.test(key) || version === undefined) {
    throw sessionInvalid('a row cannot be read');
  }
  return [key, version];
}

function sessionInvalid(why: string): TerminalError {
  const remedy = 'Send the token as a session gave it, or begin a new session without one';
  return new TerminalError(
    'SESSION_INVALID',
    `The session token cannot be used: ${why}. ${remedy}.`,
  );
}
