import { chunk, type PlannedReplay, toEntity } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { ReplicatedTable, WriteCondition } from '@tandem/storage';
import type { Session } from '../session.ts';
import type { CliRegion } from './cli-region.ts';
import type { CustomerKind } from './customer-kind.ts';
import { openWriter } from './open-writer.ts';

export interface RestoreCounts {
  readonly written: number;
  readonly deleted: number;
  /** Changed since the plan was made, so left alone. */
  readonly changedMeanwhile: number;
}

const WRITES_AT_ONCE = 100;

/**
 * Makes entities what they were, each by an ordinary write on the version that the plan was made on: who
 * wrote meanwhile is not overwritten.
 */
export async function restoreEntities(
  changes: readonly PlannedReplay[],
  { session, region }: { readonly session: Session; readonly region: CliRegion },
): Promise<RestoreCounts> {
  const table = await openWriter(region, session.io);
  const tally = { written: 0, deleted: 0, changedMeanwhile: 0 };
  let done = 0;
  for (const part of chunk(changes, { countMax: WRITES_AT_ONCE })) {
    session.io.signal.throwIfAborted();
    const outcomes = await Promise.all(part.map((change) => restore(change, table)));
    for (const outcome of outcomes) tally[outcome] += 1;
    session.progress.update('restored', (done += part.length), changes.length);
  }
  return tally;
}

async function restore(
  { entityId, state, version, difference }: PlannedReplay,
  table: ReplicatedTable<CustomerKind>,
): Promise<keyof RestoreCounts> {
  const isThere = difference.regions['now']?.life === 'alive';
  const condition: WriteCondition =
    isThere && version !== undefined
      ? { kind: 'version', versions: [version] }
      : { kind: 'absent' };
  const isWanted = difference.regions['then']?.life === 'alive';
  const outcome =
    isWanted && state !== undefined
      ? await table.put(entityId, toEntity(customerKind, state), condition)
      : await table.remove(entityId, condition);
  if (outcome.kind === 'condition-failed') return 'changedMeanwhile';
  return isWanted ? 'written' : 'deleted';
}
