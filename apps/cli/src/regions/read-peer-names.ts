import {
  AppError,
  type Clock,
  isBelievable,
  type ReplicationProgress,
  TerminalError,
} from '@tandem/core';
import { createTableReplicationStatus, tandemSettings } from '@tandem/storage';
import type { CliRegion } from './region.ts';
import { readOwnClock, readSettingText } from './region.ts';

/** A heartbeat comes every second, and clocks differ. */
const HEARD_MS_MAX = 60_000;

/**
 * Reads which regions a region sends its changes to; empty where nobody can tell. Its running replicator
 * knows best, for the environment of the services wins over the table `Configuration`, and may be the
 * only place that names them; then the table; then what the replicator said last.
 */
export async function readPeerNames(
  region: Pick<CliRegion, 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<readonly string[]> {
  const progress = await createTableReplicationStatus(region).read();
  if (await isHeard(progress, { region, clock })) return namesIn(progress);
  const listed = await readListed(region);
  return listed.length > 0 ? listed : namesIn(progress);
}

/** Reads the peers that the running replicator of a region names; undefined when none is heard. */
export async function readSpokenPeers(
  region: Pick<CliRegion, 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<readonly string[] | undefined> {
  const progress = await readProgress(region);
  return (await isHeard(progress, { region, clock })) ? namesIn(progress) : undefined;
}

/** Reads which settings the environment of its running replicator overrides; none when none is heard. */
export async function readOverridden(
  region: Pick<CliRegion, 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<readonly string[]> {
  const progress = await readProgress(region);
  const isRunning = await isHeard(progress, { region, clock });
  const named = isRunning ? (progress?.overriddenSettings ?? []) : [];
  // Another build may have other settings.
  return named.filter((name) => Object.hasOwn(tandemSettings, name));
}

/** Reads what the replicator of a region says, whether it runs or not; undefined where it has no table for that yet. */
export async function readProgress({
  store,
}: Pick<CliRegion, 'store'>): Promise<ReplicationProgress | undefined> {
  try {
    return await createTableReplicationStatus({ store }).read();
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

interface HeardBy {
  readonly region: Pick<CliRegion, 'store'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

async function isHeard(
  progress: ReplicationProgress | undefined,
  { region, clock }: HeardBy,
): Promise<boolean> {
  if (progress === undefined) return false;
  const { heartbeatMs } = progress;
  const own = await readOwnClock(region, clock);
  return isBelievable(heartbeatMs, own) && own.nowMs - heartbeatMs <= HEARD_MS_MAX;
}

function namesIn(progress: ReplicationProgress | undefined): readonly string[] {
  return progress?.peers.map(({ peer }) => peer) ?? [];
}

async function readListed(region: Pick<CliRegion, 'store'>): Promise<readonly string[]> {
  const text = await readSettingText(region, 'Peers');
  const parsed = text === undefined ? undefined : tandemSettings.Peers.parse(text);
  if (parsed?.kind === 'value') return (parsed.value ?? []).map((peer) => peer.region);
  const single = await readSettingText(region, 'Peer.Region');
  return single === undefined || single === '' ? [] : [single];
}

/**
 * A region that the others do not send to would fall behind the moment it is filled. Throws
 * `RECOVERY_REFUSED`, naming those that do not send to it.
 */
export async function requirePeersKnow(
  name: string,
  { sources, clock }: { readonly sources: readonly CliRegion[]; readonly clock: Clock },
): Promise<void> {
  const ignorant: string[] = [];
  for (const source of sources) {
    const peers = await readPeerNames(source, clock);
    if (!peers.includes(name)) ignorant.push(source.name);
  }
  if (ignorant.length === 0) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `${ignorant.join(', ')} do not send to ${name}: neither the replicator nor the Configuration there ` +
      `names it as a peer. Release them with ${name} in PEERS, or set Peers (tandem config set) and ` +
      'restart their services, then repeat this.',
  );
}
