import type { Properties } from '@tandem/core';
import { connectingSettings } from '@tandem/local-cluster';
import { createAzureTableStore, seedConfiguration, tandemSettings } from '@tandem/storage';
import { QUEUE } from './e2e-cluster.ts';

const CONFIGURATION = 'Configuration';

/** Connection strings of all regions' brokers, by region, as the services of one of them see them. */
export type BrokersSeen = Readonly<Record<string, string>>;

/** The rows of a region's Configuration table that connect it with the others. */
export function settingsOf(region: string, brokers: BrokersSeen): Readonly<Record<string, string>> {
  const all = Object.entries(brokers).map(([name, broker]) => ({ name, addresses: { broker } }));
  const own = all.find(({ name }) => name === region);
  if (own === undefined) throw new Error(`there is no broker of ${region}`);
  return { 'Messages.WireVersion': '3', ...connectingSettings(own, all, QUEUE) };
}

export async function seed(
  tables: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const store = createAzureTableStore({ connectionString: tables });
  await seedConfiguration({ store, definitions: tandemSettings, values });
}

/** Writes rows over those that are there; the services read them when they start. */
export async function replaceSettings(
  tables: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const store = createAzureTableStore({ connectionString: tables });
  const operations = Object.entries(values).map(([rowKey, value]) => {
    const properties: Properties = new Map([['value', { type: 'String', value }]]);
    return { kind: 'upsert', rowKey, properties } as const;
  });
  await store.commit({ table: CONFIGURATION, partitionKey: CONFIGURATION, operations });
}
