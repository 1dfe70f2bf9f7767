import type { AppError, Clock, EntityKind, TableStore } from '@tandem/core';
import {
  createConfiguration,
  recordBucketCount,
  recordRegions,
  type TandemConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { holdLostTables } from './hold-lost-tables.ts';
import { readRegionSettings, type RegionSettings } from './region-settings.ts';
import { createTables } from './region-tables.ts';

export interface OpenRegionOptions {
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

export interface OpenedRegion {
  readonly configuration: TandemConfiguration;
  readonly settings: RegionSettings;
}

/**
 * Reads the region's settings and makes its tables exist, unless its data is kept in memory.
 * Idempotent. Throws `CONFIGURATION_INVALID` with all that is wrong, also when the tables hold
 * another number of buckets than is asked for, and the store's errors.
 */
export async function openRegion(options: OpenRegionOptions): Promise<OpenedRegion> {
  const { region, store, kinds, clock, environment, refreshMs, onRefreshFailed } = options;
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
    await holdLostTables({ store, kinds, clock });
    await createTables({ store, kinds });
    for (const kind of kinds) await recordBucketCount(store, kind, settings.bucketCount);
    settings = { ...settings, regions: await recordRegions(store, settings.regions) };
  }
  return { configuration, settings };
}
