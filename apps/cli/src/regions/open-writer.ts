import { createHybridClock, TerminalError } from '@tandem/core';
import type { CustomerKind } from './customer-kind.ts';
import { customerKind } from '@tandem/core/customers';
import { createWriterId } from '@tandem/service-kit';
import { createReplicatedTable, createTableArchive, type ReplicatedTable } from '@tandem/storage';
import type { Io } from '../io.ts';
import type { CliRegion } from './cli-region.ts';
import { readPeerNames } from './read-peer-names.ts';
import { readDurationMs, readSettingText } from './region-setting.ts';

/**
 * The region's own table to write to as its API does: what is written is owed to every peer, and the
 * region's replicator sends it within seconds. Throws `CONFIGURATION_INVALID`.
 */
export async function openWriter(
  region: CliRegion,
  { clock, randomness }: Pick<Io, 'clock' | 'randomness'>,
): Promise<ReplicatedTable<CustomerKind>> {
  const { name, store, bucketCount } = region;
  const driftMsMax = await readDurationMs(region, 'Clock.DriftMsMax');
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: name,
      writer: createWriterId(randomness),
      nowMs: () => clock.nowMs(),
      driftMsMax,
    }),
    clock,
    randomness,
    bucketCount,
    peers: await findPeers(region, clock),
    onCommitted: () => undefined,
  });
}

/** A write that is owed to nobody would stay here for ever, so it is not made by mistake. */
async function findPeers(region: CliRegion, clock: Io['clock']): Promise<readonly string[]> {
  if ((await readSettingText(region, 'Customer.DataAccess')) === 'single-region') return [];
  const peers = await readPeerNames(region, clock);
  if (peers.length > 0) return peers;
  throw new TerminalError(
    'CONFIGURATION_INVALID',
    `Nobody can tell which regions ${region.name} sends to: its replicator was never heard, and its ` +
      'Configuration names none. Start the replicator, or set Peers; or Customer.DataAccess to ' +
      'single-region.',
  );
}
