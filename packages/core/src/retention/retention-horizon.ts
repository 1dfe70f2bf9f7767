import { believedMs, type OwnClock } from '../arrival/claims.ts';
import { type Horizons, horizonOf, joinHorizons } from '../model/horizons.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import { type EntityState, isCollectable } from '../state/entity-state.ts';

export interface RetentionHorizonInput extends OwnClock {
  /** What is older is trimmed, in milliseconds; undefined keeps it for ever. */
  readonly keepMs: number | undefined;
  /** What was stamped before this time, in milliseconds, is more than the size that is kept. */
  readonly fullBeforeMs: number | undefined;
  /** What is younger is never trimmed, whatever its size, in milliseconds. */
  readonly promiseMs: number;
  /** Holds for every peer the time before which it has applied what any region acknowledged, as it says. */
  readonly appliedByPeersMs: readonly (number | undefined)[];
}

/**
 * Returns the time, in milliseconds, before which an archive or a journal may be trimmed; undefined when nothing
 * may. What a peer has not proven to have is never trimmed (I22), and a clock that is ahead trims nothing that a
 * peer's clock takes for young.
 */
export function retentionHorizonMs(input: RetentionHorizonInput): number | undefined {
  const { keepMs, fullBeforeMs, promiseMs, appliedByPeersMs } = input;
  const wanted = [
    ...(keepMs === undefined ? [] : [provenMs(input, appliedByPeersMs, keepMs)]),
    ...(fullBeforeMs === undefined ? [] : [fullBeforeMs]),
  ];
  const promised = provenMs(input, appliedByPeersMs, promiseMs);
  const known = wanted.filter((timeMs) => timeMs !== undefined);
  if (known.length === 0 || promised === undefined) return undefined;
  return Math.min(Math.max(...known), promised);
}

export interface TombstoneHorizonInput extends OwnClock {
  readonly ageMs: number;
  /** Holds for every peer the time of its newest watermark that this region has passed. */
  readonly passedMs: readonly (number | undefined)[];
}

/**
 * Tombstones whose newest stamp is before this time, in milliseconds, may be collected; undefined
 * when none may. Age alone is not enough: from a peer that is behind, something older than the
 * deletion may still come, and would revive what was deleted (I4).
 */
export function tombstoneHorizonMs(input: TombstoneHorizonInput): number | undefined {
  return provenMs(input, input.passedMs, input.ageMs);
}

/** Returns that long before what every peer has told; undefined while one has told nothing. */
function provenMs(
  clock: OwnClock,
  toldMs: readonly (number | undefined)[],
  ageMs: number,
): number | undefined {
  const reached: number[] = [];
  for (const told of toldMs) {
    const reachedMs = believedMs(told, clock);
    if (reachedMs === undefined) return undefined;
    reached.push(reachedMs);
  }
  return Math.min(clock.nowMs, ...reached) - ageMs;
}

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
