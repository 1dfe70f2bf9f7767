import { type Clock, NEWEST_WIRE_VERSION, type Randomness, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { openRegion } from '@tandem/region';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import { createRegionServedTables } from '../region-tables.ts';
import type { ServedTables } from '../served-tables.ts';

export interface LocalTablesOptions {
  /** A store in memory by default. */
  readonly store?: TableStore;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

/** A deletion waits for the other processes of its region: there is none. */
const SLEEP_MS_MAX = 20;

/** Opens the tables of a region that has no peers. */
export async function openLocalTables(options: LocalTablesOptions = {}): Promise<ServedTables> {
  const { store = createMemoryTableStore(), clock = createSystemClock() } = options;
  const region = await openRegion({
    region: 'east',
    store,
    tables: {},
    settings: {
      'Customer.DataAccess': 'single-region',
      'Messages.WireVersion': String(NEWEST_WIRE_VERSION),
    },
    clock: {
      nowMs: () => clock.nowMs(),
      sleep: (durationMs, signal) => clock.sleep(Math.min(durationMs, SLEEP_MS_MAX), signal),
    },
    logger: createLogger({ service: 'table-endpoint', region: 'east', level: 'fatal' }),
    ...(options.randomness === undefined ? {} : { randomness: options.randomness }),
  });
  return createRegionServedTables(region);
}
