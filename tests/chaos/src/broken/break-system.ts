import { setTimeout as delay } from 'node:timers/promises';
import type { Urls } from '../clients/perform.ts';
import { purgeQueue } from '../cluster/queue-administration.ts';
import type { ChaosCluster } from '../cluster/start-chaos-cluster.ts';
import { unknownKind } from '../unknown-kind.ts';
import type { Breakage } from './breakage.ts';
import { startSwallowingProxy } from './start-swallowing-proxy.ts';

export interface BrokenSystem {
  /** Where the clients are to send their requests. */
  readonly urls: Urls;
  /** Ends what breaks it; what it has broken stays so. */
  stop(): Promise<void>;
}

const PURGE_EVERY_MS = 1_000;
const SLEEP_MS = 4_000;

/** Breaks what the product promises, behind its back; does nothing when there is no breakage. */
export async function breakSystem(
  breakage: Breakage | undefined,
  { cluster }: ChaosCluster,
  urls: Urls,
): Promise<BrokenSystem> {
  switch (breakage) {
    case undefined:
      return { urls, stop: async () => undefined };
    case 'swallow': {
      const { east } = urls;
      if (east === undefined) throw new Error('there is no region east');
      const proxy = await startSwallowingProxy(east);
      return { urls: { ...urls, east: proxy.url }, stop: () => proxy.close() };
    }
    case 'purge': {
      const { replicator, addresses } = cluster.region('west');
      const stopping = new AbortController();
      const wait = (ms: number): Promise<unknown> =>
        delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
      const purging = (async () => {
        while (!stopping.signal.aborted) {
          await replicator.pause();
          await wait(SLEEP_MS);
          await purgeQueue(addresses.brokerAdmin);
          replicator.resume();
          await wait(PURGE_EVERY_MS);
        }
      })();
      const stop = async (): Promise<void> => {
        stopping.abort();
        await purging;
      };
      return { urls, stop };
    }
    default:
      return unknownKind(breakage);
  }
}
