import { createSeededRandomness } from '@tandem/core/memory';
import {
  ACCOUNT,
  type ClientResults,
  runClients,
  type ServedRegion,
  startTwoRegions,
  type TwoRegions,
} from '@tandem/table-clients';
import type { Server } from '../differential/raw-client.ts';
import { type ComparedRegions, untilAlike } from './compare-regions.ts';
import { writeInBoth } from './write-in-both.ts';

const WAIT_MS_MAX = 120_000;

export interface RegionsReport {
  readonly clients: ClientResults;
  readonly compared: ComparedRegions;
}

/** Lets each real client work while a region is killed, then compares both over all that it made. */
export async function runRegions(
  options: WritingOptions & { readonly onProgress?: (what: string) => void },
): Promise<RegionsReport> {
  const regions = await startTwoRegions();
  try {
    const clients = await runClients(regions, options.onProgress);
    options.onProgress?.('both regions are compared');
    return { clients, compared: await writeAndCompare(regions, options) };
  } finally {
    await regions.stop();
  }
}

interface WritingOptions {
  /** How many are sent to the two regions, on the same rows. */
  readonly requests: number;
  readonly seed: number;
}

/** Writes in both on the same rows; once they are quiet, compares what they answer over all tables that they have. */
export async function writeAndCompare(
  { east, west }: Pick<TwoRegions, 'east' | 'west'>,
  { requests, seed }: WritingOptions,
): Promise<ComparedRegions> {
  const servers = [serverOf(east), serverOf(west)] as const;
  await writeInBoth(servers, { requests, random: createSeededRandomness(seed) });
  return untilAlike(...servers, WAIT_MS_MAX);
}

function serverOf(region: ServedRegion): Server {
  return { port: region.plainPort(), account: ACCOUNT.account, key: ACCOUNT.keys[0] };
}
