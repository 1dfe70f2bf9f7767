// How the rows of deleted tables go: docs/adr/0033. First it is said in the catalogue, in every region, so that nobody
// restores them any more; once every peer has said that it knows, each region takes away its own.
import {
  believedPeers,
  type Catalogue,
  type Clock,
  type catalogKind,
  findPurgeable,
  findPurged,
  formatGeneration,
  openTableId,
  type ReplicationStatus,
  recordIdOf,
  type TableGeneration,
  type TableStore,
  tableIdOf,
  tombstoneHorizonMs,
  toPurge,
} from '@tandem/core';
import type { ReplicatedTable } from '../replicated-table.ts';
import { readTables, type TableCatalogueOptions } from './table-catalogue.ts';

export interface PurgeTurnOptions extends Pick<TableCatalogueOptions, 'onDamaged'> {
  readonly store: TableStore;
  /** The replicated table of the catalogue, to write to. */
  readonly table: Pick<ReplicatedTable<typeof catalogKind>, 'patch'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly status: Pick<ReplicationStatus, 'read'>;
  /** All of them have to know that the rows go. */
  readonly peers: readonly string[];
  /** For how long what was deleted can be restored, in milliseconds. */
  readonly keepMs: number;
  /**
   * A restoration that was decided on is written within this time, in milliseconds; 10 minutes by default. Rows are
   * kept for so much longer.
   */
  readonly marginMs?: number | undefined;
  readonly driftMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a turn of the purge found. */
export interface PurgeTurn {
  /** Generations of which it said that their rows go. */
  readonly marked: readonly TableGeneration[];
  /** Those whose rows go here now. */
  readonly purged: readonly TableGeneration[];
  /** Whether an entity is a row of one of them. */
  readonly isPurged: (entityId: string) => boolean;
}

const MARGIN_MS = 600_000;
/** One turn says no more, so that a region that was away for long is not busy with it for long. */
const MARKS_MAX = 1_000;

/**
 * Says of which deleted tables the rows go, where nobody can restore them any more, and returns whose rows are to be
 * taken away in this region. May be cut off anywhere and repeated, by several processes at once.
 */
export async function takePurgeTurn(options: PurgeTurnOptions): Promise<PurgeTurn> {
  const { clock, peers, keepMs, marginMs = MARGIN_MS, driftMsMax } = options;
  const nowMs = clock.nowMs();
  const own = { nowMs, driftMsMax };
  const progress = peers.length === 0 ? undefined : await options.status.read();
  const known = believedPeers(progress, own);
  const ofPeers = peers.map((name) => known.find(({ peer }) => peer === name));
  // Read after the progress: what that promises to have come is in it.
  const catalogue = await readTables(options);
  const horizonMs = tombstoneHorizonMs({
    ...own,
    ageMs: keepMs + marginMs,
    passedMs: ofPeers.map((peer) => peer?.passedMs),
  });
  const appliedMs = tombstoneHorizonMs({
    ...own,
    ageMs: marginMs,
    passedMs: ofPeers.map((peer) => peer?.allAppliedMs),
  });
  const marked = horizonMs === undefined ? [] : await mark(catalogue, horizonMs, options);
  const purged =
    appliedMs === undefined ? [] : ofAll(catalogue, (one) => findPurged(one, appliedMs));
  const gone = new Set(purged.map(idOf));
  // Two names may have the same hash where two regions gave them at once: then their rows stay.
  for (const one of ofAll(catalogue, (all) => all))
    if (!purged.includes(one)) gone.delete(idOf(one));
  return { marked, purged, isPurged: (entityId) => gone.has(tableIdOf(entityId)) };
}

async function mark(
  catalogue: Catalogue,
  horizonMs: number,
  { table, clock, signal }: PurgeTurnOptions,
): Promise<readonly TableGeneration[]> {
  const marked: TableGeneration[] = [];
  const due = ofAll(catalogue, (generations) => findPurgeable(generations, horizonMs));
  for (const one of due.slice(0, MARKS_MAX)) {
    if (signal?.aborted === true) break;
    const id = recordIdOf(one.key, one.generation, 'deletion');
    const { kind } = await table.patch(id, toPurge(clock.nowMs()));
    if (kind === 'replaced') marked.push(one);
  }
  return marked;
}

function ofAll(
  catalogue: Catalogue,
  choose: (generations: readonly TableGeneration[]) => readonly TableGeneration[],
): readonly TableGeneration[] {
  return [...catalogue.values()].flatMap(choose);
}

function idOf({ key, generation }: TableGeneration): string {
  return openTableId(key, formatGeneration(generation));
}
