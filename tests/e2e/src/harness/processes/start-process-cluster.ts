import { type Cluster, PROBING_FAST, type Region, startCluster } from '@tandem/local-cluster';
import { replaceSettings, settingsOf } from '../configuration.ts';
import type { E2eCluster, E2eOptions } from '../e2e-cluster.ts';
import { startTcpRelay, type TcpRelay } from './tcp-relay.ts';

/** The regions of @tandem/local-cluster, with wires between them that can be cut. */
export async function startProcessCluster(options: E2eOptions): Promise<E2eCluster> {
  const cluster = await startCluster({
    probing: options.probing ?? PROBING_FAST,
    ...(options.regions === undefined ? {} : { regions: options.regions }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  const relays: TcpRelay[] = [];
  const stop = async (): Promise<void> => {
    await cluster.stop();
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
  };
  try {
    for (const region of cluster.regions) {
      const own = await startRelays(cluster, region);
      relays.push(...own.map(({ relay }) => relay));
      await leadThrough(region, own);
    }
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
    rollBack: restartServices,
    stop,
  };
}

interface PeerRelay {
  readonly peer: string;
  /** Of the peer's broker, as it is reached through the relay. */
  readonly broker: string;
  readonly relay: TcpRelay;
}

/** A wire of its own from the region to each of its peers' brokers. */
async function startRelays(cluster: Cluster, { name }: Region): Promise<readonly PeerRelay[]> {
  const peers = cluster.regions.filter((region) => region.name !== name);
  return Promise.all(
    peers.map(async ({ name: peer, addresses: { broker } }) => {
      const [, port] = /^Endpoint=sb:\/\/127\.0\.0\.1:(\d+);/.exec(broker) ?? [];
      if (port === undefined) throw new Error(`no port in the broker's address ${broker}`);
      const relay = await startTcpRelay(Number(port));
      const through = broker.replace(`127.0.0.1:${port}`, `127.0.0.1:${relay.port}`);
      return { peer, broker: through, relay };
    }),
  );
}

/** Sends what the region has for its peers through the relays. */
async function leadThrough(
  { name, addresses }: Region,
  relays: readonly PeerRelay[],
): Promise<void> {
  const peers = relays.map(({ peer, broker }) => [peer, broker]);
  const brokers = { [name]: addresses.broker, ...Object.fromEntries(peers) };
  await replaceSettings(addresses.tables, settingsOf(name, brokers));
}

async function restartServices(region: Region): Promise<void> {
  const services = [region.api, region.replicator];
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all(services.map((service) => service.start()));
  await region.untilReady();
}
