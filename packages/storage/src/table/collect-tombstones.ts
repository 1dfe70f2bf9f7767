import {
  bucketNames,
  type EntityKind,
  isCollectable,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import {
  type DamagedEntityRow,
  ENTITY_ROWS_FROM,
  judgeRow,
  SYSTEM_ROWS_FROM,
} from '../rows/entity-row.ts';

export interface CollectOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** From `tombstoneHorizonMs`: what was stamped before it is collected. */
  readonly horizonMs: number;
  readonly signal?: AbortSignal;
  /** Told of each row that is none of an entity, or that nobody can read. */
  readonly onDamaged?: (row: DamagedEntityRow) => void;
}

const PAGE_ROWS = 500;

/** Deletes tombstones older than the horizon, each only if nobody wrote to it meanwhile. */
export async function collectTombstones(options: CollectOptions): Promise<number> {
  const { store, kind } = options;
  let collected = 0;
  for (const bucket of bucketNames(options.bucketCount)) {
    let continuation: string | undefined;
    do {
      if (options.signal?.aborted === true) return collected;
      const page = await store.query({
        table: kind.name,
        partitions: bucket,
        rowsFrom: ENTITY_ROWS_FROM,
        rowsBefore: SYSTEM_ROWS_FROM,
        limit: PAGE_ROWS,
        ...(continuation === undefined ? {} : { continuation }),
      });
      const doomed: TableRow[] = [];
      for (const row of page.rows) {
        const judged = judgeRow(row, options);
        if (judged.kind === 'damaged') options.onDamaged?.(judged);
        else if (isCollectable(judged.row.state, options.horizonMs)) doomed.push(row);
      }
      for (const row of doomed) {
        const outcome = await store.commit({
          table: kind.name,
          partitionKey: bucket,
          operations: [{ kind: 'delete', rowKey: row.rowKey, etag: row.etag }],
        });
        if (outcome.kind === 'committed') collected += 1;
      }
      ({ continuation } = page);
    } while (continuation !== undefined);
  }
  return collected;
}
