import type { StoredRow } from '@tandem/core';
import { createPackedRows } from './packed-rows.ts';
import { withRecentRows } from './recent-rows.ts';

/**
 * Rows as this process last saw them. Anyone may have changed them since, so what is recalled is good
 * only for a write that its ETag guards.
 */
export interface RowMemory {
  recall(entityId: string): StoredRow | undefined;
  /** Rows of one id are the same if their ETags and their stamps are: a stamp is of one transaction. */
  remember(row: StoredRow): void;
  forget(entityId: string): void;
  /** Of all that it has taken so far, outside the heap. */
  readonly bytesTaken: number;
}

export interface RowMemoryOptions {
  readonly bytesMax?: number | undefined;
}

/** A million customers, and room beside it in a container of 512 MiB. It is taken as rows come. */
export const ROW_MEMORY_BYTES_DEFAULT = 192 * 1024 * 1024;

/** `bytesMax` bounds what is outside the heap; the rows that came last are in it, and bounded by themselves. */
export function createRowMemory(options: RowMemoryOptions = {}): RowMemory {
  const { bytesMax = ROW_MEMORY_BYTES_DEFAULT } = options;
  return withRecentRows(createPackedRows(bytesMax));
}
