import type { ChangeSet } from '../model/change-set.ts';
import type { Horizons } from '../model/horizons.ts';
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
  /**
   * Yields every row of the bucket, tombstones included, in the order of the row keys; of an open kind, whose ids are
   * its row keys, only those that begin with the prefix where one is given.
   */
  scan(bucket: string, idPrefix?: string): AsyncIterable<ScannedRow>;
}

export interface ArchiveRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
  /** Guards the row that it was read from, or that it replaces; undefined where there is none. */
  readonly etag: string | undefined;
  /** Counts the rows of the table that lie there under that ETag, of a large set several; one by default. */
  readonly rowCount?: number | undefined;
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
      readonly rowCount?: number | undefined;
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
   * Resolves with how far back the archive of the entity kind goes, or that of one table of clients among it: a replay
   * to that time in milliseconds, or to a later one, gives what was, and one to an earlier time does not. Undefined
   * where nothing was ever trimmed. Throws `ARCHIVE_DAMAGED` where nobody can read it; that of another table counts for nothing.
   */
  horizonMs(entityKind: string, tableId?: string): Promise<number | undefined>;
  /** Resolves with the same of the kind and of each of its tables that has a horizon of its own, or of those of them alone. */
  horizons(entityKind: string, tableIds?: ReadonlySet<string>): Promise<Horizons>;
  /**
   * Records that nothing of the kind, or of one of its tables, is kept whole before that time. It never goes back; the
   * first of a table is no earlier than that of the kind, which counted before. Throws `WRITE_CONTENDED`.
   */
  raiseHorizon(entityKind: string, horizonMs: number, tableId?: string): Promise<void>;
}

/** Is one entity kind in one region, as verify, repair, rebuild and replay see it. */
export interface RecoveryRegion {
  readonly region: string;
  readonly entityKind: string;
  readonly buckets: readonly string[];
  /** Where it is of one table of clients, what the ids of its rows begin with; all of the kind by default. */
  readonly idPrefix?: string | undefined;
  readonly rows: RowScanner;
  readonly replica: Replica;
  readonly archive: ArchiveKeeper;
  readonly conflicts: ConflictJournal;
  readonly outbox: Outbox;
  /**
   * Says until when tombstones were collected of the tables of clients that have an age of their own; undefined where
   * the kind holds no such tables.
   */
  readonly tombstones?: HorizonRecord | undefined;
  /** Says how far back the journal of conflicts goes; all of it where it is undefined. */
  readonly conflictsFrom?: HorizonRecord | undefined;
}

/** Keeps before when something was taken away, in the table that it is about. */
export interface HorizonRecord {
  /** Throws `ARCHIVE_DAMAGED` where nobody can read one of the kind, or of those tables of it that are asked for: of all by default. */
  read(tableIds?: ReadonlySet<string>): Promise<Horizons>;
  /** It never goes back; the first of a table is no earlier than that of the kind. Throws `WRITE_CONTENDED`. */
  raise(horizonMs: number, tableId?: string): Promise<void>;
}
