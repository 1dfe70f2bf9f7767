import type { ChangePublisher, EntityKind, TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createServiceBusPublisher } from '@tandem/messaging';
import { createTables, type DataAccess as DataAccessName } from '@tandem/region-kit';
import type { Peer } from '@tandem/storage';

/** Where customers are kept, and to whom their changes are sent. */
export interface DataAccess {
  readonly store: TableStore;
  /** One for each peer. */
  readonly publishers: readonly ChangePublisher[];
}

export interface DataAccessOptions {
  /** Of the region's storage account, with its tables. */
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly peers: readonly Peer[];
}

/** By the setting `Customer.DataAccess`. */
export const DATA_ACCESS: Readonly<
  Record<DataAccessName, (options: DataAccessOptions) => Promise<DataAccess>>
> = {
  'multi-region': async ({ store, peers }) => ({
    store,
    publishers: peers.map(({ region, connection, queue }) =>
      createServiceBusPublisher({ peer: region, connection: connection.reveal(), queue }),
    ),
  }),
  'single-region': async ({ store }) => ({ store, publishers: [] }),
  memory: async ({ kinds }) => {
    const store = createMemoryTableStore();
    await createTables({ store, kinds });
    return { store, publishers: [] };
  },
};
