import {
  CATALOG_BUCKET_COUNT,
  type Clock,
  catalogKind,
  createHybridClock,
  type Randomness,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createSystemClock, createSystemRandomness } from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  createOpenTable,
  createReplicatedTable,
  createStateTable,
  createTableArchive,
  createTableCatalogue,
} from '@tandem/storage';
import { createRegionServedTables } from '../region-tables.ts';
import type { ServedTables } from '../served-tables.ts';

export interface LocalTablesOptions {
  /** A store in memory by default. */
  readonly store?: TableStore;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

const BUCKET_COUNT = 4;
const WIRE_VERSION = 4;
const DELETED_KEEP_MS = 7 * 86_400_000;

/** Opens the tables of a region that has no peers, by the parts that every region is made of. */
export async function openLocalTables(options: LocalTablesOptions = {}): Promise<ServedTables> {
  const { store = createMemoryTableStore(), clock = createSystemClock() } = options;
  const { randomness = createSystemRandomness() } = options;
  for (const table of [rowsKind.name, catalogKind.name, ARCHIVE_TABLE]) {
    await store.createTable(table);
  }
  const common = {
    store,
    clock,
    randomness,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'w0000001',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    peers: [],
    wireVersion: WIRE_VERSION,
    onCommitted: () => undefined,
  };
  const rows = { ...common, kind: rowsKind, bucketCount: BUCKET_COUNT };
  const states = createStateTable(rows);
  const catalogued = { ...common, kind: catalogKind, bucketCount: CATALOG_BUCKET_COUNT };
  return createRegionServedTables({
    catalogue: createTableCatalogue({
      store,
      // A deletion waits for the other processes of its region: there is none.
      clock: { ...clock, nowMs: () => clock.nowMs(), sleep: async () => undefined },
      table: createReplicatedTable(catalogued),
      keepMs: () => DELETED_KEEP_MS,
    }),
    openRows: (tableId, { policy }) => createOpenTable({ ...rows, states, tableId, policy }),
    syncedAt: async () => new Date(clock.nowMs()),
  });
}
