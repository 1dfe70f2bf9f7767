import {
  AppError,
  type EntityKind,
  type RowScanner,
  type ScannedRow,
  type TableStore,
} from '@tandem/core';
import { fromEntityProperties } from '../rows/entity-row.ts';
import { decodeRowKey, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';

export interface TableRowScannerOptions {
  readonly store: TableStore;
  readonly kind: Pick<EntityKind, 'name'>;
  /** Another table than the kind's own. */
  readonly table?: string;
}

const PAGE_ROWS = 1_000;

/** The rows of one entity kind in the order of their keys, outbox rows left out. */
export function createTableRowScanner(options: TableRowScannerOptions): RowScanner {
  const { store, kind, table = kind.name } = options;
  return {
    async *scan(bucket) {
      let continuation: string | undefined;
      do {
        const page = await store.query({
          table,
          partitions: bucket,
          rowsBefore: SYSTEM_ROWS_FROM,
          limit: PAGE_ROWS,
          ...(continuation === undefined ? {} : { continuation }),
        });
        for (const { rowKey, etag, properties } of page.rows) {
          yield readRow(rowKey, () => ({
            entityId: decodeRowKey(rowKey),
            etag,
            ...fromEntityProperties(properties),
          }));
        }
        ({ continuation } = page);
      } while (continuation !== undefined);
    },
  };
}

function readRow(
  rowKey: string,
  read: () => Extract<ScannedRow, { kind: 'row' }>['row'],
): ScannedRow {
  try {
    return { kind: 'row', rowKey, row: read() };
  } catch (error) {
    // A key that someone else made may not even be one that can be decoded.
    if (!(error instanceof AppError) && !(error instanceof URIError)) throw error;
    return { kind: 'damaged', rowKey, problem: error.message };
  }
}
