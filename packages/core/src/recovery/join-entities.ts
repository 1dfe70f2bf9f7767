import { chunk } from '../concurrency/chunk.ts';
import { TransientError } from '../errors.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import type { RowWrite } from '../ports/replica.ts';
import { originOf, referenceIdOf } from '../replication/change-set.ts';
import { areConcurrent, type Conflict, findConflicts } from '../replication/conflict.ts';
import { fitRow, mergeRows, type StoredState } from '../replication/decide-apply.ts';
import { type ReadableRows, readReadable } from './read-readable.ts';
import { restoredSet } from './restored-set.ts';
import { isSameState, stateText } from './state-text.ts';

export interface JoinOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly bucket: string;
  /** At most 100. */
  readonly entityIds: readonly string[];
  /** What an archive has of them: joined as if it were one more region's rows. */
  readonly archived?: ReadonlyMap<string, StoredState>;
  /** The regions that are written to; all by default. */
  readonly into?: readonly string[];
}

const ATTEMPTS_MAX = 10;
/** Below the 100 rows and 4 MiB of an entity group transaction: a row is larger than its text. */
const WRITE_BOUNDS = {
  countMax: 100,
  weightMax: 1024 * 1024,
  weigh: ({ write }: JoinedRow): number => stateText(write.row.state).length,
};

/**
 * Writes the join of all regions' rows into each of them, under the rows' ETags: nothing newer is
 * overwritten, whatever is written meanwhile. What a region did not have goes to its archive first, and
 * what had not seen each other to its conflicts. Idempotent. Resolves with the rows written by region.
 */
export async function joinEntities(options: JoinOptions): Promise<ReadonlyMap<string, number>> {
  const { regions, bucket, entityIds, archived } = options;
  const { into = regions.map(({ region }) => region) } = options;
  const written = new Map<string, number>();
  let left = entityIds;
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const rows = await readAll(regions, bucket, left);
    const found = [...rows].map(([region, readable]) => [region, readable.rows] as const);
    const read: StatesBySource = new Map<string, ReadonlyMap<string, StoredState>>(
      archived === undefined ? found : [...found, [ARCHIVED, archived]],
    );
    const contended = new Set<string>();
    for (const target of regions.filter(({ region }) => into.includes(region))) {
      const joined = left.flatMap((entityId) => joinInto(target, entityId, { rows, read }) ?? []);
      for (const part of chunk(joined, WRITE_BOUNDS)) {
        if (await writeJoined(target, bucket, part)) {
          written.set(target.region, (written.get(target.region) ?? 0) + part.length);
        } else {
          for (const { write } of part) contended.add(write.entityId);
        }
      }
    }
    left = [...contended];
    if (left.length > 0 && attempt >= ATTEMPTS_MAX) {
      throw new TransientError(
        'WRITE_CONTENDED',
        `Row ${left[0]} in bucket ${bucket} changed ${ATTEMPTS_MAX} times under us. Repeat the command.`,
      );
    }
  }
  return written;
}

type RowsByRegion = ReadonlyMap<string, ReadableRows>;
/** The regions' rows, and what an archive has. */
type StatesBySource = ReadonlyMap<string, ReadonlyMap<string, StoredState>>;

/** No region has this name. */
const ARCHIVED = '~archived';

async function readAll(
  regions: readonly RecoveryRegion[],
  bucket: string,
  entityIds: readonly string[],
): Promise<RowsByRegion> {
  const read = regions.map(
    async ({ region, replica }) =>
      [region, await readReadable(replica, bucket, entityIds)] as const,
  );
  return new Map(await Promise.all(read));
}

interface JoinedRow {
  readonly write: RowWrite;
  readonly conflicts: readonly Conflict[];
}

/** Undefined when the region's row is the join already. */
function joinInto(
  target: RecoveryRegion,
  entityId: string,
  { rows, read }: { readonly rows: RowsByRegion; readonly read: StatesBySource },
): JoinedRow | undefined {
  const { entityKind } = target;
  const there = rows.get(target.region);
  // What nobody can read is not overwritten: an operator looks at it first, and sets it aside.
  if (there?.damaged.has(entityId) === true) return undefined;
  const own = there?.rows.get(entityId);
  const conflicts: Conflict[] = [];
  let row: StoredState | undefined = own;
  for (const [source, states] of read) {
    const other = source === target.region ? undefined : states.get(entityId);
    if (other === undefined) continue;
    const { state } = other;
    const incoming: StoredState = { state, referenceId: referenceFor(target, entityId, other) };
    if (row !== undefined && areConcurrent(row.state, state)) {
      conflicts.push(...findConflicts(row.state, { entityKind, entityId, state }));
    }
    row = fitRow(target.replica, row === undefined ? incoming : mergeRows(row, incoming));
  }
  if (row === undefined || isSameState(row.state, own?.state)) return undefined;
  return { write: { entityId, row, stored: own }, conflicts };
}

/** The row's place in the archive of the region it goes to; none for what was written there. */
function referenceFor(
  target: RecoveryRegion,
  entityId: string,
  { state }: StoredState,
): string | undefined {
  const bucket = target.replica.bucketOf(entityId);
  const set = restoredSet({ entityKind: target.entityKind, bucket, entityId, state });
  return originOf(set) === target.region ? undefined : referenceIdOf(set, entityId);
}

/** False, and no row written, when someone else has written one of them meanwhile. */
async function writeJoined(
  { entityKind, archive, conflicts, replica }: RecoveryRegion,
  bucket: string,
  joined: readonly JoinedRow[],
): Promise<boolean> {
  // Before the rows: once they are joined, a repetition would see neither gap nor conflict.
  await archive.restore(
    joined.map(({ write: { entityId, row } }) =>
      restoredSet({ entityKind, bucket, entityId, state: row.state }),
    ),
  );
  const found = joined.flatMap((one) => one.conflicts);
  if (found.length > 0) await conflicts.record(found);
  const outcome = await replica.write(
    bucket,
    joined.map(({ write }) => write),
  );
  return outcome.kind === 'written';
}
