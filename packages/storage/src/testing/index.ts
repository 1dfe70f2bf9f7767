// What tests, simulation and benchmarks need besides, of what is inside and of what stands in for a region.
export { COMMIT_TIMEOUT_MS, READ_TIMEOUT_MS } from '../azure/azure-table-store.ts';
export { describeSettings } from '../configuration/resolve-settings.ts';
export { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
export { createTableRowScanner } from '../recovery/recovery-region.ts';
export { listReplayTables, writeReplayRecord } from '../recovery/replay-into-table.ts';
export { HORIZON_PARTITION } from '../retention/horizon-rows.ts';
export { ROW_MEMORY_BYTES_DEFAULT } from '../tables/row-memory.ts';
export { UNTOLD_PREFIX } from '../tables/table-conflict-journal.ts';
// An entity kind that is not a customer.
export { deviceKind } from './device-kind.ts';
// Stores and buses that fail when they are told to.
export { createFaultyBus, type FaultyBus } from './faulty-bus.ts';
export { createFaultyStore, type FaultyStore, type StoreFault } from './faulty-store.ts';
// Regions in memory, and what recovery sees of them.
export {
  createMemoryRegion,
  idInBucket,
  MEMORY_BUCKET_COUNT,
  MEMORY_GRACE_MS,
  MEMORY_READINESS,
  type MemoryRegion,
  type MemoryRegionOptions,
  readRows,
} from './memory-region.ts';
export {
  createTestDigest,
  emptyTable,
  expectReplayable,
  MEMORY_TOMBSTONE_AGE_MS,
  purgeQueue,
  recoveryRegionOf,
  recoveryRegionsOf,
  verifyTwo,
} from './recovery-regions.ts';
// The table service on this machine.
export {
  type Azurite,
  type AzuriteOptions,
  azuriteConnectionString,
  startAzurite,
} from './start-azurite.ts';
export {
  createMemoryRegions,
  createTwoRegions,
  type MemoryRegions,
  type TwoRegions,
} from './two-regions.ts';
