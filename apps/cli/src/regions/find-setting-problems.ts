import { AppError, type Clock } from '@tandem/core';
import { readRegionSettings } from '@tandem/region-kit';
import {
  createConfiguration,
  environmentNameOf,
  readConfigurationRows,
  tandemSettings,
} from '@tandem/storage';
import type { CliRegion } from './cli-region.ts';
import { readSpokenPeers } from './read-peer-names.ts';

export interface SettingFindings {
  /** What would keep the services of the region from starting. */
  readonly problems: readonly string[];
  /** Settings that the table lacks and the services have, for they run: from their environment. */
  readonly elsewhere: readonly string[];
}

type Named = keyof typeof tandemSettings;

const REFRESH_MS = 3_600_000;

/** The environment of the services is not seen here; that they run says that it has what the table lacks. */
export async function findSettingProblems(
  { name, store }: Pick<CliRegion, 'name' | 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<SettingFindings> {
  const peers = await readSpokenPeers({ store }, clock);
  const standIns = peers === undefined ? new Map() : await standInsFor(store, peers);
  const overrides = Object.fromEntries(
    [...standIns].map(([setting, text]) => [environmentNameOf(setting), text]),
  );
  const definitions = tandemSettings;
  const options = { store, definitions, clock, refreshMs: REFRESH_MS, overrides };
  const configuration = createConfiguration(options);
  const elsewhere = [...standIns.keys()];
  try {
    await configuration.load();
    readRegionSettings(configuration, name);
    return { problems: [], elsewhere };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'CONFIGURATION_INVALID') throw error;
    return { problems: [error.message], elsewhere };
  }
}

/** Something well formed for what the table lacks and a region cannot start without. */
async function standInsFor(
  store: CliRegion['store'],
  peers: readonly string[],
): Promise<ReadonlyMap<Named, string>> {
  const rows = await readConfigurationRows(store);
  const lacks = (setting: Named): boolean => (rows.get(setting) ?? '') === '';
  const connectionOf = (region: string): string => `${region}.environment.invalid`;
  const standIns = new Map<Named, string>();
  if (lacks('ServiceBusConnection')) standIns.set('ServiceBusConnection', connectionOf('own'));
  if (!lacks('Peers') || !(lacks('Peer.Region') || lacks('RedundancyServiceBusConnection'))) {
    return standIns;
  }
  const listed = peers.map((region) => ({ region, connection: connectionOf(region) }));
  if (listed.length > 0) standIns.set('Peers', JSON.stringify(listed));
  else if (lacks('Customer.DataAccess')) standIns.set('Customer.DataAccess', 'single-region');
  return standIns;
}
