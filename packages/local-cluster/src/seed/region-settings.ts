import type { RegionAddresses } from '../cluster/region.ts';

interface AddressedRegion {
  readonly name: string;
  readonly addresses: Pick<RegionAddresses, 'broker'>;
}

/**
 * The rows of a region's Configuration table that connect it with the others: the two-region form
 * for two, `Peers` for more; alone, a region has no peers.
 */
export function connectingSettings(
  own: AddressedRegion,
  all: readonly AddressedRegion[],
  queue: string,
): Readonly<Record<string, string>> {
  const peers = all.filter(({ name }) => name !== own.name);
  const [first] = peers;
  if (first === undefined) return { 'Customer.DataAccess': 'single-region' };
  const common = {
    'Customer.DataAccess': 'multi-region',
    'Customer.Queue': queue,
    ServiceBusConnection: own.addresses.broker,
  };
  if (peers.length === 1) {
    return {
      ...common,
      'Peer.Region': first.name,
      RedundancyServiceBusConnection: first.addresses.broker,
    };
  }
  const listed = peers.map(({ name, addresses }) => ({
    region: name,
    connection: addresses.broker,
    queue,
  }));
  return { ...common, Peers: JSON.stringify(listed) };
}
