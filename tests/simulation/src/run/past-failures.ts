import { readFileSync } from 'node:fs';

/** What a seed once found in earnest. */
interface PastFailure {
  readonly seed: number;
  /** What was wrong. */
  readonly bug: string;
  /** Puts it back; without one where the simulation itself was wrong, or another seed finds it sooner. */
  readonly mutant?: string;
  readonly checker: string;
}

export const PAST_FAILURES = JSON.parse(
  readFileSync(new URL('../seeds.json', import.meta.url), 'utf8'),
) as readonly PastFailure[];
