import type { ChangeSet } from '../model/change-set.ts';

/** Is a change set committed here, not yet archived and accepted by every peer's queue. */
export interface OutboxEntry {
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
  /** Names the peers whose queue has not accepted it. */
  readonly owed: readonly string[];
  /** Is the writer's wall clock before the commit began, so never later than the acknowledgement. */
  readonly committedAfterMs: number;
  /** Names the one peer that it was parked for; undefined while it is owed to all of `owed`. */
  readonly parkedFor: string | undefined;
  /**
   * Names the entity whose row tells whether the set was committed: it is only prepared, and must neither be sent nor
   * archived before `settle` has said so. Absent for every other entry, and of one that was seen to be committed.
   */
  readonly prepared?: string | undefined;
}

export interface OutboxScan {
  readonly bucket: string;
  /** Read what is parked for this peer; without it, what is not parked. */
  readonly parkedFor?: string;
  readonly limit: number;
  readonly continuation?: string;
}

export interface OutboxPage {
  /** Begins with the oldest stamp. */
  readonly entries: readonly OutboxEntry[];
  /** Holds the keys of rows that this build cannot read. They stay, and no watermark may claim them. */
  readonly unreadable: readonly string[];
  /**
   * Holds the keys of rows that an operator has set aside. They are not sent, and no watermark may claim them.
   */
  readonly aside: readonly string[];
  readonly continuation?: string;
}

/** Keeps the outbox rows of one entity kind. The table is the queue: nothing here is kept in memory. */
export interface Outbox {
  readonly entityKind: string;
  readonly buckets: readonly string[];
  scan(scan: OutboxScan): Promise<OutboxPage>;
  /** Deletes the rows. Idempotent: a row that is gone is no error. */
  remove(entries: readonly OutboxEntry[]): Promise<void>;
  /**
   * Moves an entry out of the way of the others, once for each peer that is still owed, so that a
   * slow peer holds up no other. Idempotent; an entry that is gone stays gone.
   */
  park(entry: OutboxEntry, owed: readonly string[]): Promise<void>;
  /**
   * Finds out whether a prepared entry was committed, and sees to it that it never will be where it was not:
   * then its row is gone. Idempotent; an entry that is gone already was settled by someone else. Throws
   * `ROW_MALFORMED` while the row that would tell is damaged and nothing else does.
   */
  settle(entry: OutboxEntry): Promise<'committed' | 'undone' | 'gone'>;
}
