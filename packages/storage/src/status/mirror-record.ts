// How far a mirror is, in the `Replication` of the region that keeps it.
import type { TableStore } from '@tandem/core';
import {
  createStatusRow,
  type StatusRow,
  textColumn,
  timeColumn,
  wholeNumberColumn,
} from './status-row.ts';

export interface MirrorRecord {
  /** When the mirror was begun: what an earlier one of the same table recorded does not count. */
  readonly sinceMs: number;
  /** Is the id of the last row that is settled in this pass; empty before the first. */
  readonly behind: string;
  readonly passStartedMs: number;
  /** Every write that was here by then is in the mirror; 0 before the first pass has ended. */
  readonly equalMs: number;
  /** What the last whole pass took, in milliseconds; 0 before one has ended. */
  readonly passMs: number;
  readonly passes: number;
  /** Rows of ours that the last pass had; 0 before one has ended. */
  readonly rows: number;
  /** Rows of ours that this pass has met. */
  readonly read: number;
  /** Since the mirror was begun. */
  readonly written: number;
  readonly deleted: number;
  /** Rows that this pass, and the last one, could not bring there. */
  readonly refused: number;
  readonly refusedBefore: number;
  /** One of them, and why; empty where there is none. */
  readonly refusal: string;
  /** What keeps it from going on; empty where nothing does. */
  readonly trouble: string;
}

export function createMirrorRecord({
  store,
  tableId,
}: {
  readonly store: TableStore;
  readonly tableId: string;
}): StatusRow<MirrorRecord> {
  return createStatusRow<MirrorRecord>({
    store,
    partitionKey: 'mirror',
    rowKey: tableId,
    columns: {
      sinceMs: timeColumn(),
      behind: textColumn(),
      passStartedMs: timeColumn(),
      equalMs: timeColumn(),
      passMs: wholeNumberColumn(0),
      passes: wholeNumberColumn(),
      rows: wholeNumberColumn(),
      read: wholeNumberColumn(),
      written: wholeNumberColumn(),
      deleted: wholeNumberColumn(),
      refused: wholeNumberColumn(),
      refusedBefore: wholeNumberColumn(),
      refusal: textColumn(),
      trouble: textColumn(),
    },
  });
}

/** Returns for how long, at most, a write that is here is not in the mirror yet; null before the first pass has ended. */
export function mirrorLagMs({ equalMs }: MirrorRecord, nowMs: number): number | null {
  return equalMs === 0 ? null : Math.max(0, Math.round(nowMs - equalMs));
}
