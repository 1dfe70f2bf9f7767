import { TerminalError } from '../errors.ts';
import type { ArchiveSpan } from '../ports/archive.ts';
import type { ArchiveKeeper } from '../ports/recovery-region.ts';
import { type ChangeSet, originOf, referenceIdOf } from '../replication/change-set.ts';
import { mergeRows, type StoredState } from '../replication/decide-apply.ts';

export interface DamagedArchiveRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly problem: string;
}

export interface FoldOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan'>;
  readonly span: ArchiveSpan;
  /** The region whose archive it is. */
  readonly region: string;
  /** Only of this entity. */
  readonly entityId?: string;
  /** Entities held in memory before they are given away. */
  readonly entitiesMax: number;
  /** Joined states, each entity once a call; an entity may come again in a later call. */
  readonly onStates: (states: ReadonlyMap<string, StoredState>) => Promise<void>;
  /** Without it a damaged row is an error. */
  readonly onDamaged?: (row: DamagedArchiveRow) => void;
  readonly onSet?: (set: ChangeSet) => void;
}

/**
 * Joins the archived states of each entity, so that rows are written once and not once for each of
 * their changes. Memory is bounded by `entitiesMax`. Throws `ARCHIVE_DAMAGED`, naming the row.
 */
export async function foldArchive(options: FoldOptions): Promise<void> {
  const { archive, span, region, entityId, entitiesMax, onStates } = options;
  let states = new Map<string, StoredState>();
  for await (const row of archive.scan(span)) {
    if (row.kind === 'damaged') {
      if (options.onDamaged === undefined) throw damaged(row);
      options.onDamaged(row);
      continue;
    }
    options.onSet?.(row.set);
    for (const change of row.set.changes) {
      if (entityId !== undefined && change.entityId !== entityId) continue;
      const isOwn = originOf(row.set) === region;
      const referenceId = isOwn ? undefined : referenceIdOf(row.set, change.entityId);
      const known = states.get(change.entityId);
      const found = { state: change.state, referenceId };
      states.set(change.entityId, known === undefined ? found : mergeRows(known, found));
    }
    if (states.size >= entitiesMax) {
      const full = states;
      states = new Map();
      await onStates(full);
    }
  }
  if (states.size > 0) await onStates(states);
}

function damaged({ partitionKey, rowKey, problem }: DamagedArchiveRow): TerminalError {
  return new TerminalError(
    'ARCHIVE_DAMAGED',
    `The archive row ${partitionKey}/${rowKey} cannot be read: ${problem} Nothing after it was ` +
      'replayed. Copy the row from the archive of another region, or leave such rows out and say so.',
    { details: { partitionKey, rowKey } },
  );
}
