import { type EntityState, type StoredRow, valueBytes } from '@tandem/core';

/**
 * Rows as this process last saw them. Anyone may have changed them since, so what is recalled is good
 * only for a write that its ETag guards.
 */
export interface RowMemory {
  recall(entityId: string): StoredRow | undefined;
  remember(row: StoredRow): void;
  forget(entityId: string): void;
}

export interface RowMemoryOptions {
  readonly rowsMax?: number;
  readonly bytesMax?: number;
}

const ROWS_MAX_DEFAULT = 20_000;
const BYTES_MAX_DEFAULT = 64 * 1024 * 1024;
/** Of the objects that hold a row and one of its fields, about. */
const ROW_BYTES = 600;
const FIELD_BYTES = 200;

/** Forgets first what was not used for longest. */
export function createRowMemory(options: RowMemoryOptions = {}): RowMemory {
  const { rowsMax = ROWS_MAX_DEFAULT, bytesMax = BYTES_MAX_DEFAULT } = options;
  const rows = new Map<string, { readonly row: StoredRow; readonly bytes: number }>();
  let bytes = 0;

  const forget = (entityId: string): void => {
    bytes -= rows.get(entityId)?.bytes ?? 0;
    rows.delete(entityId);
  };

  return {
    recall(entityId) {
      const found = rows.get(entityId);
      if (found === undefined) return undefined;
      rows.delete(entityId);
      rows.set(entityId, found);
      return found.row;
    },
    remember(row) {
      forget(row.entityId);
      const own = stateBytes(row.state);
      rows.set(row.entityId, { row, bytes: own });
      bytes += own;
      for (const oldest of rows.keys()) {
        if (rows.size <= rowsMax && bytes <= bytesMax) break;
        forget(oldest);
      }
    },
    forget,
  };
}

function stateBytes(state: EntityState): number {
  let bytes = ROW_BYTES;
  for (const { value } of state.fields.values()) {
    bytes += FIELD_BYTES + (value === null ? 0 : valueBytes(value));
  }
  return bytes;
}
