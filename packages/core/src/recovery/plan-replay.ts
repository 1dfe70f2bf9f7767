import { chunk } from '../concurrency/bounded.ts';
import { TerminalError } from '../errors.ts';
import { fitRow, mergeRows } from '../inbound/decide-apply.ts';
import type { Horizons } from '../model/horizons.ts';
import type { ArchiveSpan } from '../ports/archive.ts';
import type { ArchiveKeeper, RowScanner } from '../ports/recovery-region.ts';
import type { Replica, StoredRow } from '../ports/replica.ts';
import { mayBeGone } from '../retention/retention-horizon.ts';
import { type EntityState, isAlive, type StoredState } from '../state/entity-state.ts';
import { encodeVector } from '../state/version-vector.ts';
import { isStamp, stampTimeMs } from '../time/stamp.ts';
import { isSameValue } from '../values/field-value.ts';
import {
  type Difference,
  describeDifference,
  isSameState,
  proofOf,
  readReadable,
} from './difference.ts';
import { type DamagedArchiveRow, foldArchive, foldSpanOf, type ReplaySpan } from './replay.ts';
/**
 * `join`: what the archive has is joined into the rows, which brings back what is missing and undoes
 * nothing. `restore`: the entities become what they were, which is a new write of each.
 */
export type ReplayMode = 'join' | 'restore';

export interface PlannedReplay {
  readonly bucket: string;
  readonly entityId: string;
  /** What the archive says; undefined where it says nothing, so that the entity was not there. */
  readonly state: EntityState | undefined;
  /** Guards the row as it is now; undefined where there is none. */
  readonly version: string | undefined;
  /** Between the row (`now`) and what it will be (`then`). */
  readonly difference: Difference;
}

/** What a reader will see of a plan, in rows. */
export interface ReplayCounts {
  /** Rows that get values: `changed` of them are there now, the others come back. */
  readonly written: number;
  readonly changed: number;
  readonly deleted: number;
}

export interface ReplayPlan {
  readonly changeSets: number;
  /** Entities that are so already. */
  readonly same: number;
  readonly changes: readonly PlannedReplay[];
  /**
   * Entities to restore whose rows show writes of that time which the archive does not have: damaged or
   * lost there, or still in the outbox. What they were cannot be told, so they are left alone.
   */
  readonly unarchived: readonly string[];
}

export interface PlanReplayOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan' | 'horizonMs'>;
  /** The region whose archive it is. */
  readonly region: string;
  /** The rows that are compared with it. */
  readonly rows: RowScanner;
  readonly replica: Pick<Replica, 'read' | 'entityKind' | 'fit'>;
  readonly buckets: readonly string[];
  readonly span: ReplaySpan;
  readonly mode: ReplayMode;
  /** Keeps a `join` from making tombstones again that are stamped before these times. */
  readonly tombstones: Horizons;
  readonly onDamaged?: (row: DamagedArchiveRow) => void;
  readonly onSet?: () => void;
}

/** Entities of one bucket held in memory, with their fields: some 500 MB of small ones. */
const ENTITIES_MAX = 250_000;
const CHANGES_MAX = 100_000;
const READ_BATCH_MAX = 100;

/** Tells what a replay would change. Reads only. Throws `ARCHIVE_DAMAGED` and `RECOVERY_REFUSED`. */
export async function planReplay(options: PlanReplayOptions): Promise<ReplayPlan> {
  const changes: PlannedReplay[] = [];
  const unarchived: string[] = [];
  const beforeMs = options.mode === 'restore' ? options.span.beforeMs : undefined;
  let changeSets = 0;
  let same = 0;
  for (const bucket of options.buckets) {
    const states = await foldBucket(bucket, options, () => {
      changeSets += 1;
      options.onSet?.();
    });
    for await (const [entityId, row] of readRows(bucket, states, options)) {
      // An id that was asked for, and that neither the archive nor the rows know.
      if (row === undefined && !states.has(entityId)) continue;
      const proof =
        beforeMs === undefined ? 'archive' : proofOf(row, states.get(entityId), beforeMs);
      if (proof === 'row') same += 1;
      if (proof === 'none') unarchived.push(entityId);
      if (proof !== 'archive') continue;
      const change = planEntity(bucket, entityId, {
        row,
        found: states.get(entityId),
        mode: options.mode,
        tombstones: options.tombstones,
        replica: options.replica,
      });
      if (change === undefined) same += 1;
      else changes.push(change);
      if (changes.length > CHANGES_MAX)
        throw tooMany(`${CHANGES_MAX} changes`, 'one bucket (--bucket)');
    }
  }
  return { changeSets, same, changes, unarchived };
}

/** Counts what a plan does by what is seen of each entity now and then. */
export function countReplay(changes: readonly Pick<PlannedReplay, 'difference'>[]): ReplayCounts {
  const counts = { written: 0, changed: 0, deleted: 0 };
  for (const { difference } of changes) {
    const [isThere, isWanted] = ['now', 'then'].map(
      (time) => difference.regions[time]?.life === 'alive',
    );
    if (isWanted) counts.written += 1;
    if (isWanted && isThere) counts.changed += 1;
    if (!isWanted && isThere) counts.deleted += 1;
  }
  return counts;
}

/**
 * Returns how far back an archive goes, in milliseconds: to where it was trimmed, else to its first record,
 * undefined where it has none. Of what was before nothing can be said, and a replay to then would find that there
 * was nothing.
 */
export async function findArchiveStart(
  archive: Pick<ArchiveKeeper, 'horizonMs'> & {
    scan(span: ArchiveSpan): AsyncIterable<{ readonly rowKey: string }>;
  },
  {
    entityKind,
    buckets,
    tableId,
  }: {
    readonly entityKind: string;
    readonly buckets: readonly string[];
    /** Only of this table of clients. */
    readonly tableId?: string | undefined;
  },
): Promise<number | undefined> {
  const horizonMs = await archive.horizonMs(entityKind, tableId);
  if (horizonMs !== undefined) return horizonMs;
  let startMs: number | undefined;
  for (const bucket of buckets) {
    // A damaged row has its stamp all the same: it is its key.
    for await (const { rowKey } of archive.scan({ entityKind, bucket })) {
      const [stamp = ''] = rowKey.split('~');
      if (!isStamp(stamp)) continue;
      startMs = Math.min(startMs ?? Number.POSITIVE_INFINITY, stampTimeMs(stamp));
      break;
    }
  }
  return startMs;
}

async function foldBucket(
  bucket: string,
  options: PlanReplayOptions,
  onSet: () => void,
): Promise<ReadonlyMap<string, StoredState>> {
  const { archive, region, replica, span } = options;
  let states: ReadonlyMap<string, StoredState> = new Map();
  await foldArchive({
    archive,
    region,
    ...foldSpanOf(span, { entityKind: replica.entityKind, bucket }),
    ...(options.onDamaged === undefined ? {} : { onDamaged: options.onDamaged }),
    entitiesMax: ENTITIES_MAX,
    onSet,
    async onStates(found) {
      if (states.size > 0)
        throw tooMany(`${ENTITIES_MAX} entities in bucket ${bucket}`, 'one entity (--entity)');
      states = found;
    },
  });
  return states;
}

/** Returns the entities that the archive names, with their rows; to restore a time, all other rows as well. */
async function* readRows(
  bucket: string,
  states: ReadonlyMap<string, StoredState>,
  { replica, rows, span, mode }: PlanReplayOptions,
): AsyncGenerator<readonly [string, StoredRow | undefined]> {
  const { idPrefix } = span;
  const isWhole = span.entityId === undefined && span.fromMs === undefined;
  let named = span.entityId === undefined ? [...states.keys()] : [span.entityId];
  if (mode === 'restore' && isWhole) {
    const left = new Set(states.keys());
    let hasDamaged = false;
    for await (const scanned of rows.scan(bucket, idPrefix)) {
      if (scanned.kind === 'damaged') {
        hasDamaged ||= !scanned.isForeign;
        continue;
      }
      left.delete(scanned.row.entityId);
      yield [scanned.row.entityId, scanned.row];
    }
    if (!hasDamaged) {
      for (const entityId of left) yield [entityId, undefined];
      return;
    }
    // One of them may be there, in a row that nobody can read: it is looked at, so that no plan says to write it.
    named = [...left];
  }
  for (const part of chunk(named, { countMax: READ_BATCH_MAX })) {
    const { rows: found, damaged } = await readReadable(replica, bucket, part);
    for (const entityId of part) {
      if (!damaged.has(entityId)) yield [entityId, found.get(entityId)];
    }
  }
}

interface Compared {
  readonly row: StoredRow | undefined;
  readonly found: StoredState | undefined;
  readonly mode: ReplayMode;
  readonly tombstones: Horizons;
  readonly replica: Pick<Replica, 'fit'>;
}

/** Returns undefined when nothing is to be done. */
function planEntity(
  bucket: string,
  entityId: string,
  { row, found, mode, tombstones, replica }: Compared,
): PlannedReplay | undefined {
  const now = row?.state;
  const joined =
    row !== undefined && found !== undefined ? fitRow(replica, mergeRows(row, found)) : found;
  const then = mode === 'join' ? (joined?.state ?? now) : found?.state;
  const isSame = mode === 'join' ? isSameState(now, then) : looksSame(now, then);
  if (isSame) return undefined;
  if (
    mode === 'join' &&
    now === undefined &&
    then !== undefined &&
    mayBeGone(entityId, then, tombstones)
  ) {
    return undefined;
  }
  const states = new Map([
    ['now', now],
    ['then', then],
  ]);
  return {
    bucket,
    entityId,
    state: then,
    version: now === undefined ? undefined : encodeVector(now.vector),
    difference: describeDifference(bucket, entityId, states),
  };
}

/** Tells whether a reader sees the same: the same values, or nothing in both. */
function looksSame(a: EntityState | undefined, b: EntityState | undefined): boolean {
  const isThere = a !== undefined && isAlive(a);
  if (b === undefined || !isAlive(b)) return !isThere;
  if (!isThere) return false;
  const names = new Set([...a.fields.keys(), ...b.fields.keys()]);
  return [...names].every((name) =>
    isSameValue(a.fields.get(name)?.value ?? null, b.fields.get(name)?.value ?? null),
  );
}

function tooMany(what: string, less: string): TerminalError {
  return new TerminalError(
    'RECOVERY_REFUSED',
    `More than ${what}, which are held in memory: replay ${less} at a time, or into a table of its ` +
      'own (--table with --apply), which holds few.',
  );
}
