export {
  type Cluster,
  type ClusterOptions,
  REGION_NAMES_MAX,
  regionNames,
} from './cluster/cluster.ts';
export type { ClusterEvent, ClusterListener } from './cluster/cluster-event.ts';
export { removeDataFolder } from './cluster/data-folder.ts';
export { inventoryOf } from './cluster/inventory-of.ts';
export type { Region, RegionAddresses } from './cluster/region.ts';
export { RESTART_POLICY, type RestartPolicy } from './cluster/restart-policy.ts';
export { startCluster } from './cluster/start-cluster.ts';
export { LocalClusterError, type LocalClusterErrorCode } from './local-cluster-error.ts';
export {
  parsePortBase,
  PORT_BASE_DEFAULT,
  type PortPlan,
  portsText,
} from './ports/port-plan.ts';
export { reserveFreePorts, type ReservedPorts } from './ports/reserve-ports.ts';
export type { LocalProcess } from './process/local-process.ts';
export { brokerConnection, tablesConnection, urlOf } from './programs/connections.ts';
export {
  PROBING_DEFAULT,
  PROBING_FAST,
  type Probing,
} from './programs/traffic-manager-program.ts';
export { connectingSettings } from './seed/region-settings.ts';
export { listenForStop, type StopSignal } from './stop/listen-for-stop.ts';
