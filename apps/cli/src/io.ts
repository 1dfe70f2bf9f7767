import type { Clock, QueueViewer, Randomness, TableStore } from '@tandem/core';
import type { inspectQueue, readQueueCounts } from '@tandem/messaging';
import type { RegionKinds, RegionOptions } from '@tandem/region';

/** What the program has of its process, so that a test can run it in its own. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Progress is shown on a terminal only. */
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  /** The tables of a storage account, by a connection string or a URL; a call ends within the time that is given. */
  readonly openStore: (connection: string, timeoutMs?: number) => TableStore;
  /** How many messages wait in a queue; without it nobody knows. */
  readonly countMessages?: typeof readQueueCounts;
  /** What is unlike what it should be in a queue. */
  readonly inspectQueue: typeof inspectQueue;
  /** Whether the API of a region says that it may take traffic; undefined when it says neither. */
  readonly readReadiness: (api: string) => Promise<boolean | undefined>;
  /** Gets an access token for a scope, as the identity of the environment. Rejects where that gets none; without it nobody does. */
  readonly readToken?: (scope: string) => Promise<string>;
  /** Opens a region's own queue. */
  readonly openQueue: (at: { readonly connection: string; readonly queue: string }) => QueueViewer;
  /** Sends to the queues of peers; Azure Service Bus by default. */
  readonly bus?: NonNullable<RegionOptions<RegionKinds>['bus']>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Asks whoever sits at the terminal, and resolves with the line; without it nobody does. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<string>;
  /** Aborted when it is told to stop. */
  readonly signal: AbortSignal;
  /** Told how far long work is, in the words of a terminal, for who runs commands within itself. */
  readonly onProgress?: (text: string) => void;
  /** Told the line of JSON that a command has for programs, also where it speaks to a person. */
  readonly onOutcome?: (line: string) => void;
}

/** What commands have of it: what they say goes through `act`, where it is made fit to be shown. */
export type WorkIo = Omit<Io, 'out' | 'err'>;

/** Keeps connections to stores from look to look, for what asks again and again. */
export function keepStores<Own extends Pick<Io, 'openStore'>>(io: Own): Own {
  const stores = new Map<string, TableStore>();
  return {
    ...io,
    openStore(connection, timeoutMs) {
      // A store whose calls may take longer is another one.
      const key = JSON.stringify([connection, timeoutMs]);
      const store = stores.get(key) ?? io.openStore(connection, timeoutMs);
      stores.set(key, store);
      return store;
    },
  };
}
