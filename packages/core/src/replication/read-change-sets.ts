import { AppError } from '../errors.ts';
import type { ArchiveEntry } from '../ports/archive.ts';
import type { ChangeSet } from './change-set.ts';
import { packChangeSets, unpackChangeSets } from './change-set-pack.ts';
import { decodeChangeSet } from './decode-change-set.ts';
import { inflateChangeSet } from './deflate-change-set.ts';

export type ReadSet =
  | ({ readonly kind: 'set' } & ArchiveEntry)
  | { readonly kind: 'unreadable'; readonly encoded: Uint8Array; readonly error: AppError };

/**
 * What is in the body of a message, be it one change set or a pack of them: one that cannot be read
 * takes none of the others with it. Never throws, and is never empty.
 */
export function readChangeSets(body: Uint8Array): readonly ReadSet[] {
  const unpacked = orError(() => unpackChangeSets(body));
  if (unpacked instanceof AppError) return [unreadable(body, unpacked)];
  return unpacked.map((encoded) => {
    const set = orError(() => decodeChangeSet(encoded));
    return set instanceof AppError ? unreadable(encoded, set) : { kind: 'set', set, encoded };
  });
}

/** The same message for people to read: no set in it is deflated. What is damaged stays as it is. */
export function plainBodyOf(body: Uint8Array): Uint8Array {
  const plain = orError(() => unpackChangeSets(body).map(inflateChangeSet));
  if (plain instanceof AppError) return body;
  const [first = body] = plain;
  return plain.length > 1 ? packChangeSets(plain) : first;
}

/** Those of them that can be read. */
export function readableSetsIn(body: Uint8Array): readonly ChangeSet[] {
  return readChangeSets(body).flatMap((one) => (one.kind === 'set' ? [one.set] : []));
}

function unreadable(encoded: Uint8Array, error: AppError): ReadSet {
  return { kind: 'unreadable', encoded, error };
}

function orError<T>(read: () => T): T | AppError {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}
