import {
  believedPeers,
  bucketNames,
  type Clock,
  type EntityKind,
  findFullBefore,
  RECOVERY_LEASE_MS,
  type ReplicationStatus,
  retentionHorizonMs,
  type TableStore,
  type TrimReport,
  tombstoneHorizonMs,
  trimArchive,
} from '@tandem/core';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createTableRegionHold, isLeaseTaken, RECOVERY_LEASE } from '../status/status-tables.ts';

/** What of a table is kept: by age, by size, or for ever where neither is set. */
interface Keep {
  /** In milliseconds. */
  readonly keepMs: number | undefined;
  /** Of what is encoded, for each entity kind. */
  readonly keepBytes: number | undefined;
}

export interface RetentionSettings {
  readonly archive: Keep;
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
  /** All of them have to have what is trimmed. */
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
  /** Undefined when nothing may be trimmed. */
  readonly horizonMs: number | undefined;
}

const PACE_MS = 50;
const ROWS_MAX = 100_000;
const NOTHING: TrimReport = { rows: 0, bytes: 0, isWhole: true };

/**
 * Trims what a region keeps of the past as its settings have it: nothing that a peer has not said to have, that a
 * recovery under way may need, or that a replay to a time that is promised needs. May be cut off anywhere and
 * repeated.
 */
export async function trimRegion(options: TrimRegionOptions): Promise<readonly TrimmedKind[]> {
  const { store, kinds, bucketCountOf, clock, peers, settings, signal } = options;
  const { paceMs = PACE_MS, rowsMax = ROWS_MAX } = options;
  const { driftMsMax, promiseMs } = settings;
  const archive = createTableArchiveKeeper({ store });
  const hold = createTableRegionHold({ store });
  const isBusy = async (): Promise<boolean> =>
    (await isLeaseTaken({ store, clock, name: RECOVERY_LEASE, durationMs: RECOVERY_LEASE_MS })) ||
    (await hold.read()) !== undefined;
  const trimmed: TrimmedKind[] = [];
  for (const { name: entityKind } of kinds) {
    if (signal?.aborted === true) break;
    const { keepMs, keepBytes } = settings.archive;
    if (keepMs === undefined && keepBytes === undefined) continue;
    const buckets = bucketNames(bucketCountOf(entityKind));
    const nowMs = clock.nowMs();
    const progress = peers.length === 0 ? undefined : await options.status.read();
    const known = believedPeers(progress, { nowMs, driftMsMax });
    const ofPeers = peers.map((name) => known.find(({ peer }) => peer === name));
    const fullBeforeMs =
      keepBytes === undefined
        ? undefined
        : await findFullBefore({ archive, entityKind, buckets, nowMs, keepBytes });
    const horizonMs = retentionHorizonMs({
      nowMs,
      driftMsMax,
      keepMs,
      fullBeforeMs,
      promiseMs,
      appliedByPeersMs: ofPeers.map((peer) => peer?.allAppliedMs),
    });
    const table = 'Archive';
    if (horizonMs === undefined) {
      trimmed.push({ entityKind, table, horizonMs, ...NOTHING });
      continue;
    }
    const report = await trimArchive({
      archive,
      entityKind,
      buckets,
      horizonMs,
      tombstoneHorizonMs: tombstoneHorizonMs({
        nowMs,
        ageMs: settings.tombstoneAgeMs,
        passedMs: ofPeers.map((peer) => peer?.passedMs),
        driftMsMax,
      }),
      isBusy,
      pace: () => clock.sleep(paceMs, signal),
      rowsMax,
      ...(signal === undefined ? {} : { signal }),
    });
    trimmed.push({ entityKind, table, horizonMs, ...report });
  }
  return trimmed;
}
