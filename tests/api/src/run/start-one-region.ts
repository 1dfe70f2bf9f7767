import { startCluster } from '@tandem/local-cluster';

export interface OneRegion {
  readonly url: string;
  readonly port: number;
  /** Of the process of its customer API. */
  readonly pid: number;
  /** Of its processes that ended though nobody asked for it. */
  readonly crashes: readonly string[];
  stop(): Promise<void>;
}

/** A region of its own: the real processes, over Azurite. */
export async function startOneRegion(): Promise<OneRegion> {
  const crashes: string[] = [];
  const cluster = await startCluster({
    regions: ['east'],
    onEvent: (event) => {
      if (event.kind === 'ended') crashes.push(event.message);
    },
  });
  const { api, addresses } = cluster.region('east');
  return {
    url: addresses.api,
    port: Number(new URL(addresses.api).port),
    pid: api.pid ?? 0,
    crashes,
    stop: () => cluster.stop(),
  };
}
