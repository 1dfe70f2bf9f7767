import type { Cluster } from './cluster.ts';

/** What the `tandem` command needs to find the regions: the content of its inventory. */
export function inventoryOf({
  regions,
  trafficManagerUrl,
}: Pick<Cluster, 'regions' | 'trafficManagerUrl'>): object {
  return {
    version: 1,
    regions: regions.map(({ name, addresses }) => ({
      name,
      storage: addresses.tables,
      serviceBus: addresses.broker,
      serviceBusAdministration: addresses.brokerAdmin,
      api: addresses.api,
      replicator: addresses.replicator,
    })),
    trafficManager: trafficManagerUrl,
  };
}
