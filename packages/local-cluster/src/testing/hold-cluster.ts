// Starts a cluster, tells its parent what belongs to it, and waits for its own end.
import { startCluster } from '../cluster/start-cluster.ts';
import type { LocalProcess } from '../process/local-process.ts';

const cluster = await startCluster();
const [first] = cluster.regions;
// The worst case: one that cannot notice anything.
await first?.replicator.pause();
const processes: LocalProcess[] = [
  cluster.trafficManager,
  ...cluster.regions.flatMap(({ api, replicator, store, broker }) => [
    api,
    replicator,
    store,
    broker,
  ]),
];
process.send?.({
  portBase: cluster.portBase,
  dataFolder: cluster.dataFolder,
  pids: processes.map(({ pid }) => pid),
});
