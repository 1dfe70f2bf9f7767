import { chunk, countReplay, type PlannedReplay, type ReplayCounts } from '@tandem/core';
import type { WriteCondition } from '../replicated-table.ts';
import type { RestoringTable } from './restoring-table.ts';

export interface RestoreReport extends ReplayCounts {
  /** Written by someone since the plan was made, so left alone. */
  readonly leftAlone: readonly string[];
}

export interface RestoreEntitiesOptions {
  /** In the region that the plan is of. */
  readonly table: RestoringTable;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

const WRITES_AT_ONCE = 100;

/**
 * Makes entities what they were, each by an ordinary write on the version that the plan was made on: who
 * wrote meanwhile is not overwritten.
 */
export async function restoreEntities(
  changes: readonly PlannedReplay[],
  options: RestoreEntitiesOptions,
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
async function restoreEntity(
  { entityId, state, version, difference }: PlannedReplay,
  { table }: RestoreEntitiesOptions,
): Promise<boolean> {
  const isThere = difference.regions['now']?.life === 'alive';
  const condition: WriteCondition =
    isThere && version !== undefined
      ? { kind: 'version', versions: [version] }
      : { kind: 'absent' };
  const isWanted = difference.regions['then']?.life === 'alive';
  const outcome =
    isWanted && state !== undefined
      ? await table.become(entityId, state, condition)
      : await table.remove(entityId, condition);
  return outcome.kind !== 'condition-failed';
}
