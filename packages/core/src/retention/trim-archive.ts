import { type Horizons, horizonOf, latestHorizon } from '../model/horizons.ts';
import type { ArchiveSpan } from '../ports/archive.ts';
import type { ArchiveKeeper, ArchiveRow, ScannedArchiveRow } from '../ports/recovery-region.ts';
import { isSameState } from '../recovery/difference.ts';
import { findArchiveStart } from '../recovery/plan-replay.ts';
import { type EntityState, isCollectable } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { covers } from '../state/version-vector.ts';
import { stampTimeMs } from '../time/stamp.ts';

/** What of a bucket's archive a replay to the horizon, or to any later time, needs. */
export interface SiftOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan'>;
  readonly entityKind: string;
  readonly bucket: string;
  /** Only what was stamped before the horizon of its entity is looked at; nothing of one that has none. */
  readonly horizons: Horizons;
  /** From `tombstoneHorizonMs`: an entity deleted before it may be forgotten; none is without it. */
  readonly tombstones?: Horizons | undefined;
  /** Entities whose newest states are held in memory, 250,000 by default; rows of others are kept. */
  readonly entitiesMax?: number;
  /** Told at the end of each row below all horizons that is needed and can be read, some of them more than once. */
  readonly onNeeded?: (row: ScannedArchiveRow) => void;
}

/** Entities of one bucket held in memory, with their fields: some 500 MB of small ones. */
const ENTITIES_MAX = 250_000;

/** A state that no other row contains, and the row that holds it. */
interface Holder {
  readonly row: HeldRow;
  readonly state: EntityState;
}

interface HeldRow {
  readonly found: ScannedArchiveRow;
  /** Counts the entities of which it holds such a state. */
  holds: number;
}

interface Held {
  holders: readonly Holder[];
  /** How many rows name the entity. */
  named: number;
}

/**
 * Yields the rows that no replay to the horizon or later needs: each change in them is contained in a state that
 * another row below the horizon holds, and that is there when this one is yielded. So whoever drops each row as it
 * comes may be cut off anywhere, and the archive folds to the same states at each moment. What nobody can read, and
 * what only stands for a lost change set, proves nothing of others. What was erased in stays.
 *
 * Deletions that are old enough go when nothing but they name the entity: first whatever they supersede has to be
 * gone, so that no cut brings it back.
 */
export async function* findSuperseded(options: SiftOptions): AsyncGenerator<ScannedArchiveRow> {
  const { archive, entityKind, bucket, horizons, entitiesMax = ENTITIES_MAX } = options;
  const entities = new Map<string, Held>();
  const beforeMs = latestHorizon(horizons);
  let hasDamaged = false;
  if (beforeMs === undefined) return;
  for await (const found of archive.scan({ entityKind, bucket, beforeMs })) {
    if (found.kind === 'damaged') {
      hasDamaged = true;
      continue;
    }
    const row: HeldRow = { found, holds: 0 };
    // It keeps out the values that were erased in it, which a late delivery would archive anew.
    let isPinned = found.isErased === true;
    let isYoung = false;
    const released = new Set<HeldRow>();
    const atMs = stampTimeMs(found.set.stamp);
    for (const { entityId, state } of found.set.changes) {
      // Its table goes back further than others of the set do, and rows are dropped whole.
      if (atMs >= (horizonOf(horizons, entityId) ?? Number.NEGATIVE_INFINITY)) {
        isYoung = true;
        continue;
      }
      const held = entities.get(entityId) ?? { holders: [], named: 0 };
      if (held.named === 0) {
        if (entities.size >= entitiesMax) {
          isPinned = true;
          continue;
        }
        entities.set(entityId, held);
      }
      held.named += 1;
      if (held.holders.some((other) => supersedes(other, state))) continue;
      const own: Holder = { row, state };
      const { superseded = [], left = [] } = Object.groupBy(held.holders, (other) =>
        supersedes(own, other.state) ? 'superseded' : 'left',
      );
      held.holders = [...left, own];
      row.holds += 1;
      for (const { row: other } of superseded) {
        other.holds -= 1;
        released.add(other);
      }
    }
    if (isYoung) row.holds += 1;
    // Of entities that are not held in memory it may be the newest.
    if (isPinned) {
      row.holds += 1;
      options.onNeeded?.(found);
    }
    if (row.holds === 0) yield found;
    for (const other of released) if (other.holds === 0) yield other.found;
  }
  // A row that somebody mends may name what was deleted: then nothing is forgotten here.
  if (!hasDamaged) yield* findForgotten(entities, options);
  for (const { holders } of entities.values()) {
    for (const { row } of holders) if (row.holds > 0) options.onNeeded?.(row.found);
  }
}

function* findForgotten(
  entities: ReadonlyMap<string, Held>,
  { tombstones }: SiftOptions,
): Generator<ScannedArchiveRow> {
  if (tombstones === undefined) return;
  for (const [entityId, { holders, named }] of entities) {
    const [only] = holders;
    const horizonMs = horizonOf(tombstones, entityId);
    if (only === undefined || named > 1 || horizonMs === undefined) continue;
    if (!isCollectable(only.state, horizonMs)) continue;
    only.row.holds -= 1;
    if (only.row.holds === 0) yield only.row.found;
  }
}

/** Tells whether a row's state of an entity says all that another state says. */
function supersedes({ row: { found }, state }: Holder, other: EntityState): boolean {
  // What itself arrives replaces a row that stands for it, and may say less.
  if (found.kind === 'damaged' || found.isStandIn === true) return false;
  if (!covers(state.vector, other.vector)) return false;
  return isSameState(mergeStates(state, other), state);
}

export interface TrimArchiveOptions
  extends Pick<SiftOptions, 'entityKind' | 'tombstones' | 'entitiesMax'> {
  /** How far back each of them is to go; recorded, and never less far than was recorded before. */
  readonly horizons: Horizons;
  readonly archive: Pick<ArchiveKeeper, 'scan' | 'drop' | 'raiseHorizon'>;
  readonly buckets: readonly string[];
  /** Whether someone recovers the region, or it is held: then nothing is trimmed. */
  readonly isBusy: () => Promise<boolean>;
  /** Called between two transactions, to leave the table to its writers. */
  readonly pace: () => Promise<void>;
  /** Rows dropped in one call at most; the rest waits for the next. */
  readonly rowsMax: number;
  readonly signal?: AbortSignal;
}

export interface TrimReport {
  readonly rows: number;
  readonly bytes: number;
  /** False when it was stopped, by a recovery or a bound, before all was looked at. */
  readonly isWhole: boolean;
}

const ROWS_PER_DROP = 100;

/**
 * Drops from an archive what no replay to the horizon or later needs. How far back the archive goes is recorded
 * before anything goes, and looked at by each replay once it has the lease that is looked at here after that: so of
 * the two one sees the other. May be cut off anywhere and repeated.
 */
export async function trimArchive(options: TrimArchiveOptions): Promise<TrimReport> {
  const { isBusy, signal } = options;
  let rows = 0;
  let bytes = 0;
  const stopped = (): TrimReport => ({ rows, bytes, isWhole: false });
  if (await isBusy()) return stopped();
  await raiseHorizons(options);
  for (const bucket of options.buckets) {
    let doomed: ArchiveRow[] = [];
    const dropAll = async (): Promise<boolean> => {
      if (doomed.length === 0) return true;
      if (signal?.aborted === true || rows >= options.rowsMax || (await isBusy())) return false;
      const dropped = await options.archive.drop(doomed);
      rows += dropped.length;
      for (const { encoded } of dropped) bytes += encoded.length;
      doomed = [];
      await options.pace();
      return true;
    };
    for await (const row of findSuperseded({ ...options, bucket })) {
      if (row.kind === 'set') doomed.push(row);
      if (doomed.length >= ROWS_PER_DROP && !(await dropAll())) return stopped();
    }
    if (!(await dropAll())) return stopped();
  }
  return { rows, bytes, isWhole: true };
}

async function raiseHorizons({
  archive,
  entityKind,
  horizons: { kindMs, tables },
}: TrimArchiveOptions): Promise<void> {
  // Tables first: one that has a horizon of its own has lost nothing by that of the kind since.
  for (const [tableId, tableMs] of tables) await archive.raiseHorizon(entityKind, tableMs, tableId);
  if (kindMs !== undefined) await archive.raiseHorizon(entityKind, kindMs);
}

/** What is kept under keys that begin with stamps: an archive, or a journal. */
export interface SizedSpans extends Pick<ArchiveKeeper, 'horizonMs'> {
  scan(
    span: ArchiveSpan,
  ): AsyncIterable<{ readonly rowKey: string; readonly encoded?: Pick<Uint8Array, 'length'> }>;
}

export interface SizeOptions {
  readonly archive: SizedSpans;
  readonly entityKind: string;
  readonly buckets: readonly string[];
  readonly nowMs: number;
  readonly keepBytes: number;
  /** A day by default, in milliseconds. */
  readonly stepMs?: number;
}

const DAY_MS = 86_400_000;

/**
 * Returns the time in milliseconds from which on an archive holds no more than so many bytes of change sets;
 * undefined when all of it does. Reads backwards from now in whole steps, so no more than is kept and one step.
 */
export async function findFullBefore(options: SizeOptions): Promise<number | undefined> {
  const { archive, entityKind, buckets, nowMs, keepBytes, stepMs = DAY_MS } = options;
  const startMs = await findArchiveStart(archive, options);
  if (startMs === undefined) return undefined;
  let bytes = 0;
  let beforeMs: number | undefined;
  for (let fromMs = Math.floor(nowMs / stepMs) * stepMs; ; fromMs -= stepMs) {
    const until = beforeMs === undefined ? {} : { beforeMs };
    for (const bucket of buckets) {
      for await (const row of archive.scan({ entityKind, bucket, fromMs, ...until })) {
        bytes += row.encoded?.length ?? 0;
      }
    }
    if (bytes > keepBytes) return fromMs + stepMs;
    if (fromMs <= startMs) return undefined;
    beforeMs = fromMs;
  }
}
