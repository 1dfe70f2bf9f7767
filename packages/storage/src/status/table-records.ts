// How far the work on a table of clients is, in the `Replication` of the region that does it: the copy of the old table that it
// was taken over from, its mirror, its move to another space, an import into it or an export. Whichever process goes on with it, on whatever machine,
// begins where everything before is settled, and whoever asks reads it there.
import { isBelievable, type OwnClock, type TableStore } from '@tandem/core';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  createStatusRow,
  jsonColumn,
  type StatusRow,
  textColumn,
  timeColumn,
  wholeNumberColumn,
} from './status-row.ts';

/** Is a row that somebody has to look at. */
export interface NamedRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly why: string;
}

export interface CopyRecord {
  /** Is the id of the last row that is settled; empty before the first. */
  readonly behind: string;
  readonly startedMs: number;
  readonly updatedMs: number;
  readonly read: number;
  readonly written: number;
  /** Rows that no region can have: the copy is not complete while there is one. */
  readonly refusedCount: number;
  readonly refused: readonly NamedRow[];
  /** Rows that somebody wrote past us since the table was taken over. */
  readonly strayCount: number;
  readonly stray: readonly NamedRow[];
  /** What keeps it from going on; empty where nothing does. */
  readonly trouble: string;
}

/** So many of a sort are named; all are counted. */
const NAMED_MAX = 10;
const WHY_LENGTH_MAX = 200;

const NamedSchema = Type.Array(
  Type.Object({ partitionKey: Type.String(), rowKey: Type.String(), why: Type.String() }),
  { maxItems: NAMED_MAX },
);

/** Returns those that are named, with as much of what is said of them as a column may hold. */
export function nameRows(known: readonly NamedRow[], more: readonly NamedRow[]): NamedRow[] {
  const named = [...known, ...more].slice(0, NAMED_MAX);
  return named.map((row) => ({ ...row, why: row.why.slice(0, WHY_LENGTH_MAX) }));
}

export function createCopyRecord({
  store,
  tableId,
}: {
  readonly store: TableStore;
  readonly tableId: string;
}): StatusRow<CopyRecord> {
  const named = jsonColumn<readonly NamedRow[]>((json) =>
    Value.Check(NamedSchema, json) ? json : undefined,
  );
  return createStatusRow<CopyRecord>({
    store,
    partitionKey: 'copy',
    rowKey: tableId,
    columns: {
      behind: textColumn(),
      startedMs: timeColumn(),
      updatedMs: timeColumn(),
      read: wholeNumberColumn(),
      written: wholeNumberColumn(),
      refusedCount: wholeNumberColumn(),
      refused: named,
      strayCount: wholeNumberColumn(),
      stray: named,
      trouble: textColumn(),
    },
  });
}

/** Returns how fast a copy has gone on, and how long it goes on at that pace where it is known how many `rows` there are. */
export function paceOf(
  { startedMs, updatedMs, read }: CopyRecord,
  rows: number | undefined,
): { readonly rowsPerSecond: number | null; readonly leftMs: number | null } {
  const tookMs = updatedMs - startedMs;
  if (tookMs <= 0 || read === 0) return { rowsPerSecond: null, leftMs: null };
  const rowsPerMs = read / tookMs;
  const leftMs = rows === undefined ? null : Math.round(Math.max(0, rows - read) / rowsPerMs);
  return { rowsPerSecond: Math.round(rowsPerMs * 1_000), leftMs };
}

/** How far a region is with bringing over what the old space of a table has: docs/adr/0044. */
export interface MoveRecord {
  /** When the table was moved: what an earlier move of the same rows recorded does not count. */
  readonly sinceMs: number;
  /** When the command began that did so last. */
  readonly startedMs: number;
  readonly updatedMs: number;
  /** Rows and change sets that were looked at. */
  readonly rows: number;
  readonly archived: number;
  /** Is in parts, since nobody has counted the rows. */
  readonly partsDone: number;
  readonly parts: number;
}

export function createMoveRecord({
  store,
  tableId,
}: {
  readonly store: TableStore;
  readonly tableId: string;
}): StatusRow<MoveRecord> {
  return createStatusRow<MoveRecord>({
    store,
    partitionKey: 'move',
    rowKey: tableId,
    columns: {
      sinceMs: timeColumn(),
      startedMs: timeColumn(),
      updatedMs: timeColumn(),
      rows: wholeNumberColumn(),
      archived: wholeNumberColumn(),
      partsDone: wholeNumberColumn(),
      parts: wholeNumberColumn(),
    },
  });
}

/** Returns how fast a region brings over, and how long it goes on at that pace; null where there is none yet. */
export function movePaceOf({
  startedMs,
  updatedMs,
  rows,
  archived,
  partsDone,
  parts,
}: MoveRecord): { readonly rowsPerSecond: number | null; readonly leftMs: number | null } {
  const tookMs = updatedMs - startedMs;
  const rowsPerSecond =
    tookMs <= 0 || rows + archived === 0 ? null : Math.round(((rows + archived) / tookMs) * 1_000);
  const leftMs =
    tookMs <= 0 || partsDone === 0 ? null : Math.round((tookMs / partsDone) * (parts - partsDone));
  return { rowsPerSecond, leftMs };
}

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

/**
 * Returns for how long, at most, a write that is here is not in the mirror yet; null before the first pass has ended, and
 * where the clock of that pass was wrong: the next one says it anew.
 */
export function mirrorLagMs(
  { equalMs }: Pick<MirrorRecord, 'equalMs'>,
  own: OwnClock,
): number | null {
  if (equalMs === 0 || !isBelievable(equalMs, own)) return null;
  return Math.max(0, Math.round(own.nowMs - equalMs));
}

export interface TransferRecord {
  /** Names the other side, and what would make it another one; never its key. Only the same transfer goes on. */
  readonly other: string;
  /** Is the source's own name for where to go on; empty at the end. */
  readonly next: string;
  readonly read: number;
  readonly created: number;
  readonly replaced: number;
  readonly same: number;
  readonly refused: number;
}

/** Keeps the record of the transfer into or out of one table, by the id of its rows. */
export function createTransferRecord({
  store,
  way,
  tableId,
}: {
  readonly store: TableStore;
  readonly way: 'import' | 'export';
  readonly tableId: string;
}): StatusRow<TransferRecord> {
  return createStatusRow<TransferRecord>({
    store,
    partitionKey: way,
    rowKey: tableId,
    columns: {
      other: textColumn(),
      next: textColumn(),
      read: wholeNumberColumn(),
      created: wholeNumberColumn(),
      replaced: wholeNumberColumn(),
      same: wholeNumberColumn(),
      refused: wholeNumberColumn(),
    },
  });
}
