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
import { createPatience, type Patience } from './patience.ts';

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
  /** With its namespace. */
  readonly busPatience: Patience;
  requests(): number;
  /** Begins to count requests anew, and to wait for what was given up. */
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
  /** For how long it may say nothing while it is asked. */
  readonly silenceMsMax: number;
  /** For a region whose tables are gone. */
  readonly bucketCount?: number;
}

/** Reads how many buckets the region has; throws what its store throws. */
export async function openCliRegion(options: OpenCliRegionOptions): Promise<CliRegion> {
  const { entry, kind, clock } = options;
  const { silenceMsMax } = options;
  const patience = createPatience({
    what: `The table store of ${entry.name}`,
    code: 'TABLE_UNAVAILABLE',
    clock,
    silenceMsMax,
  });
  const busPatience = createPatience({
    what: `The namespace of ${entry.name}`,
    code: 'BUS_UNAVAILABLE',
    clock,
    silenceMsMax,
  });
  const counted = countRequests(
    patience.listen(options.openStore(entry.storage)),
    options.requestsMax,
  );
  const store = patience.hurry(createRetriedStore(counted, options));
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
    busPatience,
    requests: () => counted.requests(),
    beginRound() {
      counted.beginRound();
      patience.beginRound();
      busPatience.beginRound();
    },
  };
}
