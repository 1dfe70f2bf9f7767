import { type Clock, type Lease, type Relay, type Replicator, sweep } from '@tandem/core';
import type { RegionSettings, RegionTables } from '@tandem/region-kit';
import type { Activity } from '../observe/activity.ts';

export interface ArchiveSweeperOptions {
  readonly sweepLease: Lease;
  readonly leaseMs: number;
  readonly tables: RegionTables;
  readonly relay: Relay;
  readonly clock: Clock;
  readonly settings: Pick<RegionSettings, 'sweepGraceMs'>;
  readonly activity: Pick<Activity, 'notices'>;
}

/** The sweep of a region without peers: what was left in the outbox goes to the archive. */
export function createArchiveSweeper(
  options: ArchiveSweeperOptions,
): Pick<Replicator, 'sweepOnce'> {
  const { sweepLease, tables, relay, clock, settings, activity } = options;
  return {
    async sweepOnce() {
      if (!(await sweepLease.acquire(options.leaseMs))) return undefined;
      const report = await sweep({
        outboxes: [...tables.outboxes.values()],
        links: [],
        relay,
        clock,
        graceMs: settings.sweepGraceMs,
        notices: activity.notices,
      });
      if (report.failure !== undefined) throw report.failure;
      return report;
    },
  };
}
