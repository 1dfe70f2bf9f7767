import type { FinalChecker } from './checker.ts';

/**
 * Rows lie in the bucket that the hash of their id names, so no partition has to carry them all; so does what the
 * archive has of an entity, where its history, a replay and a forgetting look for it.
 */
export const wrongPartition: FinalChecker = {
  name: 'wrong-partition',
  check: ({ regions, world }) =>
    regions.flatMap(({ name, rows, archive }) => {
      const places = [
        ...[...rows].map(([key, { partition }]) => ({ entityId: idIn(key), partition })),
        ...[...archive].flatMap(([key, { changes }]) =>
          changes.map(({ entityId }) => ({ entityId, partition: key.split('-')[1] ?? '' })),
        ),
      ];
      return places.flatMap(({ entityId, partition }) => {
        const bucket = bucketOf(entityId, world.plan.bucketCount);
        return partition === bucket
          ? []
          : [`${entityId} lies in partition ${partition} of ${name}, not in ${bucket}`];
      });
    }),
};

/** A forged id may hold what a key does not, spelt `=HH`. */
function idIn(rowKey: string): string {
  return decodeURIComponent(rowKey.replaceAll('%', '%25').replaceAll('=', '%'));
}

/** FNV-1a with its halves folded, written anew from its description. */
function bucketOf(entityId: string, bucketCount: number): string {
  let hash = 2_166_136_261n;
  for (const byte of Buffer.from(entityId)) {
    hash = ((hash ^ BigInt(byte)) * 16_777_619n) % 2n ** 32n;
  }
  const folded = Number(hash ^ (hash / 2n ** 16n));
  return (folded % bucketCount).toString(16).padStart(2, '0');
}
