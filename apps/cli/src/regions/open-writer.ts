import { createHybridClock } from '@tandem/core';
import type { CustomerKind } from './customer-kind.ts';
import { customerKind } from '@tandem/core/customers';
import { readRegionSettings } from '@tandem/region-kit';
import { createWriterId } from '@tandem/service-kit';
import {
  createConfiguration,
  createReplicatedTable,
  createTableArchive,
  type ReplicatedTable,
  tandemSettings,
} from '@tandem/storage';
import type { Io } from '../io.ts';
import type { CliRegion } from './cli-region.ts';

const REFRESH_MS = 3_600_000;

/**
 * The region's own table to write to as its API does: what is written is owed to every peer, and the
 * region's replicator sends it within seconds. Throws `CONFIGURATION_INVALID`.
 */
export async function openWriter(
  { name, store, bucketCount }: CliRegion,
  { clock, randomness }: Pick<Io, 'clock' | 'randomness'>,
): Promise<ReplicatedTable<CustomerKind>> {
  const configuration = createConfiguration({
    store,
    definitions: tandemSettings,
    clock,
    refreshMs: REFRESH_MS,
  });
  await configuration.load();
  const { peers, driftMsMax } = readRegionSettings(configuration, name);
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
    peers: peers.map(({ region }) => region),
    onCommitted: () => undefined,
  });
}
