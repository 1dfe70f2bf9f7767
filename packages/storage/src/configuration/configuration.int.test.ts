import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';
import { recordBucketCount } from './configuration-table.ts';
import { createConfiguration, seedConfiguration } from './create-configuration.ts';
import { tandemSettings } from './definitions.ts';
import { readPeers } from './read-peers.ts';

let azurite: Azurite | undefined;

beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite?.stop());

test('a region reads its settings and peers from its table', async () => {
  const store = createAzureTableStore({ connectionString: azurite?.connectionString ?? '' });
  const definitions = tandemSettings;
  const clock = { nowMs: () => 0 };
  const configuration = createConfiguration({ store, definitions, clock, refreshMs: 60_000 });
  await expect(configuration.load()).rejects.toThrow(/1 setting is wrong .*ServiceBusConnection/s);
  await seedConfiguration({
    store,
    definitions,
    values: {
      ServiceBusConnection: 'Endpoint=sb://127.0.0.1:5673;SharedAccessKey=x',
      RedundancyServiceBusConnection: 'Endpoint=sb://127.0.0.1:5674;SharedAccessKey=x',
      'Peer.Region': 'west',
      'Customer.Queue': 'kunden',
    },
  });
  await configuration.load();
  expect(configuration.get('Customer.Queue')).toBe('kunden');
  expect(configuration.get('Tombstone.AgeMs')).toBe(90 * 86_400_000);
  expect(readPeers(configuration, 'east')).toMatchObject([{ region: 'west', queue: 'kunden' }]);
  await recordBucketCount(store, { name: 'Devices' }, 16);
  const other = recordBucketCount(store, { name: 'Devices' }, 8);
  await expect(other).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
});
