// Tables of clients whose tombstones are kept for a time of their own. What was collected of each is recorded before
// anything of it goes, and by that alone, not by the age, it is judged what may come too late: docs/adr/0043.
import {
  type Clock,
  type HorizonRecord,
  keepsOf,
  type TableStore,
  tombstoneHorizonMs,
} from '@tandem/core';
import { readTables, type TableCatalogueOptions } from '../catalogue/table-catalogue.ts';
import { createHorizonRecord } from './horizon-rows.ts';

/** The rows lie in the table of the rows. */
export function createTombstoneHorizons({
  store,
  entityKind,
}: {
  readonly store: TableStore;
  readonly entityKind: string;
}): HorizonRecord {
  return createHorizonRecord({ store, table: entityKind, entityKind });
}

export interface TombstoneTurnOptions extends Pick<TableCatalogueOptions, 'onDamaged'> {
  readonly store: TableStore;
  readonly entityKind: string;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Of every peer the time of its newest watermark that this region has passed. */
  readonly passedMs: readonly (number | undefined)[];
  /** What is collected of tables without an age of their own, in milliseconds. */
  readonly horizonMs: number;
  readonly driftMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Longer than anybody takes from looking at the horizons to the write that follows from them. */
const NOTICE_MS = 30_000;

/**
 * Records until when the tombstones of tables with an age of their own are collected now, and resolves with it once
 * whoever applies changes knows. Undefined where it was cut off.
 */
export async function takeTombstoneTurn(
  options: TombstoneTurnOptions,
): Promise<ReadonlyMap<string, number> | undefined> {
  const { clock, entityKind, signal, horizonMs } = options;
  const horizons = createTombstoneHorizons(options);
  const known = await horizons.read();
  let isRaised = false;
  const keeps = keepsOf(await readTables(options), entityKind);
  for (const [tableId, { tombstoneAgeMs }] of keeps) {
    if (tombstoneAgeMs === undefined) continue;
    const ownMs = tombstoneHorizonMs({
      nowMs: clock.nowMs(),
      ageMs: tombstoneAgeMs,
      passedMs: options.passedMs,
      driftMsMax: options.driftMsMax,
    });
    if (ownMs === undefined) return undefined;
    const recordedMs = known.tables.get(tableId);
    // Until now it was collected as all others are.
    const nextMs = Math.max(ownMs, recordedMs ?? horizonMs);
    if (nextMs === recordedMs) continue;
    await horizons.raise(nextMs, tableId);
    isRaised = true;
  }
  if (isRaised) await clock.sleep(NOTICE_MS, signal);
  if (signal?.aborted === true) return undefined;
  return (await horizons.read()).tables;
}
