// Whole regions for tests: replicators over Azurite and the Service Bus emulator, each of which can be stopped.
export { type RealRegion, startReplicator, startTwoRealRegions } from './real-region.ts';
export { recordLog } from './record-log.ts';
export { until } from './until.ts';
export {
  countCustomers,
  untilCount,
  untilRelayed,
  writeCustomers,
} from './write-customers.ts';
