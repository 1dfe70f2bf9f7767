import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cluster, inventoryOf } from '@tandem/local-cluster';

const FILE = 'tandem.regions.json';

/** Tells the `tandem` command where the regions of this machine are. */
export async function writeInventory(cluster: Cluster): Promise<void> {
  const text = JSON.stringify(inventoryOf(cluster), undefined, 2);
  await writeFile(join(cluster.dataFolder, FILE), `${text}\n`);
}
