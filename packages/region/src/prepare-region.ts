import {
  AppError,
  type Clock,
  type EntityKind,
  otherRowsKind,
  type Randomness,
  retryDelayMs,
  type TableStore,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  createConfiguration,
  createTableRegionHold,
  isBucketCountRecorded,
  REPLICATION_TABLE,
  readOverrides,
  readRecordedBucketCount,
  recordBucketCount,
  recordRegions,
  type TandemConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { type RegionSettings, readRegionSettings } from './region-settings.ts';
import { bucketCountOf, createTables, kindsIn } from './region-tables.ts';

export interface PrepareRegionOptions {
  readonly region: string;
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Overrides what the table `Configuration` says, for development. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How old the settings may get before they are read again. */
  readonly refreshMs: number;
  readonly onRefreshFailed: (error: AppError) => void;
}

export interface PreparedRegion {
  readonly configuration: TandemConfiguration;
  readonly settings: RegionSettings;
  /** The settings that the environment overrides, by name; undefined where nobody says. */
  readonly overridden?: readonly string[];
}

/**
 * Reads the region's settings and makes its tables exist, unless its data is kept in memory.
 * Idempotent. Throws `CONFIGURATION_INVALID` with all that is wrong, also when the tables hold
 * another number of buckets than is asked for, and the store's errors.
 */
export async function prepareRegion(options: PrepareRegionOptions): Promise<PreparedRegion> {
  const { region, store, clock, environment, refreshMs, onRefreshFailed } = options;
  const configuration = createConfiguration({
    store,
    definitions: tandemSettings,
    clock,
    refreshMs,
    overrides: environment,
    onRefreshFailed,
  });
  await configuration.load();
  let settings = readRegionSettings(configuration, region);
  if (settings.dataAccess !== 'memory') {
    // A region that has had the second space keeps it: tables may lie there, and what comes of them is to be applied.
    const recorded = await readRecordedBucketCount(store, otherRowsKind);
    const { otherRowsBucketCount = recorded } = settings;
    settings = { ...settings, otherRowsBucketCount };
    const kinds = kindsIn(options.kinds, settings);
    await holdLostTables({ store, kinds, clock });
    await createTables({ store, kinds });
    for (const kind of kinds) {
      await recordBucketCount(store, kind, bucketCountOf(kind.name, settings));
    }
    settings = { ...settings, regions: await recordRegions(store, settings.regions) };
  }
  const overridden = [...readOverrides(tandemSettings, environment).keys()];
  return { configuration, settings, overridden };
}

interface HoldLostTablesOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Holds the region when a table is gone that it had. Of the rows made anew the table is empty, and the queue,
 * drained by then, would say that the region has caught up (I14); of the archive a replay would no longer
 * give the rows (I5); and the table `Replication` may have held a hold. To be called before tables are made.
 */
async function holdLostTables(options: HoldLostTablesOptions): Promise<void> {
  const { store, kinds, clock } = options;
  const lost = new Set<string>();
  for (const kind of kinds) {
    if (!(await isBucketCountRecorded(store, kind))) continue;
    for (const table of [kind.name, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE]) {
      if (!(await isThere(store, table))) lost.add(table);
    }
  }
  if (lost.size === 0) return;
  await store.createTable(REPLICATION_TABLE);
  const which = lost.size === 1 ? 'table' : 'tables';
  const reason = `Lost ${which}: ${[...lost].join(', ')}. Run: tandem rebuild-region`;
  await createTableRegionHold({ store }).set({ reason, sinceMs: clock.nowMs() });
}

async function isThere(store: TableStore, table: string): Promise<boolean> {
  try {
    await store.query({ table, partitions: '00', limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return false;
    throw error;
  }
}

export interface RetryOpeningOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const POLICY = { delayMsMin: 200, delayMsMax: 5_000 };
/** Beyond it the delay no longer grows. */
const ATTEMPTS_COUNTED_MAX = 20;

/**
 * Calls `open` until it succeeds, so that a process outlives a store that is down when it starts.
 * Also goes on after terminal errors, such as a right that is not granted yet, which an operator
 * mends meanwhile; only `CONFIGURATION_INVALID` is thrown, since a person must read it. Resolves to
 * undefined when the signal aborts.
 */
export async function retryOpening<T>(
  open: () => Promise<T>,
  { clock, randomness, logger, signal }: RetryOpeningOptions,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'CONFIGURATION_INVALID') throw error;
      const counted = Math.min(attempt, ATTEMPTS_COUNTED_MAX);
      const policy = { ...POLICY, attemptsMax: counted };
      const delayMs = retryDelayMs(policy, counted, randomness.fraction());
      logger.warn(
        { event: 'region-not-opened', attempt, delayMs, error },
        'The tables and settings of the region cannot be read yet.',
      );
      await clock.sleep(delayMs, signal);
    }
  }
  return undefined;
}
