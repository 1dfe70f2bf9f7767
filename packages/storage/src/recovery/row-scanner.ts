import type { RowScanner, TableStore } from '@tandem/core';
import { judgeRow, type JudgeRowOptions } from '../rows/judge-row.ts';
import { ENTITY_ROWS_FROM, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';

export interface TableRowScannerOptions {
  readonly store: TableStore;
  readonly kind: JudgeRowOptions['kind'];
  /** Without it a row in another bucket than its own counts as one. */
  readonly bucketCount?: number;
  /** Another table than the kind's own. */
  readonly table?: string;
}

const PAGE_ROWS = 1_000;

/** The rows of one entity kind in the order of their keys, outbox rows left out. */
export function createTableRowScanner(options: TableRowScannerOptions): RowScanner {
  const { store, kind, table = kind.name, bucketCount } = options;
  return {
    async *scan(bucket) {
      let continuation: string | undefined;
      do {
        const page = await store.query({
          table,
          partitions: bucket,
          rowsFrom: ENTITY_ROWS_FROM,
          rowsBefore: SYSTEM_ROWS_FROM,
          limit: PAGE_ROWS,
          ...(continuation === undefined ? {} : { continuation }),
        });
        for (const row of page.rows) {
          const judged = judgeRow(row, { kind, bucketCount });
          const { rowKey } = row;
          yield judged.kind === 'row' ? { kind: 'row', rowKey, row: judged.row } : judged;
        }
        ({ continuation } = page);
      } while (continuation !== undefined);
    },
  };
}
