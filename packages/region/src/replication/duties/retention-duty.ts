import type {
  Clock,
  EntityKind,
  Lease,
  Randomness,
  ReplicationStatus,
  TableStore,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import { type RetentionSettings, type TandemConfiguration, trimRegion } from '@tandem/storage';
import type { RegionSettings } from '../../region-settings.ts';
import { bucketCountOf } from '../../region-tables.ts';
import type { Activity } from '../activity.ts';
import type { Duty } from './run-duties.ts';

/** What of an opened region the duty goes by. */
interface KeptRegion {
  readonly configuration: Pick<TandemConfiguration, 'get'>;
  readonly settings: Pick<
    RegionSettings,
    'bucketCount' | 'rowsBucketCount' | 'peers' | 'tombstoneAgeMs' | 'driftMsMax'
  >;
}

interface RetentionDutyOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly opened: KeptRegion;
  readonly status: Pick<ReplicationStatus, 'read'>;
  /** Keeps several replicators from reading the same tables for nothing. */
  readonly retentionLease: Lease;
  readonly activity: Pick<Activity, 'noteTrimmed'>;
}

const TRIM_INTERVAL_MS = 3_600_000;
/** Shorter than the interval at its shortest, so that whoever held it last can take it again. */
const LEASE_MS = TRIM_INTERVAL_MS / 2;
const MIB = 1024 * 1024;

/** Trims what is older, or larger, than the settings of now and the catalogue have it; nothing where they say nothing. */
export function createRetentionDuty(options: RetentionDutyOptions): Duty {
  const { clock, logger, store, kinds, opened, status, activity } = options;
  const { peers } = opened.settings;
  return {
    name: 'retention',
    intervalMs: () => TRIM_INTERVAL_MS,
    // It reads what is old from its beginning, so a process that restarts often does not begin with it each time.
    firstDelayMs: Math.round(TRIM_INTERVAL_MS * options.randomness.fraction()),
    isNeededForReady: false,
    // It takes as long as the tables are large.
    stallMs: undefined,
    async turn(signal) {
      const settings = readRetention(opened);
      if (!(await options.retentionLease.acquire(LEASE_MS))) return;
      const trimmed = trimRegion({
        store,
        kinds,
        bucketCountOf: (entityKind) => bucketCountOf(entityKind, opened.settings),
        clock,
        status,
        peers: peers.map(({ region }) => region),
        settings,
        signal,
      });
      for await (const one of trimmed) {
        activity.noteTrimmed(one);
        logger.info(
          { event: one.horizonMs === undefined ? 'retention-waits' : 'retention-trimmed', ...one },
          one.horizonMs === undefined
            ? 'Nothing is trimmed before every peer has said what it has.'
            : 'What is older than is kept was trimmed.',
        );
      }
    },
  };
}

function readRetention({ configuration, settings }: KeptRegion): RetentionSettings {
  const toBytes = (mib: number | undefined) => (mib === undefined ? undefined : mib * MIB);
  return {
    archive: {
      keepMs: configuration.get('Archive.KeepMs'),
      keepBytes: toBytes(configuration.get('Archive.KeepMib')),
    },
    conflicts: {
      keepMs: configuration.get('Conflicts.KeepMs'),
      keepBytes: toBytes(configuration.get('Conflicts.KeepMib')),
    },
    promiseMs: configuration.get('Retention.PromiseMs'),
    tombstoneAgeMs: settings.tombstoneAgeMs,
    driftMsMax: settings.driftMsMax,
  };
}
