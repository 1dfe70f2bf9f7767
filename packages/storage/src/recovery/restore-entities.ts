import { chunk, type EntityKind, type PlannedReplay, toEntity } from '@tandem/core';
import type { ReplicatedTable, WriteCondition } from '../replicated-table.ts';

export interface RestoreCounts {
  readonly written: number;
  readonly deleted: number;
  /** Changed since the plan was made, so left alone. */
  readonly changedMeanwhile: number;
}

export interface RestoreEntitiesOptions<K extends EntityKind> {
  readonly kind: K;
  /** Of the region that the plan is of. */
  readonly table: ReplicatedTable<K>;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

const WRITES_AT_ONCE = 100;

/**
 * Makes entities what they were, each by an ordinary write on the version that the plan was made on: who
 * wrote meanwhile is not overwritten.
 */
export async function restoreEntities<K extends EntityKind>(
  changes: readonly PlannedReplay[],
  options: RestoreEntitiesOptions<K>,
): Promise<RestoreCounts> {
  const tally = { written: 0, deleted: 0, changedMeanwhile: 0 };
  let done = 0;
  for (const part of chunk(changes, { countMax: WRITES_AT_ONCE })) {
    options.signal?.throwIfAborted();
    const outcomes = await Promise.all(part.map((change) => restoreEntity(change, options)));
    for (const outcome of outcomes) tally[outcome] += 1;
    options.onProgress?.((done += part.length));
  }
  return tally;
}

async function restoreEntity<K extends EntityKind>(
  { entityId, state, version, difference }: PlannedReplay,
  { kind, table }: RestoreEntitiesOptions<K>,
): Promise<keyof RestoreCounts> {
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
  if (outcome.kind === 'condition-failed') return 'changedMeanwhile';
  return isWanted ? 'written' : 'deleted';
}
