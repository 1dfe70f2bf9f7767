import { ByteLog } from './byte-log.ts';
import { RowPacker } from './pack-row.ts';
import { PositionIndex } from './position-index.ts';
import type { RowMemory } from './row-memory.ts';

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
