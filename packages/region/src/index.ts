// What the processes of a region share, named one by one.

// What a write has reached, and what a reader waits for.
export {
  type Acknowledgement,
  type AcknowledgementAsked,
  type AcknowledgementLevel,
  type Acknowledgements,
  createAcknowledgements,
  type PeersAsked,
} from './consistency/acknowledgements.ts';
export { createPlaces } from './consistency/places.ts';
export {
  createReceipts,
  decodeReceipt,
  encodeReceipt,
  type ReceiptAnswer,
  type Receipts,
  type WriteReceipt,
  whyForged,
} from './consistency/receipts.ts';
export {
  createVersionGate,
  type Reach,
  type ReadVersion,
  type VersionGate,
  type Wait,
  whyImpossible,
} from './consistency/version-gate.ts';
// Links, tables and settings.
export { createPeerLinks } from './peer-links.ts';
export {
  type PreparedRegion,
  prepareRegion,
  retryOpening,
} from './prepare-region.ts';
export { createQuietLogger } from './quiet-logger.ts';
// Readiness.
export {
  createProcessReadiness,
  createServing,
  type ProcessReadiness,
} from './readiness/process-readiness.ts';
export {
  createRegionReadiness,
  type RegionReadiness,
} from './readiness/region-readiness.ts';
export {
  type DataAccess,
  findRegionProblems,
  type RegionSettings,
  readRegionSettings,
} from './region-settings.ts';
export {
  createRegionTables,
  createTables,
  openRegionStore,
  openStore,
  type RegionTables,
} from './region-tables.ts';
export { measureReplicator } from './replication/replicator-metrics.ts';
// What replicates a region: the duties, in a process of their own.
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
export { createServiceBus } from './replication/service-bus.ts';
