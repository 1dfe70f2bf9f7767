import {
  believedPeers,
  bucketNames,
  type Clock,
  catalogKind,
  type EntityKind,
  findFullBefore,
  type Horizons,
  keepsOf,
  latestHorizon,
  type PeerProgress,
  peersOfKind,
  RECOVERY_LEASE_MS,
  type ReplicationStatus,
  retentionHorizonMs,
  type TableKeep,
  type TableStore,
  TerminalError,
  type TrimReport,
  tombstoneHorizonMs,
  trimArchive,
} from '@tandem/core';
import { readTables } from '../catalogue/table-catalogue.ts';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createTableRegionHold, isLeaseTaken, RECOVERY_LEASE } from '../status/status-tables.ts';
import { createConflictHorizons, sizedJournal, trimConflicts } from '../tables/trim-conflicts.ts';
import { createTombstoneHorizons } from './collect-tombstones.ts';

/** What of a table is kept: by age, by size, or for ever where neither is set. */
interface Keep {
  /** In milliseconds. */
  readonly keepMs: number | undefined;
  /** Counts what is encoded, for each entity kind. */
  readonly keepBytes: number | undefined;
}

export interface RetentionSettings {
  readonly archive: Keep;
  readonly conflicts: Keep;
  /** What is younger stays whatever its size, in milliseconds. */
  readonly promiseMs: number;
  readonly tombstoneAgeMs: number;
  readonly driftMsMax: number;
}

export interface TrimRegionOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly bucketCountOf: (entityKind: string) => number;
  readonly clock: Clock;
  readonly status: Pick<ReplicationStatus, 'read'>;
  /** All of them have to have what is trimmed of a kind that they get. */
  readonly peers: readonly string[];
  readonly settings: RetentionSettings;
  /** Between two transactions, in milliseconds; 50 by default. */
  readonly paceMs?: number;
  /** Rows of a kind dropped in one call; 100,000 by default. */
  readonly rowsMax?: number;
  readonly signal?: AbortSignal;
}

/** What one turn did to the tables of a kind. */
export interface TrimmedKind extends TrimReport {
  readonly entityKind: string;
  readonly table: 'Archive' | 'Conflicts';
  /** The latest there is now; undefined when nothing may be trimmed. */
  readonly horizonMs: number | undefined;
}

const PACE_MS = 50;
const ROWS_MAX = 100_000;
const NOTHING: TrimReport = { rows: 0, bytes: 0, isWhole: true };

/** What is known of the peers, and how long each table of clients keeps what it had. */
interface Known {
  readonly nowMs: number;
  readonly ofPeers: readonly (PeerProgress | undefined)[];
  /** Are kept by table id. */
  readonly keeps: ReadonlyMap<string, TableKeep>;
}

/**
 * Trims what a region keeps of the past as its settings and the catalogue have it: nothing that a peer has not said to
 * have, that a recovery under way may need, or that a replay to a time that is promised needs. May be cut off anywhere
 * and repeated. What a person must mend of one kind keeps no other from its turn: it is thrown once all have had theirs.
 */
export async function* trimRegion(options: TrimRegionOptions): AsyncGenerator<TrimmedKind> {
  const { kinds, clock, settings, signal } = options;
  let failure: TerminalError | undefined;
  for (const kind of kinds) {
    if (signal?.aborted === true) break;
    const nowMs = clock.nowMs();
    const peers = peersOfKind(kind.name, options.peers);
    const progress = peers.length === 0 ? undefined : await options.status.read();
    const believed = believedPeers(progress, { nowMs, driftMsMax: settings.driftMsMax });
    const known: Known = {
      nowMs,
      ofPeers: peers.map((name) => believed.find(({ peer }) => peer === name)),
      // Read after the progress: what that promises to have come is in it.
      keeps: await readKeeps(kind, options),
    };
    for (const trim of [trimArchiveOf, trimConflictsOf]) {
      try {
        const report = await trim(kind, known, options);
        if (report !== undefined) yield report;
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        failure ??= error;
      }
    }
  }
  if (failure !== undefined) throw failure;
}

async function readKeeps(
  kind: EntityKind,
  { store, kinds }: TrimRegionOptions,
): Promise<ReadonlyMap<string, TableKeep>> {
  if (kind.form !== 'open' || !kinds.includes(catalogKind)) return new Map();
  return keepsOf(await readTables({ store }), kind.name);
}

/** Returns undefined where all of the archive is kept for ever. */
async function trimArchiveOf(
  kind: EntityKind,
  known: Known,
  options: TrimRegionOptions,
): Promise<TrimmedKind | undefined> {
  const { store, clock, settings, signal } = options;
  const { name: entityKind } = kind;
  const archive = createTableArchiveKeeper({ store });
  const { keepMs, keepBytes } = settings.archive;
  const own = ownKeeps(known, 'archiveKeepMs');
  if (keepMs === undefined && keepBytes === undefined && own.size === 0) return undefined;
  const buckets = bucketsOf(entityKind, options);
  const fullBeforeMs =
    keepBytes === undefined
      ? undefined
      : await findFullBefore({ archive, entityKind, buckets, nowMs: known.nowMs, keepBytes });
  const wanted = wantedHorizons({ keepMs, fullBeforeMs, own }, known, settings);
  const what = { entityKind, table: 'Archive' as const, horizonMs: latestHorizon(wanted) };
  if (what.horizonMs === undefined) return { ...what, ...NOTHING };
  const report = await trimArchive({
    archive,
    entityKind,
    buckets,
    horizons: withFormer(wanted, await archive.horizons(entityKind)),
    tombstones: await forgettable(kind, known, options),
    isBusy: () => isBusy(options),
    pace: () => clock.sleep(options.paceMs ?? PACE_MS, signal),
    rowsMax: options.rowsMax ?? ROWS_MAX,
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...what, ...report };
}

/** Returns undefined where all conflicts are kept for ever. */
async function trimConflictsOf(
  { name: entityKind }: EntityKind,
  known: Known,
  options: TrimRegionOptions,
): Promise<TrimmedKind | undefined> {
  const { store, clock, settings, signal } = options;
  const { keepMs, keepBytes } = settings.conflicts;
  const own = ownKeeps(known, 'conflictsKeepMs');
  if (keepMs === undefined && keepBytes === undefined && own.size === 0) return undefined;
  const buckets = bucketsOf(entityKind, options);
  const archive = sizedJournal(store);
  const fullBeforeMs =
    keepBytes === undefined
      ? undefined
      : await findFullBefore({ archive, entityKind, buckets, nowMs: known.nowMs, keepBytes });
  const wanted = wantedHorizons({ keepMs, fullBeforeMs, own }, known, settings);
  const what = { entityKind, table: 'Conflicts' as const, horizonMs: latestHorizon(wanted) };
  if (what.horizonMs === undefined) return { ...what, ...NOTHING };
  const recorded = await createConflictHorizons({ store, entityKind }).read();
  const report = await trimConflicts({
    store,
    entityKind,
    buckets,
    horizons: withFormer(wanted, recorded),
    isBusy: () => isBusy(options),
    pace: () => clock.sleep(options.paceMs ?? PACE_MS, signal),
    rowsMax: options.rowsMax ?? ROWS_MAX,
    signal,
  });
  return { ...what, ...report };
}

function bucketsOf(entityKind: string, { bucketCountOf }: TrimRegionOptions): readonly string[] {
  return bucketNames(bucketCountOf(entityKind));
}

async function isBusy({ store, clock }: TrimRegionOptions): Promise<boolean> {
  const lease = { store, clock, name: RECOVERY_LEASE, durationMs: RECOVERY_LEASE_MS };
  return (
    (await isLeaseTaken(lease)) || (await createTableRegionHold({ store }).read()) !== undefined
  );
}

function ownKeeps(
  { keeps }: Known,
  setting: 'archiveKeepMs' | 'conflictsKeepMs',
): ReadonlyMap<string, number> {
  return new Map(
    [...keeps].flatMap(([tableId, { [setting]: keepMs }]) =>
      keepMs === undefined ? [] : [[tableId, keepMs] as const],
    ),
  );
}

interface Wanted {
  readonly keepMs: number | undefined;
  readonly fullBeforeMs: number | undefined;
  /** How long each table that says so keeps it, in milliseconds and whatever its size. */
  readonly own: ReadonlyMap<string, number>;
}

function wantedHorizons(
  { keepMs, fullBeforeMs, own }: Wanted,
  { nowMs, ofPeers }: Known,
  { driftMsMax, promiseMs }: RetentionSettings,
): Horizons {
  const appliedByPeersMs = ofPeers.map((peer) => peer?.allAppliedMs);
  const common = { nowMs, driftMsMax, promiseMs, appliedByPeersMs };
  const tables = new Map<string, number>();
  for (const [tableId, ownMs] of own) {
    const horizonMs = retentionHorizonMs({ ...common, keepMs: ownMs, fullBeforeMs: undefined });
    if (horizonMs !== undefined) tables.set(tableId, horizonMs);
  }
  return { kindMs: retentionHorizonMs({ ...common, keepMs, fullBeforeMs }), tables };
}

/** Adds tables that had a horizon of their own once: what goes by that of the kind now is recorded there too. */
function withFormer({ kindMs, tables }: Horizons, recorded: Horizons): Horizons {
  const former = [...recorded.tables.keys()].filter((tableId) => !tables.has(tableId));
  const added = kindMs === undefined ? [] : former.map((tableId) => [tableId, kindMs] as const);
  return { kindMs, tables: new Map([...tables, ...added]) };
}

/** Returns the times before which an entity that was deleted may be forgotten: the row table has forgotten it, too. */
async function forgettable(
  { name: entityKind, form }: EntityKind,
  { nowMs, ofPeers }: Known,
  { store, settings }: TrimRegionOptions,
): Promise<Horizons> {
  const kindMs = tombstoneHorizonMs({
    nowMs,
    ageMs: settings.tombstoneAgeMs,
    passedMs: ofPeers.map((peer) => peer?.passedMs),
    driftMsMax: settings.driftMsMax,
  });
  if (form !== 'open') return { kindMs, tables: new Map() };
  return { ...(await createTombstoneHorizons({ store, entityKind }).read()), kindMs };
}
