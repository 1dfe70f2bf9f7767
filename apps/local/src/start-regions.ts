// The regions of this machine as a person gets them: where they are and what runs of each is written down beside their
// data, and one that was killed stays down for as long as its loss takes to be watched.
import {
  type Cluster,
  type ClusterOptions,
  RESTART_POLICY,
  startCluster,
} from '@tandem/local-cluster';
import { forgetProcesses, writeInventory, writeProcesses } from './report/describe-cluster.ts';

export interface LocalRegions {
  readonly cluster: Cluster;
  /** Is the file that tells `tandem` where they are. */
  readonly inventory: string;
  /** Resolves when nothing of them is left, as `stop` of the cluster does. */
  stop(): Promise<void>;
}

/**
 * The traffic manager needs a minute to miss a region and to have its clients sent elsewhere, and a page of the console
 * ten seconds to tell of it.
 */
const KILLED_MS = 90_000;

/** Starts the regions as `startCluster` does, and throws what that throws. */
export async function startRegions(
  options: Omit<ClusterOptions, 'restart'> = {},
): Promise<LocalRegions> {
  let started: Cluster | undefined;
  const cluster = await startCluster({
    ...options,
    restart: { ...RESTART_POLICY, killedMs: KILLED_MS },
    onEvent: (event) => {
      options.onEvent?.(event);
      if (started !== undefined) writeProcesses(started);
    },
  });
  started = cluster;
  writeProcesses(cluster);
  return {
    cluster,
    inventory: await writeInventory(cluster),
    async stop() {
      started = undefined;
      await cluster.stop();
      await forgetProcesses(cluster);
    },
  };
}
