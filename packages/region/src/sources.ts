/** The accounts whose tables are taken over, as the setting `Tables.Sources` has them. */
import { type Clock, type Randomness, type TableStore, TransientError } from '@tandem/core';
import { createRetriedStore, type TandemConfiguration } from '@tandem/storage';

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
