import {
  type Clock,
  type Lease,
  type Outbox,
  type Relay,
  type Replicator,
  sweep,
} from '@tandem/core';

export interface ArchiveSweeperOptions {
  readonly lease: Lease;
  readonly leaseMs: number;
  readonly outboxes: readonly Outbox[];
  readonly relay: Relay;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly onUnreadable: (bucket: string, rowKeys: readonly string[]) => void;
}

/** The sweep of a region without peers: what was left in the outbox goes to the archive. */
export function createArchiveSweeper(
  options: ArchiveSweeperOptions,
): Pick<Replicator, 'sweepOnce'> {
  const { lease, leaseMs, ...rest } = options;
  return {
    async sweepOnce() {
      if (!(await lease.acquire(leaseMs))) return undefined;
      return sweep({ ...rest, links: [] });
    },
  };
}
