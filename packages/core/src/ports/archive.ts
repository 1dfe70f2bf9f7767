import type { ChangeSet } from '../model/change-set.ts';

export interface ArchiveEntry {
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
}

export type ArchiveKey = Pick<ChangeSet, 'entityKind' | 'bucket' | 'stamp'>;

export interface ArchiveSpan {
  readonly entityKind: string;
  readonly bucket: string;
  /** Bounds the time in milliseconds since the epoch, inclusive and exclusive. */
  readonly fromMs?: number;
  readonly beforeMs?: number;
}

/** Holds every change set committed or applied in this region, ordered by stamp within a bucket. */
export interface Archive {
  /** Idempotent: the same change set has the same key. */
  append(entries: readonly ArchiveEntry[]): Promise<void>;
  has(key: ArchiveKey): Promise<boolean>;
  /** Yields them in stamp order. */
  read(span: ArchiveSpan): AsyncIterable<ChangeSet>;
}
