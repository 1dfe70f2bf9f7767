import type { ChangeSet } from '../model/change-set.ts';
import type { ArchiveSpan } from './archive.ts';
import type { ConflictJournal } from './conflict-journal.ts';
import type { Outbox } from './outbox.ts';
import type { Replica, StoredRow } from './replica.ts';

export type ScannedRow =
  | { readonly kind: 'row'; readonly rowKey: string; readonly row: StoredRow }
  /** Not written by this product, or no longer readable. */
  | {
      readonly kind: 'damaged';
      readonly rowKey: string;
      readonly problem: string;
      /** Is true where no entity can have the key: nothing is missing for it. */
      readonly isForeign: boolean;
    };

export interface RowScanner {
  /** Yields every row of the bucket, tombstones included, in the order of the row keys. */
  scan(bucket: string): AsyncIterable<ScannedRow>;
}

export interface ArchiveRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
  /** Guards the row that it was read from, or that it replaces; undefined where there is none. */
  readonly etag: string | undefined;
  /** It stands where a change set is missing, until that itself is archived. */
  readonly isStandIn?: boolean;
  /** Values were erased in it. It keeps them out: while it is there, the change set is not archived again. */
  readonly isErased?: boolean;
}

export type ScannedArchiveRow =
  | ({ readonly kind: 'set' } & ArchiveRow)
  | {
      readonly kind: 'damaged';
      readonly partitionKey: string;
      readonly rowKey: string;
      readonly problem: string;
      readonly etag: string | undefined;
    };

/** Keeps the archive of a region row by row, for copying, replaying and erasing. */
export interface ArchiveKeeper {
  /** In the order of (partition key, row key). A damaged row is an outcome, not an error. */
  scan(span: ArchiveSpan): AsyncIterable<ScannedArchiveRow>;
  /**
   * Writes each row over the one with its ETag, and a row without one where there is none: nothing that was
   * archived meanwhile is overwritten. Resolves with those that were left out for that.
   */
  put(rows: readonly ArchiveRow[]): Promise<readonly ArchiveRow[]>;
  /**
   * Records states of entities that no change set here may hold: each under the stamp of its newest
   * transaction, joined with what is recorded there. The change sets that are there stay as they are.
   * Each set has one change. Idempotent. Throws `WRITE_CONTENDED`.
   */
  restore(sets: readonly ChangeSet[]): Promise<void>;
  /**
   * Takes the rows away that are as they were read, and resolves with them; one that somebody has written to
   * meanwhile stays.
   */
  drop(rows: readonly ArchiveRow[]): Promise<readonly ArchiveRow[]>;
  /**
   * Resolves with how far back the archive of the entity kind goes: a replay to that time in milliseconds, or to a
   * later one, gives what was, and one to an earlier time does not. Undefined where nothing was ever trimmed. Throws
   * `ARCHIVE_DAMAGED` where nobody can read it.
   */
  horizonMs(entityKind: string): Promise<number | undefined>;
  /** Records that nothing before that time is kept whole. It never goes back. Throws `WRITE_CONTENDED`. */
  raiseHorizon(entityKind: string, horizonMs: number): Promise<void>;
}

/** Is one entity kind in one region, as verify, repair, rebuild and replay see it. */
export interface RecoveryRegion {
  readonly region: string;
  readonly entityKind: string;
  readonly buckets: readonly string[];
  readonly rows: RowScanner;
  readonly replica: Replica;
  readonly archive: ArchiveKeeper;
  readonly conflicts: ConflictJournal;
  readonly outbox: Outbox;
}
