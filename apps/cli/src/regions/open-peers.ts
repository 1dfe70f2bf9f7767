import { TransientError } from '@tandem/core';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';
import type { CliRegion } from './cli-region.ts';

export interface OpenedPeers {
  readonly peers: readonly CliRegion[];
  /** Down, or without tables of ours. */
  readonly outOfReach: readonly string[];
}

/** All regions but that one, as far as they can be worked in. Throws `UsageError` for unlike bucket counts. */
export async function openPeers(session: Session, target: CliRegion): Promise<OpenedPeers> {
  const { regions } = await session.inventory();
  const peers: CliRegion[] = [];
  const outOfReach: string[] = [];
  for (const { name } of regions) {
    if (name === target.name) continue;
    const peer = await openOrUndefined(session, name);
    if (peer === undefined) outOfReach.push(name);
    else if (peer.bucketCount === target.bucketCount) peers.push(peer);
    else throw new UsageError(`${name} and ${target.name} have different numbers of buckets.`);
  }
  return { peers, outOfReach };
}

async function openOrUndefined(session: Session, name: string): Promise<CliRegion | undefined> {
  try {
    const peer = await session.openOne(name, 0);
    return peer.bucketCount > 0 ? peer : undefined;
  } catch (error) {
    if (error instanceof TransientError) return undefined;
    throw error;
  }
}
