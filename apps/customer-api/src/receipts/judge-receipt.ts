import { newestStamp, type PeerProgress, stampRegion } from '@tandem/core';
import type { WriteReceipt } from './receipt-token.ts';

export interface RegionReceipt {
  readonly region: string;
  /** `unknown`: this region is not told, since another one wrote it. */
  readonly state: 'applied' | 'pending' | 'unknown';
}

export interface ReceiptFacts {
  /** The region that is asked. Its row contains the version. */
  readonly region: string;
  readonly peers: readonly string[];
  readonly progress: readonly PeerProgress[];
  /** How far apart the clocks of the processes may be, in milliseconds. */
  readonly skewMsMax: number;
}

/**
 * Where the write has been applied, by what this region knows for certain. A peer's word covers what
 * was acknowledged before a time, on the clock of the sweep, so the write has to be older by more
 * than the clocks may differ. Never flattering (I11).
 */
export function judgeReceipt(
  { version, acknowledgedMs }: WriteReceipt,
  { region, peers, progress, skewMsMax }: ReceiptFacts,
): readonly RegionReceipt[] {
  const newest = newestStamp(version);
  const writtenIn = newest === undefined ? undefined : stampRegion(newest);
  const stateOf = (peer: string): RegionReceipt['state'] => {
    if (peer === writtenIn) return 'applied';
    if (writtenIn !== region) return 'unknown';
    const appliedMs = progress.find((one) => one.peer === peer)?.appliedMs ?? 0;
    return appliedMs > acknowledgedMs + skewMsMax ? 'applied' : 'pending';
  };
  return [
    { region, state: 'applied' },
    ...peers.map((peer): RegionReceipt => ({ region: peer, state: stateOf(peer) })),
  ];
}
