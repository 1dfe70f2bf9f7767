// What tests need besides: the parts of a region, and replicators over Azurite and the Service Bus emulator.

export { createSources, type OpenSource } from '../connections.ts';
export { type Acknowledgements, createAcknowledgements } from '../consistency/acknowledgements.ts';
export { createReceipts, whyForged } from '../consistency/receipts.ts';
export { createVersionGate, type ReadVersion, whyImpossible } from '../consistency/version-gate.ts';
export {
  createOpenTables,
  type OpenTables as RegionOpenTables,
  type OpenTablesOptions as RegionOpenTablesOptions,
} from '../open-tables.ts';
export { readRegionSettings } from '../region-settings.ts';
export { createRegionTable } from '../region-table.ts';
export { createCopyDuty } from '../replication/duties/copy-duty.ts';
export { createMirrorDuty } from '../replication/duties/mirror-duty.ts';
export type { Duty } from '../replication/duties/run-duties.ts';
export { memoryBusOf } from './memory-bus.ts';
export { createWorld, drive, regionOf } from './memory-world.ts';
export { type RealRegion, startReplicator, startTwoRealRegions } from './real-region.ts';
export { recordLog } from './record-log.ts';
export { until } from './until.ts';
export {
  countCustomers,
  untilCount,
  untilRelayed,
  writeCustomers,
} from './write-customers.ts';
