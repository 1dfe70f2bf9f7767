import type { Clock, Randomness, TableStore } from '@tandem/core';
import { createQuietLogger, openRegion, retryOpening } from '@tandem/region-kit';
import type { Logger } from '@tandem/service-kit';
import { type Composition, compose } from '../composition.ts';
import type { Tracing } from '../composition/cradle.ts';
import type { Config } from '../config.ts';
import { KINDS } from '../kinds.ts';

export interface OpenServiceOptions {
  readonly config: Config;
  readonly store: TableStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
  readonly tracing: Tracing;
}

const SETTINGS_AGE_MS_MAX = 30_000;
const REPEATED_LINE_MS = 60_000;
const LINES_PER_EVENT_MAX = 10;

/**
 * Opens the region, however long its storage account is down, and makes what serves it. Resolves to
 * undefined when the process stops first. Throws `CONFIGURATION_INVALID`.
 */
export async function openService(options: OpenServiceOptions): Promise<Composition | undefined> {
  const { config, store, clock, randomness, stopping, tracing } = options;
  const { region, environment } = config;
  const logger = createQuietLogger({
    logger: options.logger,
    clock,
    windowMs: REPEATED_LINE_MS,
    linesPerEventMax: LINES_PER_EVENT_MAX,
  });
  const open = async (): Promise<Composition> => {
    const opened = await openRegion({
      region,
      store,
      kinds: KINDS,
      clock,
      environment,
      refreshMs: SETTINGS_AGE_MS_MAX,
      onRefreshFailed: (error) =>
        logger.warn({ event: 'settings-not-refreshed', error }, 'Settings stay as they were.'),
    });
    return compose({ region, clock, randomness, logger, store, opened, stopping, tracing });
  };
  return retryOpening(open, { clock, randomness, logger, signal: stopping });
}
