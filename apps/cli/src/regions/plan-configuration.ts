import { environmentNameOf, tandemSettings } from '@tandem/storage';
import type { Inventory, InventoryRegion } from '../inventory/inventory.ts';
import { UsageError } from '../usage-error.ts';
import type { CliRegion, Named } from './region.ts';
import { readSettingText } from './region.ts';

export interface PlanConfigurationOptions {
  readonly target: CliRegion;
  readonly sources: readonly CliRegion[];
  readonly inventory: Inventory;
}

/** These are the region's own; all others are as its peers have them. */
const CONNECTING: ReadonlySet<string> = new Set([
  'ServiceBusConnection',
  'RedundancyServiceBusConnection',
  'Peer.Region',
  'Peers',
]);

/**
 * Plans the settings of a region that has none: those that connect it from the inventory, the others as a
 * peer has them. Throws `UsageError` where the inventory says too little.
 */
export async function planConfiguration(
  options: PlanConfigurationOptions,
): Promise<Partial<Record<Named, string>>> {
  const { target, sources, inventory } = options;
  const values: Partial<Record<Named, string>> = {};
  const [source] = sources;
  for (const setting of Object.keys(tandemSettings) as Named[]) {
    if (CONNECTING.has(setting) || source === undefined) continue;
    const text = await readSettingText(source, setting);
    if (text !== undefined) values[setting] = text;
  }
  if ((await readSettingText(target, 'ServiceBusConnection')) === undefined) {
    Object.assign(values, connecting(target.entry, inventory));
  }
  return values;
}

function connecting(own: InventoryRegion, { regions }: Inventory): Record<string, string> {
  const peers = regions.filter(({ name }) => name !== own.name);
  const ServiceBusConnection = connectionOf(own);
  const [first] = peers;
  if (first !== undefined && peers.length === 1) {
    return {
      ServiceBusConnection,
      'Peer.Region': first.name,
      RedundancyServiceBusConnection: connectionOf(first),
    };
  }
  const listed = peers.map((peer) => ({
    region: peer.name,
    connection: connectionOf(peer),
    ...(peer.queue === undefined ? {} : { queue: peer.queue }),
  }));
  return { ServiceBusConnection, Peers: JSON.stringify(listed) };
}

function connectionOf({ name, serviceBus }: InventoryRegion): string {
  if (serviceBus !== undefined) return serviceBus;
  throw new UsageError(
    `The inventory names no serviceBus for ${name}, and the settings of the new region need it. Add it, ` +
      `or set ${environmentNameOf('ServiceBusConnection')} and the peers in its Configuration first.`,
  );
}
