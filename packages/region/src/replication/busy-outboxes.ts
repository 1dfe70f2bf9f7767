// Which outboxes a pass of the sweep has to read: a region that has no table of clients pays for none.
import { type Clock, localRowsKind, type Outbox, type TableStore } from '@tandem/core';
import { isCatalogueUsed } from '@tandem/storage';
import { isOwnKind } from '../region-tables.ts';

interface BusyOutboxesOptions {
  readonly store: Pick<TableStore, 'query'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** By entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
}

/** No peer waits for what is not replicated, and no watermark speaks of it: it is only to be archived. */
const LOCAL_INTERVAL_MS = 30_000;

/**
 * Returns what tells which outboxes may hold something that was committed before it is asked. No row of a table of
 * clients is written before the catalogue has a record, and none of its records is ever removed: until there is
 * one, a single question takes the place of those to every bucket.
 */
export function createBusyOutboxes(options: BusyOutboxesOptions): () => Promise<readonly Outbox[]> {
  const { store, clock, outboxes } = options;
  const ofOwner = [...outboxes.values()].filter(({ entityKind }) => !isOwnKind(entityKind));
  const replicated = [...outboxes.values()].filter(
    ({ entityKind }) => entityKind !== localRowsKind.name,
  );
  let isUsed = false;
  let localSweptMs = Number.NEGATIVE_INFINITY;
  return async () => {
    isUsed ||= await isCatalogueUsed(store);
    if (!isUsed) return ofOwner;
    const nowMs = clock.nowMs();
    // A clock that was set back must not put it off.
    if (Math.abs(nowMs - localSweptMs) < LOCAL_INTERVAL_MS) return replicated;
    localSweptMs = nowMs;
    return [...outboxes.values()];
  };
}
