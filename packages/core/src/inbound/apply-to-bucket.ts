import { untilUncontended } from '../concurrency/contention.ts';
import { assertNever } from '../errors.ts';
import { type Change, type ChangeSet, originOf, referenceIdOf } from '../model/change-set.ts';
import type { Conflict } from '../model/conflict.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Replica, RowWrite, StoredRow } from '../ports/replica.ts';
import type { StoredState } from '../state/entity-state.ts';
import { decideApply, fitRow } from './decide-apply.ts';

export interface ApplyBatchOptions {
  /** This region: what it wrote itself has no reference into the archive. */
  readonly region: string;
  readonly conflicts: Pick<ConflictJournal, 'record'>;
  readonly clock: Clock;
  readonly tombstoneAgeMs: number;
  readonly onConflict?: (conflict: Conflict) => void;
}

const CONTENTION = { attemptsMax: 10 };

/**
 * Merges the sets of one bucket, which together touch at most 100 rows, into its rows in one
 * transaction. Returns the changes refused, as `<stamp>/<entity id>`.
 */
export async function applyToBucket(
  sets: readonly ChangeSet[],
  replica: Replica,
  options: ApplyBatchOptions,
): Promise<ReadonlySet<string>> {
  const changes = sets.flatMap((set) => set.changes.map((change) => ({ set, change })));
  const byEntity = Map.groupBy(changes, ({ change }) => change.entityId);
  const byBucket = Map.groupBy(byEntity.keys(), (entityId) => replica.bucketOf(entityId));
  const refused = new Set<string>();
  // One bucket at the sender is one bucket here, unless the regions were given different counts.
  for (const [bucket, entityIds] of byBucket) {
    await untilUncontended(async (attempt) => {
      const fold = (entityId: string, stored: StoredRow | undefined): Fold =>
        foldChanges(byEntity.get(entityId) ?? [], stored, {
          ...options,
          replica,
        });
      const folds = await foldAll({ bucket, entityIds, byEntity, fold }, replica, attempt === 1);
      // Before the rows: once they are merged, a repetition would no longer see the conflict (I7).
      const conflicts = folds.flatMap((fold) => fold.conflicts);
      if (conflicts.length > 0) await options.conflicts.record(conflicts);
      const writes = folds.flatMap((fold) => fold.write ?? []);
      const outcome =
        writes.length === 0 ? { kind: 'written' as const } : await replica.write(bucket, writes);
      if (outcome.kind !== 'written') {
        return { contended: `Row ${outcome.entityId} of ${replica.entityKind}` };
      }
      for (const fold of folds) for (const key of fold.refused) refused.add(key);
      for (const conflict of conflicts) options.onConflict?.(conflict);
      return undefined;
    }, CONTENTION);
  }
  return refused;
}

type ChangesOfEntity = readonly { readonly set: ChangeSet; readonly change: Change }[];

interface Bucketful {
  readonly bucket: string;
  readonly entityIds: readonly string[];
  readonly byEntity: ReadonlyMap<string, ChangesOfEntity>;
  readonly fold: (entityId: string, stored: StoredRow | undefined) => Fold;
}

/**
 * Folds the changes of each entity into its row, which is read unless it is remembered, or as good
 * as certainly not there. On such a guess only a plain write is built: its ETag guards it, and
 * anything else (a conflict, a duplicate) is decided on what the store says.
 */
async function foldAll(
  { bucket, entityIds, byEntity, fold }: Bucketful,
  replica: Replica,
  mayGuess: boolean,
): Promise<Fold[]> {
  const unread: string[] = [];
  const folds: Fold[] = [];
  for (const entityId of entityIds) {
    const remembered = mayGuess ? replica.recall(entityId) : undefined;
    const isGuess = mayGuess && (remembered !== undefined || isFirst(byEntity.get(entityId)));
    const guessed = isGuess ? fold(entityId, remembered) : undefined;
    if (guessed?.isPlain === true) folds.push(guessed);
    else unread.push(entityId);
  }
  if (unread.length === 0) return folds;
  const rows = await replica.read(bucket, unread);
  return [...folds, ...unread.map((entityId) => fold(entityId, rows.get(entityId)))];
}

/** The first change that there ever was of the entity, so most likely there is no row. */
function isFirst(changes: ChangesOfEntity | undefined): boolean {
  const change = changes?.[0]?.change;
  return (
    change?.operation === 'create' &&
    change.state.deleted === undefined &&
    change.state.vector.size === 1
  );
}

interface Fold {
  readonly write: RowWrite | undefined;
  /** Every change simply replaces what was there. */
  readonly isPlain: boolean;
  readonly conflicts: readonly Conflict[];
  readonly refused: readonly string[];
}

/** Several changes of one entity become one write of its row. */
function foldChanges(
  changes: ChangesOfEntity,
  stored: StoredRow | undefined,
  options: ApplyBatchOptions & { replica: Pick<Replica, 'entityKind' | 'fit'> },
): Fold {
  const conflicts: Conflict[] = [];
  const refused: string[] = [];
  let row: StoredState | undefined = stored;
  let entityId = '';
  let isPlain = true;
  for (const { set, change } of changes) {
    ({ entityId } = change);
    const decision = decideApply(
      {
        entityKind: options.replica.entityKind,
        entityId,
        state: change.state,
        referenceId: originOf(set) === options.region ? undefined : referenceIdOf(set, entityId),
      },
      { stored: row, nowMs: options.clock.nowMs(), tombstoneAgeMs: options.tombstoneAgeMs },
    );
    isPlain &&= decision.kind === 'write';
    switch (decision.kind) {
      case 'skip':
        break;
      case 'write':
        row = fitRow(options.replica, decision.row);
        break;
      case 'merge':
        row = fitRow(options.replica, decision.row);
        conflicts.push(...decision.conflicts);
        break;
      case 'refuse':
        refused.push(`${set.stamp}/${entityId}`);
        break;
      default:
        assertNever(decision);
    }
  }
  const isChanged = row !== undefined && row !== stored;
  const write = isChanged && row !== undefined ? { entityId, row, stored } : undefined;
  return { write, isPlain, conflicts, refused };
}
