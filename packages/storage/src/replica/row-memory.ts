import type { EntityState, StoredRow } from '@tandem/core';
import { ByteLog } from './byte-log.ts';
import { RowPacker } from './pack-row.ts';
import { PositionIndex } from './position-index.ts';

/**
 * Rows as this process last saw them. Anyone may have changed them since, so what is recalled is good
 * only for a write that its ETag guards.
 */
export interface RowMemory {
  recall(entityId: string): StoredRow | undefined;
  /** Rows of one id are the same if their ETags and their stamps are: a stamp is of one transaction. */
  remember(row: StoredRow): void;
  forget(entityId: string): void;
  /** Of all that it has taken so far, outside the heap. */
  readonly bytesTaken: number;
}

export interface RowMemoryOptions {
  readonly bytesMax?: number | undefined;
}

/** A million customers, and room beside it in a container of 512 MiB. It is taken as rows come. */
export const ROW_MEMORY_BYTES_DEFAULT = 192 * 1024 * 1024;

/** `bytesMax` bounds what is outside the heap; the rows that came last are in it, and bounded by themselves. */
export function createRowMemory(options: RowMemoryOptions = {}): RowMemory {
  const { bytesMax = ROW_MEMORY_BYTES_DEFAULT } = options;
  return withRecentRows(createPackedRows(bytesMax));
}

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

/** The part of the bound that is for finding the rows. */
const INDEX_SHARE = 1 / 8;

/**
 * Bounded by bytes; what was taken in first is forgotten first. Rows are packed (a customer's into about
 * 160 bytes, where its objects take 1,600) outside the heap: many fit, and the garbage collector has none of
 * them to look at.
 */
export function createPackedRows(bytesMax: number): RowMemory {
  const packer = new RowPacker();
  const log = new ByteLog(bytesMax * (1 - INDEX_SHARE));
  const index = new PositionIndex(bytesMax * INDEX_SHARE, log);

  const find = (id: Uint8Array, hash: number): number | undefined =>
    index.find(hash, (position) => log.beginsWith(position, id));

  return {
    get bytesTaken() {
      return log.bytesTaken + index.bytesTaken;
    },
    recall(entityId) {
      const position = find(packer.packId(entityId), hashOf(entityId));
      const packed = position === undefined ? undefined : log.read(position);
      return packed && packer.unpack(packed);
    },
    remember(row) {
      const hash = hashOf(row.entityId);
      const { id, version } = packer.packVersion(row);
      const held = find(id, hash);
      // What is read again and again has mostly not changed.
      if (held !== undefined && log.beginsWith(held, version)) return;
      const packed = packer.packRest(row);
      if (held !== undefined && log.replace(held, packed)) return;
      if (held !== undefined) index.remove(hash, held);
      const position = log.append(packed, hash);
      if (position !== undefined) index.add(hash, position);
    },
    forget(entityId) {
      const hash = hashOf(entityId);
      const position = find(packer.packId(entityId), hash);
      if (position !== undefined) index.remove(hash, position);
    },
  };
}

/** 32 bits, FNV-1a with its bits mixed once more: ids often differ in their last digits alone. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
