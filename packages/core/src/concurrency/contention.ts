import { TransientError } from '../errors.ts';

/** Says that someone else has written to what was read, so that nothing was written. */
export interface Contended {
  /** Says what it was, as the subject of a sentence. */
  readonly contended: string;
}

export interface ContentionOptions {
  readonly attemptsMax: number;
  /** Says what whoever reads the error can do, as sentences. */
  readonly remedy?: string;
}

/**
 * Reads, decides and writes under an ETag until nobody else has written meanwhile, and returns what the last
 * attempt has. Throws `WRITE_CONTENDED` after `attemptsMax`. There is no pause between them: each begins with
 * a read, which takes as long as another's write, and of those that meet one has always got on.
 */
export async function untilUncontended<T>(
  attempt: (count: number) => Promise<T | Contended>,
  { attemptsMax, remedy }: ContentionOptions,
): Promise<T> {
  for (let count = 1; ; count += 1) {
    const outcome = await attempt(count);
    if (!isContended(outcome)) return outcome;
    if (count < attemptsMax) continue;
    const happened = `${outcome.contended} changed ${attemptsMax} times under us.`;
    throw new TransientError('WRITE_CONTENDED', remedy ? `${happened} ${remedy}` : happened);
  }
}

function isContended(outcome: unknown): outcome is Contended {
  return typeof outcome === 'object' && outcome !== null && 'contended' in outcome;
}
