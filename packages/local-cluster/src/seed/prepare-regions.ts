import { NEWEST_WIRE_VERSION, type Properties, type TableStore } from '@tandem/core';
import { ensureQueue } from '@tandem/messaging';
import { createAzureTableStore, seedConfiguration, tandemSettings } from '@tandem/storage';
import type { Region, RegionAddresses } from '../cluster/region.ts';

/** Names the table, and its one partition; a row is a setting, its column `value` the text. */
const CONFIGURATION = 'Configuration';

/** Every process of every region runs this build, so none needs to be spared what it cannot read. */
const ALL_OF_ONE_BUILD = { 'Messages.WireVersion': String(NEWEST_WIRE_VERSION) };

export interface PrepareRegionsOptions {
  readonly queue: string;
  /** Adds rows, as texts; those that are there already stay as they are. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Writes the Configuration table of every region, whose stores must run, and creates the queues,
 * so that no region's first change finds the other's queue missing.
 */
export async function prepareRegions(
  regions: readonly Region[],
  { queue, settings }: PrepareRegionsOptions,
): Promise<void> {
  await Promise.all(
    regions.map(async (region) => {
      const store = createAzureTableStore({ connectionString: region.addresses.tables });
      const values = { ...ALL_OF_ONE_BUILD, ...settings };
      await seedConfiguration({ store, definitions: tandemSettings, values });
      // The addresses of another run do not hold when the ports were chosen anew.
      await replaceSettings(store, connectingSettings(region, regions, queue));
      const { broker, brokerAdmin } = region.addresses;
      await ensureQueue({ connection: broker, administrationConnection: brokerAdmin, queue });
    }),
  );
}

async function replaceSettings(
  store: TableStore,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const operations = Object.entries(settings).map(([rowKey, value]) => {
    const properties: Properties = new Map([['value', { type: 'String', value }]]);
    return { kind: 'upsert', rowKey, properties } as const;
  });
  await store.commit({
    table: CONFIGURATION,
    partitionKey: CONFIGURATION,
    operations,
  });
}

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
