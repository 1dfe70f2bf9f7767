import {
  chunk,
  countReplay,
  type PlannedReplay,
  type ReplayCounts,
  type TypedKind,
  toEntity,
} from '@tandem/core';
import type { ReplicatedTable, WriteCondition } from '../replicated-table.ts';

export interface RestoreReport extends ReplayCounts {
  /** Written by someone since the plan was made, so left alone. */
  readonly leftAlone: readonly string[];
}

export interface RestoreEntitiesOptions<K extends TypedKind> {
  readonly kind: K;
  /** Names the region that the plan is of. */
  readonly table: ReplicatedTable<K>;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

const WRITES_AT_ONCE = 100;

/**
 * Makes entities what they were, each by an ordinary write on the version that the plan was made on: who
 * wrote meanwhile is not overwritten.
 */
export async function restoreEntities<K extends TypedKind>(
  changes: readonly PlannedReplay[],
  options: RestoreEntitiesOptions<K>,
): Promise<RestoreReport> {
  const settled: PlannedReplay[] = [];
  const leftAlone: string[] = [];
  let done = 0;
  for (const part of chunk(changes, { countMax: WRITES_AT_ONCE })) {
    options.signal?.throwIfAborted();
    const isDone = await Promise.all(part.map((change) => restoreEntity(change, options)));
    settled.push(...part.filter((_, index) => isDone[index]));
    leftAlone.push(...part.flatMap(({ entityId }, index) => (isDone[index] ? [] : [entityId])));
    options.onProgress?.((done += part.length));
  }
  return { ...countReplay(settled), leftAlone };
}

/** Returns false when someone has written it since the plan was made. */
async function restoreEntity<K extends TypedKind>(
  { entityId, state, version, difference }: PlannedReplay,
  { kind, table }: RestoreEntitiesOptions<K>,
): Promise<boolean> {
  const isThere = difference.regions['now']?.life === 'alive';
  const condition: WriteCondition =
    isThere && version !== undefined
      ? { kind: 'version', versions: [version] }
      : { kind: 'absent' };
  const isWanted = difference.regions['then']?.life === 'alive';
  const outcome =
    isWanted && state !== undefined
      ? await table.put(entityId, toEntity(kind, state), condition)
      : await table.remove(entityId, condition);
  return outcome.kind !== 'condition-failed';
}
