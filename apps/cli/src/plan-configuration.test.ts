import { createMemoryTableStore } from '@tandem/core/memory';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { expect, test } from 'vitest';
import { planConfiguration } from './commands/rebuild-region.ts';
import type { InventoryRegion } from './inventory/inventory.ts';
import type { CliRegion } from './regions/region.ts';

const entryOf = (name: string, more: Partial<InventoryRegion> = {}): InventoryRegion => ({
  name,
  storage: `memory:${name}`,
  serviceBus: `${name}.servicebus.example`,
  ...more,
});

async function regionOf(
  entry: InventoryRegion,
  values?: Partial<Record<keyof typeof tandemSettings, string>>,
): Promise<CliRegion> {
  const store = createMemoryTableStore();
  if (values !== undefined) {
    await seedConfiguration({ store, definitions: tandemSettings, values });
  }
  // Only what is asked of a region here.
  return { name: entry.name, entry, store } as CliRegion;
}

async function plan(
  entries: readonly InventoryRegion[],
  own?: Partial<Record<keyof typeof tandemSettings, string>>,
) {
  const [target = entryOf('east'), ...others] = entries;
  const sources = await Promise.all(
    others.map((entry) =>
      regionOf(entry, {
        'Tombstone.AgeMs': '7776000000',
        'Customer.Queue': `queue-of-${entry.name}`,
        ServiceBusConnection: 'own.servicebus.example',
        'Peer.Region': 'other',
        RedundancyServiceBusConnection: 'own.servicebus.example',
      }),
    ),
  );
  return planConfiguration({
    target: await regionOf(target, own),
    sources,
    inventory: { version: 1, regions: [...entries] },
  });
}

test('a region without settings is connected to its one peer, and set as that is', async () => {
  expect(await plan([entryOf('east'), entryOf('west')])).toMatchObject({
    ServiceBusConnection: 'east.servicebus.example',
    'Peer.Region': 'west',
    RedundancyServiceBusConnection: 'west.servicebus.example',
    'Tombstone.AgeMs': '7776000000',
    'Customer.Queue': 'queue-of-west',
  });
});

test('what a peer has under an old name is given under the new one', async () => {
  const old = entryOf('west');
  const source = await regionOf(old, {});
  const properties = new Map([['value', { type: 'String' as const, value: 'required' }]]);
  await source.store.commit({
    table: 'Configuration',
    partitionKey: 'Configuration',
    operations: [{ kind: 'insert', rowKey: 'Customer.Preconditions', properties }],
  });
  const target = await regionOf(entryOf('east'));
  const inventory = { version: 1 as const, regions: [target.entry, old] };
  const values = await planConfiguration({ target, sources: [source], inventory });
  expect(values).toHaveProperty(['Api.Preconditions'], 'required');
});

test('a region without settings is connected to all peers, each with its queue if it has another', async () => {
  const north = entryOf('north', { queue: 'others' });
  const values = await plan([entryOf('east'), entryOf('west'), north]);
  expect(values).toMatchObject({
    ServiceBusConnection: 'east.servicebus.example',
    'Customer.Queue': 'queue-of-west',
  });
  expect(JSON.parse(values.Peers ?? '')).toEqual([
    { region: 'west', connection: 'west.servicebus.example' },
    { region: 'north', connection: 'north.servicebus.example', queue: 'others' },
  ]);
  expect(values).not.toHaveProperty('Peer.Region');
});

test('a region that is connected stays connected as it is', async () => {
  const own = { ServiceBusConnection: 'mine.servicebus.example' };
  const values = await plan([entryOf('east'), entryOf('west')], own);
  expect(values).toHaveProperty(['Tombstone.AgeMs'], '7776000000');
  for (const name of ['ServiceBusConnection', 'Peer.Region', 'RedundancyServiceBusConnection']) {
    expect(values).not.toHaveProperty([name]);
  }
});

test('a region alone is connected to nobody, and set as nobody is', async () => {
  expect(await plan([entryOf('east')])).toEqual({
    ServiceBusConnection: 'east.servicebus.example',
    Peers: '[]',
  });
});

test.each(['east', 'west'])('the inventory must name the namespace of %s', async (name) => {
  const { serviceBus: _without, ...silent } = entryOf(name);
  const entries = ['east', 'west'].map((one) => (one === name ? silent : entryOf(one)));
  await expect(plan(entries)).rejects.toThrow(`names no serviceBus for ${name}`);
});
