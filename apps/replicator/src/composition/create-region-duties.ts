import {
  assert,
  type Clock,
  type EntityKind,
  type Lease,
  type Randomness,
  type TableStore,
} from '@tandem/core';
import type { OpenedRegion, RegionSettings } from '@tandem/region-kit';
import type { Logger } from '@tandem/service-kit';
import { collectTombstones, type Secret, tandemSettings } from '@tandem/storage';
import type { BusQueue } from '../bus/service-bus.ts';
import { createConfigurationDuty } from '../duties/configuration-duty.ts';
import type { Duty } from '../duties/duty.ts';
import { createTombstoneDuty } from '../duties/tombstone-duty.ts';
import type { Activity } from '../observe/activity.ts';
import type { ObservedStatus } from '../observe/observed-ports.ts';

/** Read again before each turn, so no restart is needed when it changes. */
const LIVE_SETTINGS: ReadonlySet<string> = new Set(['Sweep.IntervalMs']);

export interface TombstonePartsOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly settings: RegionSettings;
  readonly status: ObservedStatus;
  readonly tombstoneLease: Lease;
  readonly activity: Pick<Activity, 'notices'>;
}

export function createRegionTombstoneDuty(options: TombstonePartsOptions): Duty {
  const { clock, randomness, logger, store, kinds, settings, status, tombstoneLease } = options;
  const { activity } = options;
  const { bucketCount, tombstoneAgeMs } = settings;
  return createTombstoneDuty({
    clock,
    randomness,
    logger,
    status,
    peers: settings.peers.map(({ region }) => region),
    lease: tombstoneLease,
    ageMs: tombstoneAgeMs,
    async collect(horizonMs, signal) {
      let collected = 0;
      for (const kind of kinds) {
        collected += await collectTombstones({
          store,
          kind,
          bucketCount,
          horizonMs,
          signal,
          // It reads every row there is, so it meets those that are none of ours.
          onDamaged: ({ partitionKey, rowKey, problem }) => {
            const key = `${kind.name}/${partitionKey}/${rowKey}`;
            activity.notices.note('row-foreign', key, problem);
          },
        });
      }
      return collected;
    },
  });
}

export function createRegionConfigurationDuty(options: {
  readonly logger: Logger;
  readonly opened: OpenedRegion;
}): Duty {
  const { configuration } = options.opened;
  const names = Object.keys(tandemSettings) as (keyof typeof tandemSettings)[];
  const readAtStart = names.filter((name) => !LIVE_SETTINGS.has(name));
  return createConfigurationDuty({
    logger: options.logger,
    refresh: () => configuration.refresh(),
    readAtStart: () =>
      new Map(readAtStart.map((name) => [name, comparable(configuration.get(name))])),
  });
}

/** With secrets in it, so never to be shown. */
function comparable(value: unknown): string | undefined {
  return JSON.stringify(value, function reveal(this: Record<string, unknown>, name, part: unknown) {
    const original = this[name];
    return isSecret(original) ? original.reveal() : part;
  });
}

function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && 'reveal' in value;
}

/** This region's own queue. */
export function ownQueueOf({ configuration, settings }: OpenedRegion): BusQueue {
  const connection = configuration.get('ServiceBusConnection');
  assert(connection !== undefined, 'a region with peers has a connection to its own namespace');
  return { connection: connection.reveal(), queue: settings.queue };
}
