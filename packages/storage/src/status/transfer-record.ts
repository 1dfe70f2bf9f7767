// How far the import of a table into a region is, or its export into an account, in the region's own `Replication`: whoever
// goes on with it, on whatever machine, begins where everything before is settled.
import type { TableStore } from '@tandem/core';
import { createStatusRow, type StatusRow, textColumn, wholeNumberColumn } from './status-row.ts';

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
