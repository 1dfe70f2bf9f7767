// How far back something goes of which the past is taken away: an archive, a journal of conflicts, the tombstones of
// a table. Of a kind that holds the tables of clients, each table that is kept otherwise has a horizon of its own.
import { tableIdOf } from '../entity-kind/open-id.ts';
import { stampTimeMs } from '../time/stamp.ts';
import type { ChangeSet } from './change-set.ts';

export interface Horizons {
  /** In milliseconds, for all that has none of its own; undefined where nothing was ever taken away. */
  readonly kindMs: number | undefined;
  /** By table id, for the rows of a table of clients. What is here counts in place of that of the kind. */
  readonly tables: ReadonlyMap<string, number>;
}

export const NO_HORIZONS: Horizons = { kindMs: undefined, tables: new Map() };

/** Returns the horizon that holds for an entity, in milliseconds; undefined where it has lost nothing. */
export function horizonOf({ kindMs, tables }: Horizons, entityId: string): number | undefined {
  return tables.size === 0 ? kindMs : (tables.get(tableIdOf(entityId)) ?? kindMs);
}

/** Tells whether a change set was stamped before the horizon of each entity in it: one is taken away whole or not at all. */
export function isBelow({ stamp, changes }: ChangeSet, horizons: Horizons): boolean {
  const atMs = stampTimeMs(stamp);
  return changes.every(
    ({ entityId }) => atMs < (horizonOf(horizons, entityId) ?? Number.NEGATIVE_INFINITY),
  );
}

/**
 * Returns the horizon of one table, or the latest there is where none is named: from then on all is whole. Undefined
 * where nothing was ever taken away.
 */
export function latestHorizon({ kindMs, tables }: Horizons, tableId?: string): number | undefined {
  if (tableId !== undefined) return tables.get(tableId) ?? kindMs;
  const known = [...tables.values(), ...(kindMs === undefined ? [] : [kindMs])];
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Returns of each table, and of the kind, the latest of several horizons: what any of them has taken away is gone. */
export function joinHorizons(all: readonly Horizons[]): Horizons {
  const tables = new Map<string, number>();
  const ids = new Set(all.flatMap((one) => [...one.tables.keys()]));
  for (const id of ids) {
    const known = all.flatMap((one) => one.tables.get(id) ?? []);
    tables.set(id, Math.max(...known));
  }
  const kinds = all.flatMap(({ kindMs }) => (kindMs === undefined ? [] : [kindMs]));
  return { kindMs: kinds.length === 0 ? undefined : Math.max(...kinds), tables };
}
