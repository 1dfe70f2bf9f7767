// What leaves the process: to the region's storage account, to its own namespace and to those of its peers, and to the accounts
// whose tables are taken over.
import {
  AppError,
  type ChangePublisher,
  type ChangeReceiver,
  type Clock,
  type Randomness,
  STORAGE_PARTS,
  type TableStore,
  TransientError,
  tidyConnectionString,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import {
  createServiceBusPublisher,
  createServiceBusReceiver,
  ensureQueue,
} from '@tandem/messaging';
import type { Logger, ServiceConfig } from '@tandem/service-kit';
import {
  connectionOfSignedUrl,
  createAzureTableStore,
  createRetriedStore,
  type TandemConfiguration,
} from '@tandem/storage';

export interface ServiceBusOptions {
  readonly logger: Logger;
  /** Where queues are administered, if elsewhere: an emulator has a port of its own for it. */
  readonly administrationConnection: string | undefined;
}

export function createServiceBus({ logger, administrationConnection }: ServiceBusOptions): Bus {
  return {
    createPublisher: ({ region, connection, queue }) =>
      createServiceBusPublisher({ peer: region, connection, queue }),
    createReceiver: (own) =>
      createServiceBusReceiver({
        ...own,
        onSilentReceiver: () =>
          logger.warn(
            { event: 'receiver-replaced', queue: own.queue },
            'The queue had messages and the receiver was silent; it was replaced.',
          ),
      }),
    ensureQueue: (own) => ensureOwnQueue(own, { logger, administrationConnection }),
  };
}

async function ensureOwnQueue(
  { connection, queue }: BusQueue,
  { logger, administrationConnection }: ServiceBusOptions,
): Promise<void> {
  try {
    const outcome = await ensureQueue({
      connection,
      queue,
      ...(administrationConnection === undefined ? {} : { administrationConnection }),
      onDifference: (differences) =>
        logger.warn(
          { event: 'queue-differs', queue, differences },
          'The queue of this region is not as it should be; it is used as it is.',
        ),
    });
    if (outcome === 'created') {
      logger.info({ event: 'queue-created', queue }, 'The queue of this region was created.');
    }
  } catch (error) {
    // Whoever may listen need not be allowed to manage: then the queue is someone else's to create.
    if (!(error instanceof AppError) || error.code !== 'BUS_FORBIDDEN') throw error;
    logger.warn(
      { event: 'queue-not-checked', queue, error },
      'This identity may not manage queues, so the queue was not looked at.',
    );
  }
}

/** Is one queue of one namespace. */
export interface BusQueue {
  readonly connection: string;
  readonly queue: string;
}

interface PeerQueue extends BusQueue {
  readonly region: string;
}

/** Makes what the replicator sends and receives with; nothing connects before it is used. */
export interface Bus {
  createPublisher(peer: PeerQueue): ChangePublisher;
  createReceiver(own: BusQueue): ChangeReceiver;
  /** Throws `BUS_UNAVAILABLE` or `BUS_THROTTLED` while the namespace is not there. */
  ensureQueue(own: BusQueue): Promise<void>;
}

/**
 * Returns the tables of a region by what its environment says: in memory where it names no account.
 */
export function openRegionStore({
  storageConnection,
}: Pick<ServiceConfig, 'storageConnection'>): TableStore {
  return storageConnection === undefined ? createMemoryTableStore() : openStore(storageConnection);
}

const ACCOUNT_URL = /^https?:\/\//i;

/**
 * The tables of a storage account, named by a connection string or by its URL; with a URL that
 * bears no signature the process's own identity is used. Throws `CONFIGURATION_INVALID` for what is neither; connects
 * when first used.
 */
export function openStore(connection: string, timeoutMs?: number): TableStore {
  const bounds = timeoutMs === undefined ? {} : { timeoutMs };
  const signed = connectionOfSignedUrl(connection);
  if (signed !== undefined) return createAzureTableStore({ connectionString: signed, ...bounds });
  if (ACCOUNT_URL.test(connection)) {
    return createAzureTableStore({ accountUrl: connection, ...bounds });
  }
  const connectionString = tidyConnectionString(connection, STORAGE_PARTS);
  return createAzureTableStore({ connectionString, ...bounds });
}

/** One account, opened twice: a call that writes must end in a time that a table is frozen for. */
interface Source {
  /** Repeats what fails for a moment. */
  readonly reads: TableStore;
  /** Asks once, and gives up after `FORWARD_MS_MAX`. */
  readonly writes: TableStore;
}

export interface Sources {
  /** Throws `TABLE_UNAVAILABLE`, naming the setting, where the region does not know it. */
  open(name: string): Source;
}

export interface SourcesOptions {
  /** Read at each call, so that a source that is added needs no restart. */
  readonly configuration: Pick<TandemConfiguration, 'get'>;
  readonly openSource: OpenSource;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

/** Opens an account by its connection; connects when first used. */
export type OpenSource = (connection: string, timeoutMs?: number) => TableStore;

/** Bounds a write that is forwarded to an old table, in milliseconds. */
export const FORWARD_MS_MAX = 3_500;

export function createSources(options: SourcesOptions): Sources {
  const { configuration, openSource } = options;
  const opened = new Map<string, { readonly connection: string; readonly source: Source }>();
  return {
    open(name) {
      const connection = configuration.get('Tables.Sources')?.get(name)?.reveal();
      if (connection === undefined) {
        throw new TransientError(
          'TABLE_UNAVAILABLE',
          `This region knows no source "${name}": set Tables.Sources here as in the other regions.`,
          { details: { source: name } },
        );
      }
      const known = opened.get(name);
      if (known?.connection === connection) return known.source;
      const source = {
        reads: createRetriedStore(openSource(connection), options),
        writes: openSource(connection, FORWARD_MS_MAX),
      };
      opened.set(name, { connection, source });
      return source;
    },
  };
}
