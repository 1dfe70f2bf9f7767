import {
  type Conflict,
  type ContestedField,
  type EntityKind,
  type EntityOf,
  encodeVector,
  isAlive,
  type RecoveryRegion,
  TerminalError,
} from '@tandem/core';
import type { ReplicatedTable, WriteCondition } from '../replicated-table.ts';

export interface RestoreConflictOptions<K extends EntityKind> {
  readonly conflict: Conflict;
  /** What of its fields is to have the losing value again. */
  readonly chosen: readonly ContestedField[];
  readonly recovery: Pick<RecoveryRegion, 'replica'>;
  /** Also what was written again since. */
  readonly isForced: boolean;
  /** Opened when something is to be written; without it nothing is. */
  readonly openTable?: () => Promise<ReplicatedTable<K>>;
}

/**
 * Writes the values that lost, as an ordinary write. What someone wrote after the conflict is not
 * overwritten without being asked to, and neither is what is written from now on. Resolves with the names of
 * the fields. Throws `RECOVERY_REFUSED`.
 */
export async function restoreConflict<K extends EntityKind>(
  options: RestoreConflictOptions<K>,
): Promise<readonly string[]> {
  const { conflict, chosen } = options;
  const { entityId } = conflict;
  const condition = options.isForced ? undefined : await conditionFor(options);
  const table = await options.openTable?.();
  if (table === undefined) return chosen.map(({ name }) => name);
  const values = Object.fromEntries(
    chosen.map(({ name, loser }) => [name, loser.value?.value ?? null]),
  ) as Partial<EntityOf<K>>;
  const outcome = await table.patch(entityId, values, condition);
  if (outcome.kind === 'condition-failed') {
    const message = `${entityId} was written meanwhile. Look again, and repeat the command.`;
    throw new TerminalError('RECOVERY_REFUSED', message);
  }
  if (outcome.kind === 'not-found') {
    const message = `${entityId} is deleted: tandem replay --in-place brings it back.`;
    throw new TerminalError('RECOVERY_REFUSED', message);
  }
  return chosen.map(({ name }) => name);
}

/** Undefined for a row that is deleted or gone, which is found out by the write itself. */
async function conditionFor<K extends EntityKind>({
  conflict: { entityId },
  chosen,
  recovery: { replica },
}: RestoreConflictOptions<K>): Promise<WriteCondition | undefined> {
  const rows = await replica.read(replica.bucketOf(entityId), [entityId]);
  const state = rows.get(entityId)?.state;
  const newer = chosen.filter(({ name, winner }) => {
    const now = state?.fields.get(name);
    return now !== undefined && now.stamp !== winner.stamp;
  });
  if (newer.length === 0) {
    if (state === undefined || !isAlive(state)) return undefined;
    return { kind: 'version', versions: [encodeVector(state.vector)] };
  }
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `Written again since the conflict: ${newer.map(({ name }) => name).join(', ')}. --force sets it ` +
      'all the same.',
  );
}
