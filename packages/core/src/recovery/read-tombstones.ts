import { type Horizons, horizonOf, joinHorizons } from '../model/horizons.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import { type EntityState, isCollectable } from '../state/entity-state.ts';

/**
 * Resolves with the times before which tombstones may be gone in one of the regions: of tables of clients with an age
 * of their own what each of them says to have collected, of all else `horizonMs`.
 */
export async function readTombstones(
  regions: readonly Pick<RecoveryRegion, 'tombstones'>[],
  horizonMs: number,
): Promise<Horizons> {
  const read = await Promise.all(regions.flatMap(({ tombstones }) => tombstones?.read() ?? []));
  return { kindMs: horizonMs, tables: joinHorizons(read).tables };
}

/** Tells whether it is a tombstone that may be gone in one of the regions. */
export function mayBeGone(entityId: string, state: EntityState, tombstones: Horizons): boolean {
  const horizonMs = horizonOf(tombstones, entityId);
  return horizonMs !== undefined && isCollectable(state, horizonMs);
}
