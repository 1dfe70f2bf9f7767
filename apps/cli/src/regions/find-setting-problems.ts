import { AppError, type Clock, type EntityKind } from '@tandem/core';
import { readRegionSettings } from '@tandem/region';
import {
  describeOtherCount,
  describeSettingProblem,
  findOldNames,
  type OldSettingName,
  readConfigurationRows,
  readRecordedBucketCount,
  resolveSettings,
  type TandemConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { readOverridden, readSpokenPeers } from './read-peer-names.ts';
import type { CliRegion, Named } from './region.ts';

export interface SettingFindings {
  /** What would keep the services of the region from starting. */
  readonly problems: readonly string[];
  /** Settings that the table lacks and the services have, for they run: from their environment. */
  readonly elsewhere: readonly string[];
  /** What stands in the table under a former name. */
  readonly old: readonly OldSettingName[];
  /** Settings that the environment of its running replicator overrides, as that says. */
  readonly overridden: readonly string[];
}

/** What the peers of a region are made of. */
const PEER_SETTINGS: readonly Named[] = [
  'Customer.DataAccess',
  'Customer.Queue',
  'Peers',
  'Peer.Region',
  'RedundancyServiceBusConnection',
];

export interface FindSettingProblemsOptions {
  readonly kind: Pick<EntityKind, 'name'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** What the table would hold, by names; undefined where it would hold nothing. */
  readonly changed?: ReadonlyMap<string, string | undefined>;
  /** Takes nothing for given by an environment: whoever starts next has the table alone. */
  readonly isTableAlone?: boolean;
}

/**
 * Asks of the table what a start asks of it, and writes nothing. The environment of the services is not seen
 * here; that they run says that it has what the table lacks.
 */
export async function findSettingProblems(
  { name, store }: Pick<CliRegion, 'name' | 'store'>,
  { kind, clock, changed = new Map(), isTableAlone = false }: FindSettingProblemsOptions,
): Promise<SettingFindings> {
  const rows = new Map(await readRows(store));
  for (const [setting, text] of changed) {
    if (text === undefined) rows.delete(setting);
    else rows.set(setting, text);
  }
  const peers = isTableAlone ? undefined : await readSpokenPeers({ store }, clock);
  const standIns = peers === undefined ? new Map<string, string>() : standInsFor(rows, peers);
  const elsewhere = [...standIns.keys()];
  const { values, problems } = resolveSettings(tandemSettings, [
    (name) => standIns.get(name),
    (name) => rows.get(name),
  ]);
  const malformed = new Set(problems.map(({ setting }) => setting));
  const configuration = { get: (setting: string) => values.get(setting) };
  // Of what is malformed itself nothing further can be told.
  const ofPeers = PEER_SETTINGS.some((setting) => malformed.has(setting))
    ? []
    : problemsOf(name, configuration as Pick<TandemConfiguration, 'get'>);
  const recorded = await readRecordedBucketCount(store, kind);
  const asked = values.get('Tables.BucketCount');
  const isOther =
    typeof asked === 'number' &&
    recorded !== undefined &&
    recorded !== asked &&
    values.get('Customer.DataAccess') !== 'memory';
  return {
    problems: [
      ...problems.map((one) => describeSettingProblem(tandemSettings, one)),
      ...ofPeers,
      ...(isOther ? [describeOtherCount(kind, asked, String(recorded))] : []),
    ],
    elsewhere,
    old: findOldNames(tandemSettings, (name) => rows.get(name)),
    overridden: await readOverridden({ store }, clock),
  };
}

/**
 * Returns the problems that were not there before: who mends one thing after the other is not kept
 * from it.
 */
export function findNewProblems(before: SettingFindings, after: SettingFindings): string[] {
  const known = new Set(before.problems);
  const wasIncomplete = before.problems.some(isIncomplete);
  return after.problems.filter(
    (problem) => !known.has(problem) && !(wasIncomplete && isIncomplete(problem)),
  );
}

/** Tells whether a peer is set by half: it takes several settings, which are set one by one. */
function isIncomplete(problem: string): boolean {
  return problem.includes('no peer is named');
}

export async function readRows(store: CliRegion['store']): Promise<ReadonlyMap<string, string>> {
  try {
    return await readConfigurationRows(store);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return new Map();
    throw error;
  }
}

function problemsOf(region: string, configuration: Pick<TandemConfiguration, 'get'>): string[] {
  try {
    readRegionSettings(configuration, region);
    return [];
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'CONFIGURATION_INVALID') throw error;
    return [error.message];
  }
}

/** Returns something well formed for what the table lacks and a region cannot start without. */
function standInsFor(
  rows: ReadonlyMap<string, string>,
  peers: readonly string[],
): ReadonlyMap<string, string> {
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
