import { type Cluster, PROBING_FAST, type Region, startCluster } from '@tandem/local-cluster';
import { replaceSetting } from '../configuration.ts';
import { type E2eCluster, type E2eOptions, otherThan } from '../e2e-cluster.ts';
import { startTcpRelay, type TcpRelay } from './tcp-relay.ts';

/** The regions of @tandem/local-cluster, with a wire between them that can be cut. */
export async function startProcessCluster(options: E2eOptions): Promise<E2eCluster> {
  const cluster = await startCluster({
    probing: options.probing ?? PROBING_FAST,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  const relays: TcpRelay[] = [];
  const stop = async (): Promise<void> => {
    await cluster.stop();
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
  };
  try {
    for (const region of cluster.regions) relays.push(await leadThroughRelay(cluster, region));
    await Promise.all(cluster.regions.map((region) => restartServices(region)));
  } catch (error) {
    await stop();
    throw error;
  }
  const { regions, trafficManager, trafficManagerUrl, logFolder } = cluster;
  return {
    backend: 'processes',
    regions,
    trafficManager,
    trafficManagerUrl,
    logFolder,
    region: (name) => cluster.region(name),
    cut: async () => relays.forEach((relay) => relay.cut()),
    heal: async () => relays.forEach((relay) => relay.heal()),
    upgrade: restartServices,
    stop,
  };
}

/** Sends what the region has for its peer through a relay to the peer's broker. */
async function leadThroughRelay(cluster: Cluster, region: Region): Promise<TcpRelay> {
  const { broker } = cluster.region(otherThan(region.name)).addresses;
  const [, port] = /^Endpoint=sb:\/\/127\.0\.0\.1:(\d+);/.exec(broker) ?? [];
  if (port === undefined) throw new Error(`no port in the broker's address ${broker}`);
  const relay = await startTcpRelay(Number(port));
  await replaceSetting(
    region.addresses.tables,
    'RedundancyServiceBusConnection',
    broker.replace(`127.0.0.1:${port}`, `127.0.0.1:${relay.port}`),
  );
  return relay;
}

async function restartServices(region: Region): Promise<void> {
  const services = [region.api, region.replicator];
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all(services.map((service) => service.start()));
  await region.untilReady();
}
