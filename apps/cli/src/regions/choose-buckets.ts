import { UsageError } from '../usage-error.ts';

/** The bucket that was asked for, or all of them. Throws `UsageError` for one that there is not. */
export function chooseBuckets(
  buckets: readonly string[],
  wanted: string | undefined,
): readonly string[] {
  if (wanted === undefined) return buckets;
  if (buckets.includes(wanted)) return [wanted];
  throw new UsageError(
    `There is no bucket "${wanted}"; there are ${buckets[0]} to ${buckets.at(-1)}.`,
  );
}
