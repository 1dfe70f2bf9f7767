import { randomUUID } from 'node:crypto';
import { type ContainerNetwork, type Runtime, runLabels, settled } from './runtime.ts';

/** A network for each region, and one that joins them. */
export interface Networks {
  readonly regions: ReadonlyMap<string, ContainerNetwork>;
  readonly between: ContainerNetwork;
  connect(network: ContainerNetwork, containerId: string, alias: string): Promise<void>;
  disconnect(network: ContainerNetwork, containerId: string): Promise<void>;
  remove(): Promise<void>;
}

/**
 * The one in between is internal: an engine publishes the ports of a container through one of its
 * networks that leads out, and that must not be the one that is cut.
 */
export async function createNetworks(
  { network }: Runtime,
  names: readonly string[],
): Promise<Networks> {
  const run = randomUUID().slice(0, 8);
  const made: ContainerNetwork[] = [];
  const create = async (name: string, isInternal: boolean): Promise<ContainerNetwork> => {
    const created = await network.create({
      Name: `tandem-${run}-${name}`,
      Driver: 'bridge',
      Internal: isInternal,
      Labels: runLabels(),
    });
    made.push(created);
    return created;
  };
  const regions = new Map<string, ContainerNetwork>();
  for (const name of names) regions.set(name, await create(name, false));
  return {
    regions,
    between: await create('between', true),
    connect: (to, Container, alias) =>
      settled(to.connect({ Container, EndpointConfig: { Aliases: [alias] } })),
    disconnect: (from, Container) => settled(from.disconnect({ Container, Force: true })),
    async remove() {
      for (const one of made) await settled(one.remove());
    },
  };
}
