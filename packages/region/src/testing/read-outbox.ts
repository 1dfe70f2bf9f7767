import type { OutboxEntry } from '@tandem/core';
import type { RegionTables } from '../region-tables.ts';

const PAGE_ROWS = 100;

/** Reads what is owed to any peer, of every kind; at most a page of each bucket. */
export async function readOutbox({ outboxes }: RegionTables): Promise<readonly OutboxEntry[]> {
  const entries: OutboxEntry[] = [];
  for (const outbox of outboxes.values()) {
    for (const bucket of outbox.buckets) {
      entries.push(...(await outbox.scan({ bucket, limit: PAGE_ROWS })).entries);
    }
  }
  return entries;
}
