import { createHash } from 'node:crypto';
import {
  type Clock,
  type Digest,
  type EntityKind,
  type Lease,
  type Randomness,
  type RecoveryRegion,
  type RegionHold,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import type { customerKind } from '@tandem/core/customers';
import {
  createRecoveryRegion,
  createRetriedStore,
  createTableLease,
  createTableRegionHold,
  readRecordedBucketCount,
} from '@tandem/storage';
import type { InventoryRegion } from '../inventory/inventory.ts';
import { UsageError } from '../usage-error.ts';
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

interface CountedStore extends TableStore {
  requests(): number;
  /** Begins to count anew, for work that goes on round by round. */
  beginRound(): void;
}

/** Counts what is asked of a store, since the service bills it, and refuses more than the bound. */
export function countRequests(store: TableStore, requestsMax: number): CountedStore {
  let requests = 0;
  const count = async <T>(ask: () => Promise<T>): Promise<T> => {
    requests += 1;
    if (requests > requestsMax) {
      throw new TerminalError(
        'RECOVERY_REFUSED',
        `It would take more than ${requestsMax} requests to one region. Raise --requests-max, or do ` +
          'it bucket by bucket with --bucket.',
      );
    }
    return ask();
  };
  return {
    requests: () => requests,
    beginRound: () => void (requests = 0),
    createTable: (table) => count(() => store.createTable(table)),
    get: (table, partitionKey, rowKey) => count(() => store.get(table, partitionKey, rowKey)),
    commit: (transaction) => count(() => store.commit(transaction)),
    query: (range) => count(() => store.query(range)),
  };
}

/** The bucket that was asked for, or all of them. Throws `UsageError` for one that there is not. */
export function chooseBuckets(
  buckets: readonly string[],
  wanted: string | undefined,
): readonly string[] {
  if (wanted === undefined) return buckets;
  if (buckets.includes(wanted)) return [wanted];
  throw new UsageError(
    `There is no bucket "${wanted}"; there are ${buckets[0]} to ${buckets.at(-1)}.`,
  );
}

export type CustomerKind = typeof customerKind;

/** SHA-256, cut to 16 hex digits: it is compared by people, and nobody tries to forge it. */
export function createSha256Digest(): Digest {
  const hash = createHash('sha256');
  return {
    update: (text) => void hash.update(text),
    hex: () => hash.digest('hex').slice(0, DIGITS),
  };
}

const DIGITS = 16;
