import type { Properties } from '@tandem/core';
import { createAzureTableStore, seedConfiguration, tandemSettings } from '@tandem/storage';
import { otherThan, QUEUE } from './e2e-cluster.ts';

const CONFIGURATION = 'Configuration';

export interface RegionBrokers {
  /** Connection string, as the region's services see it. */
  readonly own: string;
  readonly peer: string;
}

/** The rows of a region's Configuration table, in the two-region form. */
export function settingsOf(region: string, brokers: RegionBrokers): Record<string, string> {
  return {
    'Customer.DataAccess': 'multi-region',
    'Customer.Queue': QUEUE,
    'Messages.WireVersion': '3',
    ServiceBusConnection: brokers.own,
    'Peer.Region': otherThan(region),
    RedundancyServiceBusConnection: brokers.peer,
  };
}

export async function seed(
  tables: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const store = createAzureTableStore({ connectionString: tables });
  await seedConfiguration({ store, definitions: tandemSettings, values });
}

/** Writes a row over the one that is there; the services read it when they start. */
export async function replaceSetting(
  tables: string,
  setting: string,
  value: string,
): Promise<void> {
  const store = createAzureTableStore({ connectionString: tables });
  const properties: Properties = new Map([['value', { type: 'String', value }]]);
  await store.commit({
    table: CONFIGURATION,
    partitionKey: CONFIGURATION,
    operations: [{ kind: 'upsert', rowKey: setting, properties }],
  });
}
