import {
  type Clock,
  catalogKind,
  createHybridClock,
  type EntityKind,
  peersOfKind,
  type Randomness,
  type ReplicationStatus,
  type TableStore,
} from '@tandem/core';
import { createWriterId, type Logger } from '@tandem/service-kit';
import {
  createReplicatedTable,
  createTableCatalogue,
  type PurgeTurn,
  type ReplicatedTable,
  type StateTableOptions,
  type TableCatalogue,
  takePurgeTurn,
} from '@tandem/storage';
import type { PreparedRegion } from '../../prepare-region.ts';
import { bucketCountOf, type RegionTables } from '../../region-tables.ts';
import type { Activity } from '../activity.ts';

export interface PurgeOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly opened: PreparedRegion;
  readonly tables: Pick<RegionTables, 'archive'>;
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly activity: Pick<Activity, 'notices'>;
}

/**
 * Returns what finds, turn by turn, the tables whose rows go for good, and says so in every region; undefined where the
 * region has no catalogue.
 */
export function createPurge(
  options: PurgeOptions,
): ((signal: AbortSignal) => Promise<PurgeTurn>) | undefined {
  const { clock, logger, store, opened, status, activity } = options;
  if (!options.kinds.includes(catalogKind)) return undefined;
  const { settings, configuration } = opened;
  const table = openCatalogueTable(options);
  return async (signal) => {
    const turn = await takePurgeTurn({
      store,
      table,
      clock,
      status,
      peers: settings.peers.map(({ region }) => region),
      keepMs: configuration.get('Tables.DeletedKeepMs'),
      driftMsMax: settings.driftMsMax,
      onDamaged: ({ partitionKey, rowKey, problem }) => {
        const key = `${catalogKind.name}/${partitionKey}/${rowKey}`;
        activity.notices.note('row-foreign', key, problem);
      },
      signal,
    });
    for (const { name, generation } of turn.marked) {
      logger.info(
        { event: 'table-purge-due', table: name, generation },
        'The rows of a deleted table go once every peer knows: it cannot be restored any more.',
      );
    }
    return turn;
  };
}

/** Opens the rows of the catalogue to write to. */
function openCatalogueTable(options: WriterOptions): ReplicatedTable<typeof catalogKind> {
  return createReplicatedTable({ kind: catalogKind, ...writerOf(catalogKind.name, options) });
}

/** Opens the catalogue to change what it says of a table. */
export function openCatalogue(options: WriterOptions): TableCatalogue {
  const { store, clock, opened } = options;
  return createTableCatalogue({
    store,
    clock,
    table: openCatalogueTable(options),
    keepMs: () => opened.configuration.get('Tables.DeletedKeepMs'),
  });
}

type WriterOptions = Pick<
  PurgeOptions,
  'region' | 'clock' | 'randomness' | 'store' | 'opened' | 'tables'
>;

/** Returns what a duty writes a table of a kind with. The sweep relays it, as whatever a stopped process left. */
export function writerOf(
  entityKind: string,
  { region, clock, randomness, store, opened, tables }: WriterOptions,
): Omit<StateTableOptions, 'kind'> {
  const { settings } = opened;
  return {
    store,
    archive: tables.archive,
    hybridClock: createHybridClock({
      region,
      // None that anything else in this process stamps by.
      writer: createWriterId(randomness),
      nowMs: () => clock.nowMs(),
      driftMsMax: settings.driftMsMax,
    }),
    clock,
    randomness,
    bucketCount: bucketCountOf(entityKind, settings),
    wireVersion: settings.wireVersion,
    peers: peersOfKind(
      entityKind,
      settings.peers.map((peer) => peer.region),
    ),
    onCommitted: () => undefined,
  };
}
