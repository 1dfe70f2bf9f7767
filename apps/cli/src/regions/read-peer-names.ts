import type { Clock } from '@tandem/core';
import { createTableReplicationStatus, tandemSettings } from '@tandem/storage';
import type { CliRegion } from './cli-region.ts';
import { readSettingText } from './region-setting.ts';

/** A heartbeat comes every second, and clocks differ. */
const HEARD_MS_MAX = 60_000;

/**
 * The regions that a region sends its changes to; empty where nobody can tell. Its running replicator
 * knows best, for the environment of the services wins over the table `Configuration`, and may be the
 * only place that names them; then the table; then what the replicator said last.
 */
export async function readPeerNames(
  region: Pick<CliRegion, 'store'>,
  clock: Pick<Clock, 'nowMs'>,
): Promise<readonly string[]> {
  const progress = await createTableReplicationStatus(region).read();
  const said = progress?.peers.map(({ peer }) => peer) ?? [];
  const isHeard = progress !== undefined && clock.nowMs() - progress.heartbeatMs <= HEARD_MS_MAX;
  if (isHeard) return said;
  const listed = await readListed(region);
  return listed.length > 0 ? listed : said;
}

async function readListed(region: Pick<CliRegion, 'store'>): Promise<readonly string[]> {
  const text = await readSettingText(region, 'Peers');
  const parsed = text === undefined ? undefined : tandemSettings.Peers.parse(text);
  if (parsed?.kind === 'value') return (parsed.value ?? []).map((peer) => peer.region);
  const single = await readSettingText(region, 'Peer.Region');
  return single === undefined || single === '' ? [] : [single];
}
