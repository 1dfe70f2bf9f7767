// What a service of a region is built on, named one by one. What only tests need is in `@tandem/region/testing`.

// Connections, tables and settings.
export { createServiceBus, openRegionStore, openStore } from './connections.ts';
// What a write has reached, and what a reader waits for.
export type {
  Acknowledgement,
  AcknowledgementAsked,
  AcknowledgementLevel,
  PeersAsked,
} from './consistency/acknowledgements.ts';
export { createPlaces } from './consistency/places.ts';
export {
  decodeReceipt,
  encodeReceipt,
  type ReceiptAnswer,
  type WriteReceipt,
} from './consistency/receipts.ts';
export type { Reach, Wait } from './consistency/version-gate.ts';
export { createPeerLinks } from './data-access.ts';
export { createRegion, openRegion, type Region } from './open-region.ts';
export { type FoundRegionTable, FREEZE_MS, HOLD_MS, type RegionOpenTable } from './open-tables.ts';
export { type PreparedRegion, prepareRegion } from './prepare-region.ts';
export { type ProcessReadiness, readinessAnswerOf } from './readiness/region-readiness.ts';
export {
  type DeclaredTable,
  defineOpenTable,
  type RegionKinds,
  type RegionOptions,
} from './region-options.ts';
// One region in one process.
export { createRegionService, measureRegion } from './region-service.ts';
// A region served over HTTP.
export {
  findRegionProblems,
  type RegionSettings,
  readRegionSettings,
} from './region-settings.ts';
export {
  type CreateOutcome,
  type Creation,
  type RegionTable,
  versionOf,
} from './region-table.ts';
export { createRegionTables, createTables, type RegionTables } from './region-tables.ts';
// What replicates a region, in a process of its own.
export { measureReplicator } from './replication/replicator-metrics.ts';
export {
  checkSettings,
  createReplicatorProcess,
  type ReplicatorProcess,
} from './replication/replicator-process.ts';
export {
  describeStatus,
  type ReplicatorStatus,
  type ReplicatorView,
} from './replication/replicator-status.ts';
export type { RegionSession, SessionOptions, SessionTable } from './session.ts';
