import { setTimeout as delay } from 'node:timers/promises';
import type { Urls } from '../clients/perform.ts';
import { purgeQueue } from '../cluster/queue-administration.ts';
import type { ChaosCluster } from '../cluster/start-chaos-cluster.ts';
import { unknownKind } from '../unknown-kind.ts';
import type { Breakage } from './breakage.ts';
import { lieOfCustomer, lieOfRow, startSwallowingProxy } from './start-swallowing-proxy.ts';

export interface Addresses {
  /** Where the clients of the REST API are to send their requests. */
  readonly urls: Urls;
  /** What the clients of Table Storage connect by, by region. */
  readonly endpoints: Readonly<Record<string, string>>;
}

export interface BrokenSystem extends Addresses {
  /** Ends what breaks it; what it has broken stays so. */
  stop(): Promise<void>;
}

const PURGE_EVERY_MS = 1_000;
const SLEEP_MS = 4_000;

/** Breaks what the product promises, behind its back; does nothing when there is no breakage. */
export async function breakSystem(
  breakage: Breakage | undefined,
  { cluster }: ChaosCluster,
  addresses: Addresses,
): Promise<BrokenSystem> {
  switch (breakage) {
    case undefined:
      return { ...addresses, stop: async () => undefined };
    case 'swallow': {
      const { urls, endpoints } = addresses;
      const { east } = urls;
      const tables = /(?<=TableEndpoint=)http:\/\/[^/]+/.exec(endpoints['east'] ?? '')?.[0];
      if (east === undefined || tables === undefined) throw new Error('there is no region east');
      const proxies = await Promise.all([
        startSwallowingProxy(east, lieOfCustomer),
        startSwallowingProxy(tables, lieOfRow),
      ]);
      const [ofApi, ofTables] = proxies;
      return {
        urls: { ...urls, east: ofApi.url },
        endpoints: { ...endpoints, east: endpoints['east']?.replace(tables, ofTables.url) ?? '' },
        stop: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
      };
    }
    case 'purge': {
      const { replicator, addresses: ofWest } = cluster.region('west');
      const stopping = new AbortController();
      const wait = (ms: number): Promise<unknown> =>
        delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
      const purging = (async () => {
        while (!stopping.signal.aborted) {
          await replicator.pause();
          await wait(SLEEP_MS);
          // A broker that is down, frozen or on its way up has its turn the next time.
          await purgeQueue(ofWest.brokerAdmin).catch(() => undefined);
          replicator.resume();
          await wait(PURGE_EVERY_MS);
        }
      })();
      const stop = async (): Promise<void> => {
        stopping.abort();
        await purging;
      };
      return { ...addresses, stop };
    }
    default:
      return unknownKind(breakage);
  }
}
