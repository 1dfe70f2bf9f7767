// Where a region keeps its tables and whom it sends to, by the setting `Customer.DataAccess`. The container makes
// only what is chosen.
import {
  type ChangePublisher,
  type Clock,
  createPeerLink,
  type EntityKind,
  type PeerLink,
  type Randomness,
  type TableStore,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import type { Logger } from '@tandem/service-kit';
import { asFunction, asValue, createContainer, InjectionMode } from 'awilix';
import type { Bus } from './connections.ts';
import type { DataAccess as DataAccessName, RegionSettings } from './region-settings.ts';
import { createTables } from './region-tables.ts';

/** Where entities are kept, and to whom their changes are sent. */
export interface DataAccess {
  readonly store: TableStore;
  /** Send to the peers, one to each. */
  readonly publishers: readonly ChangePublisher[];
}

interface DataAccessParts {
  /** Reaches the region's storage account, with its tables. */
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly bus: Pick<Bus, 'createPublisher'>;
  readonly settings: Pick<RegionSettings, 'peers' | 'dataAccess'>;
}

/** Opens what the setting names. Connects when first used. */
export function openDataAccess(parts: DataAccessParts): Promise<DataAccess> {
  const container = createContainer<DataAccessParts & Record<DataAccessName, Promise<DataAccess>>>({
    injectionMode: InjectionMode.PROXY,
    strict: true,
  });
  container.register({
    store: asValue(parts.store),
    kinds: asValue(parts.kinds),
    bus: asValue(parts.bus),
    settings: asValue(parts.settings),
    'multi-region': asFunction(openMultiRegion),
    'single-region': asFunction(openSingleRegion),
    memory: asFunction(openMemory),
  });
  return container.resolve(parts.settings.dataAccess);
}

async function openMultiRegion({ store, bus, settings }: DataAccessParts): Promise<DataAccess> {
  const publishers = settings.peers.map(({ region, connection, queue }) =>
    bus.createPublisher({ region, connection: connection.reveal(), queue }),
  );
  return { store, publishers };
}

async function openSingleRegion({ store }: DataAccessParts): Promise<DataAccess> {
  return { store, publishers: [] };
}

async function openMemory({ kinds }: DataAccessParts): Promise<DataAccess> {
  const store = createMemoryTableStore();
  await createTables({ store, kinds });
  return { store, publishers: [] };
}

export interface PeerLinksOptions {
  /** Holds one for each peer. */
  readonly publishers: readonly ChangePublisher[];
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly settings: Pick<RegionSettings, 'wireVersion'>;
}

/** Makes a link to every peer, which logs when the peer goes down and when it is back. */
export function createPeerLinks(options: PeerLinksOptions): readonly PeerLink[] {
  const { publishers, clock, randomness, logger, settings } = options;
  return publishers.map((publisher) =>
    createPeerLink({
      publisher,
      clock,
      randomness,
      wireVersion: settings.wireVersion,
      onDown: (peer, error, retryInMs) =>
        logger.warn(
          { event: 'peer-down', peer, retryInMs, error },
          'The queue of a peer accepts nothing; its changes wait in the outbox.',
        ),
      onUp: (peer) => logger.info({ event: 'peer-up', peer }, 'The queue of a peer accepts again.'),
    }),
  );
}
