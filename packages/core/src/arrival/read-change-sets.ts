import { AppError, TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { ArchiveEntry } from '../ports/archive.ts';
import { packChangeSets, unpackChangeSets } from '../wire/change-set-pack.ts';
import { decodeChangeSet } from '../wire/decode-change-set.ts';
import { inflateChangeSet, plainBytesOf } from '../wire/deflate-change-set.ts';

/**
 * What the change sets of one message may take together once they are inflated: who sends packs keeps to half
 * of it, and one set alone to less.
 */
export const MESSAGE_PLAIN_BYTES_MAX = 256 * 1_024;

export type ReadSet =
  | ({ readonly kind: 'set' } & ArchiveEntry)
  | { readonly kind: 'unreadable'; readonly encoded: Uint8Array; readonly error: AppError };

/**
 * What is in the body of a message, be it one change set or a pack of them: one that cannot be read
 * takes none of the others with it. Never throws, and is never empty.
 */
export function readChangeSets(body: Uint8Array): readonly ReadSet[] {
  const unpacked = orError(() => unpackBounded(body));
  if (unpacked instanceof AppError) return [unreadable(body, unpacked)];
  return unpacked.map((encoded) => {
    const set = orError(() => decodeChangeSet(encoded));
    return set instanceof AppError ? unreadable(encoded, set) : { kind: 'set', set, encoded };
  });
}

/** Throws `CHANGE_TOO_LARGE` before anything is inflated or parsed. */
function unpackBounded(body: Uint8Array): readonly Uint8Array[] {
  const sets = body.length > MESSAGE_PLAIN_BYTES_MAX ? [body] : unpackChangeSets(body);
  const bytes = sets.reduce((sum, encoded) => sum + plainBytesOf(encoded), 0);
  if (bytes <= MESSAGE_PLAIN_BYTES_MAX) return sets;
  throw new TerminalError(
    'CHANGE_TOO_LARGE',
    `The message takes ${bytes} bytes inflated, the limit is ${MESSAGE_PLAIN_BYTES_MAX}. ` +
      'No region sends as much: find who did.',
    { details: { bytes } },
  );
}

/** What a message takes while it is applied: what is refused for its size is never inflated. */
export function inflatedBytesOf(body: Uint8Array): number {
  const sets = orError(() => unpackBounded(body));
  if (sets instanceof AppError) return body.length;
  return sets.reduce((sum, encoded) => sum + plainBytesOf(encoded), 0);
}

/** The same message for people to read: no set in it is deflated. What is damaged stays as it is. */
export function plainBodyOf(body: Uint8Array): Uint8Array {
  const plain = orError(() => unpackBounded(body).map(inflateChangeSet));
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
