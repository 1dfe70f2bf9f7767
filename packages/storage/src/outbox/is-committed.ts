import type { Archive, ArchiveKey, TableStore } from '@tandem/core';
import { outboxRowKey } from './outbox-row.ts';

export interface CommittedContext extends Pick<TableStore, 'get'> {
  readonly archive: Pick<Archive, 'has'>;
  readonly table: string;
}

/** Tells whether this region has committed, or applied, a change set: one of its two rows is always there. */
export async function isCommitted(
  key: ArchiveKey,
  { get, archive, table }: CommittedContext,
): Promise<boolean> {
  // The outbox first: what has left it is in the archive already.
  const row = await get(table, key.bucket, outboxRowKey(key.stamp));
  return row !== undefined || (await archive.has(key));
}
