import { rename } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, LocalProcess } from '@tandem/local-cluster';

const START_TRIES_MAX = 60;
const RETRY_MS = 1_000;

/** Every process of the cluster, by its name. */
export function processesByName({
  regions,
  trafficManager,
}: Pick<Cluster, 'regions' | 'trafficManager'>): Map<string, LocalProcess> {
  const all = regions.flatMap(({ api, replicator, tableEndpoint, store, broker }) => [
    api,
    replicator,
    tableEndpoint,
    store,
    broker,
  ]);
  return new Map([...all, trafficManager].map((one) => [one.name, one]));
}

/** Keeps the log of the run that ended: the next start of the process would write over it. */
export async function keepLog(process: LocalProcess, ending: number): Promise<void> {
  await rename(process.logFile, process.logFile.replace(/\.log$/, `.${ending}.log`)).catch(
    (error: NodeJS.ErrnoException) => {
      // Nothing was printed since the last end.
      if (error.code !== 'ENOENT') throw error;
    },
  );
}

/** A process that stands on another one may fail to start while that is down: it is tried again. */
export async function startAgain(process: LocalProcess): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await process.start();
    } catch (error) {
      if (tries >= START_TRIES_MAX) throw error;
      await delay(RETRY_MS);
    }
  }
}
