export {
  type Cluster,
  type ClusterOptions,
  parseRegions,
  REGION_NAMES_MAX,
  REGIONS_TEXT,
  regionNames,
} from './cluster/cluster.ts';
export { inventoryOf, removeDataFolder } from './cluster/data-folder.ts';
export type { Region, RegionAddresses } from './cluster/region.ts';
export { listenForStop, type StopSignal, startCluster } from './cluster/start-cluster.ts';
export {
  type ClusterEvent,
  type ClusterListener,
  RESTART_POLICY,
  type RestartPolicy,
} from './cluster/supervised-process.ts';
export { LocalClusterError, type LocalClusterErrorCode } from './local-cluster-error.ts';
export {
  PORT_BASE_DEFAULT,
  type PortPlan,
  parsePortBase,
  portsText,
  type ReservedPorts,
  reserveFreePorts,
} from './ports/port-plan.ts';
export { EXIT_WITH_PARENT, type LocalProcess } from './process/local-process.ts';
export {
  brokerConnection,
  endpointConnection,
  PROBING_DEFAULT,
  PROBING_FAST,
  type Probing,
  tablesConnection,
  urlOf,
} from './programs/programs.ts';
export { connectingSettings } from './seed/prepare-regions.ts';
