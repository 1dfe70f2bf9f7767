import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '@tandem/local-cluster';

const FILE = 'tandem.regions.json';

/** Tells the `tandem` command where the regions of this machine are. */
export async function writeInventory(cluster: Cluster): Promise<void> {
  const regions = cluster.regions.map(({ name, addresses }) => ({
    name,
    storage: addresses.tables,
    serviceBus: addresses.broker,
    serviceBusAdministration: addresses.brokerAdmin,
    api: addresses.api,
    replicator: addresses.replicator,
  }));
  const inventory = { version: 1, regions, trafficManager: cluster.trafficManagerUrl };
  await writeFile(join(cluster.dataFolder, FILE), `${JSON.stringify(inventory, undefined, 2)}\n`);
}
