import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cluster, inventoryOf } from '@tandem/local-cluster';

const FILE = 'tandem.regions.json';
/** It holds keys. */
const OWNER_ONLY = 0o600;

/** Tells the `tandem` command where the regions of this machine are. */
export async function writeInventory(cluster: Cluster): Promise<void> {
  const text = JSON.stringify(inventoryOf(cluster), undefined, 2);
  const file = join(cluster.dataFolder, FILE);
  await writeFile(file, `${text}\n`, { mode: OWNER_ONLY });
  // One that was there keeps its mode.
  await chmod(file, OWNER_ONLY);
}
