import type { EntityState, StoredRow } from '@tandem/core';
import type { RowMemory } from './row-memory.ts';

/** Of customers some 6 MiB of the heap, of the heaviest rows some 30. */
const ROWS_MAX = 4_096;
/** Characters of all texts, and what the objects of each field weigh; a larger row is packed at once. */
const ROW_WEIGHT_MAX = 2_048;
const FIELD_WEIGHT = 100;

/**
 * Keeps the rows that came last as they are in front of a memory that packs them: what is written again
 * soon is neither packed nor unpacked. What came first goes to the memory behind when there are too many.
 */
export function withRecentRows(behind: RowMemory): RowMemory {
  const recent = new Map<string, StoredRow>();
  // It stays before the first row: a new one would begin with what was deleted there.
  const oldest = recent.values();
  return {
    get bytesTaken() {
      return behind.bytesTaken;
    },
    recall: (entityId) => recent.get(entityId) ?? behind.recall(entityId),
    remember(row) {
      if (!isLight(row.state)) {
        recent.delete(row.entityId);
        behind.remember(row);
        return;
      }
      recent.set(row.entityId, row);
      if (recent.size <= ROWS_MAX) return;
      const first = oldest.next();
      if (first.done === true) return;
      recent.delete(first.value.entityId);
      behind.remember(first.value);
    },
    forget(entityId) {
      recent.delete(entityId);
      behind.forget(entityId);
    },
  };
}

/** Bytes may be written over by whoever gave them or was given them, so a row that has some is packed. */
function isLight({ fields }: EntityState): boolean {
  let weight = 0;
  for (const { value } of fields.values()) {
    if (value?.type === 'Binary') return false;
    weight += FIELD_WEIGHT + (value?.type === 'String' ? value.value.length : 0);
    if (weight > ROW_WEIGHT_MAX) return false;
  }
  return true;
}
