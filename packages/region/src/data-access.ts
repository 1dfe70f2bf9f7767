// Where a region keeps its tables and whom it sends to, by the setting `Customer.DataAccess`. The container makes
// only what is chosen.
import type { ChangePublisher, EntityKind, TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
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
