// How far the copy of an old table is, in the `Replication` of its home region: whichever process goes on with it begins
// where everything before is settled, and whoever asks reads it there.
import type { TableStore } from '@tandem/core';
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
