import type {
  Clock,
  EntityKind,
  Lease,
  Randomness,
  RecoveryRegion,
  RegionHold,
  TableStore,
} from '@tandem/core';
import {
  createRecoveryRegion,
  createRetriedStore,
  createTableLease,
  createTableRegionHold,
  readRecordedBucketCount,
} from '@tandem/storage';
import type { InventoryRegion } from '../inventory/inventory.ts';
import { countRequests } from './counted-store.ts';

/** A region as the commands see it. */
export interface CliRegion {
  readonly name: string;
  readonly entry: InventoryRegion;
  readonly store: TableStore;
  readonly bucketCount: number;
  readonly recovery: RecoveryRegion;
  readonly hold: RegionHold;
  /** Whoever holds it recovers the region; only a courtesy between operators. */
  readonly lease: Lease;
  requests(): number;
  /** Begins to count requests anew. */
  beginRound(): void;
}

export interface OpenCliRegionOptions {
  readonly entry: InventoryRegion;
  readonly kind: EntityKind;
  readonly openStore: (connection: string) => TableStore;
  readonly requestsMax: number;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Names this run of the program. */
  readonly holder: string;
  /** All regions there are. */
  readonly names: readonly string[];
  /** For a region whose tables are gone. */
  readonly bucketCount?: number;
}

/** Reads how many buckets the region has; throws what its store throws. */
export async function openCliRegion(options: OpenCliRegionOptions): Promise<CliRegion> {
  const { entry, kind, clock } = options;
  const counted = countRequests(options.openStore(entry.storage), options.requestsMax);
  const store = createRetriedStore(counted, options);
  const recorded = await readRecordedBucketCount(store, kind);
  const bucketCount = recorded ?? options.bucketCount ?? 0;
  const peers = options.names.filter((name) => name !== entry.name);
  return {
    name: entry.name,
    entry,
    store,
    bucketCount,
    recovery: createRecoveryRegion({ region: entry.name, store, kind, bucketCount, peers }),
    hold: createTableRegionHold({ store }),
    lease: createTableLease({ store, clock, name: 'recovery', holder: options.holder }),
    requests: () => counted.requests(),
    beginRound: () => counted.beginRound(),
  };
}
