import {
  decodeFieldValue,
  type EntityState,
  encodeFieldValue,
  type FieldValue,
  type NullableFieldValue,
  newestStamp,
  type Stamp,
  type StampedField,
  type StoredRow,
  stampRegion,
} from '@tandem/core';
import { PackedBytes } from './packed-bytes.ts';

/** Names of fields, of regions with their writers, and of archive partitions. */
const NAMES_MAX = 4_096;
const NAME_LENGTH_MAX = 256;
const UNNUMBERED = 0;
const SCRATCH_BYTES = 8 * 1024;

const NO_REFERENCE = 0;
/** To the archive row of one of the row's own stamps. */
const OWN_REFERENCE = 1;
const OTHER_REFERENCE = 2;

const NULL_TYPE = 0;
const JSON_TYPE = 1;
/** Kept as they are; of the other types the JSON form is, which is exact for all. */
const TEXT_TYPES = ['String', 'DateTime', 'Guid'] as const;
const TEXT_TYPE_FROM = 2;

/** With what a packed row begins; `version` begins with `id`, and is that of no other row. */
export interface PackedVersion {
  readonly id: Uint8Array;
  /** Id, ETag and stamps. */
  readonly version: Uint8Array;
}

/**
 * Rows as few bytes, and back, exact in every field. What stands in many rows (names of fields,
 * writers of stamps) is kept once, so what one packer has packed only that one can unpack.
 */
export class RowPacker {
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #scratch = new PackedBytes(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
  /** Of the version that was packed last. */
  #stamps: readonly Stamp[] = [];

  /** All that is packed here is good until something else is packed. */
  packId(entityId: string): Uint8Array {
    const packed = this.#scratch;
    packed.at = 0;
    packed.putText(entityId);
    return packed.written();
  }

  packVersion({ entityId, etag, state }: StoredRow): PackedVersion {
    const id = this.packId(entityId);
    const packed = this.#scratch;
    packed.putText(etag);
    const stamps = distinctStamps(state);
    packed.putCount(stamps.length);
    for (const stamp of stamps) this.#putStamp(packed, stamp);
    this.#stamps = stamps;
    return { id, version: packed.written() };
  }

  /** The whole of the row whose version was the last that was packed. */
  packRest({ entityId, state, referenceId }: StoredRow): Uint8Array {
    const packed = this.#scratch;
    const stamps = this.#stamps;
    packed.putCount(state.vector.size);
    for (const stamp of state.vector.values()) packed.putCount(stamps.indexOf(stamp));
    packed.putCount(state.alive === undefined ? 0 : stamps.indexOf(state.alive) + 1);
    packed.putCount(state.deleted === undefined ? 0 : stamps.indexOf(state.deleted) + 1);
    packed.putCount(state.fields.size);
    for (const [name, { value, stamp }] of state.fields) {
      this.#putName(packed, name);
      packed.putCount(stamps.indexOf(stamp));
      putValue(packed, value);
    }
    this.#putReference(packed, { referenceId, entityId, newest: newestStamp(state.vector) });
    return packed.written();
  }

  unpack(bytes: Buffer): StoredRow {
    const packed = new PackedBytes(bytes);
    const entityId = packed.text();
    const etag = packed.text();
    const stamps: Stamp[] = [];
    for (let left = packed.count(); left > 0; left -= 1) stamps.push(this.#stamp(packed));
    const stampAt = (index: number): Stamp => stamps[index]!;
    const vector = new Map<string, Stamp>();
    for (let left = packed.count(); left > 0; left -= 1) {
      const stamp = stampAt(packed.count());
      vector.set(stampRegion(stamp), stamp);
    }
    const [alive, deleted] = [packed.count(), packed.count()];
    const fields = new Map<string, StampedField>();
    for (let left = packed.count(); left > 0; left -= 1) {
      const name = this.#name(packed);
      const stamp = stampAt(packed.count());
      fields.set(name, { value: readValue(packed), stamp });
    }
    const state: EntityState = {
      fields,
      alive: alive === 0 ? undefined : stampAt(alive - 1),
      deleted: deleted === 0 ? undefined : stampAt(deleted - 1),
      vector,
    };
    return { entityId, etag, state, referenceId: this.#reference(packed, { entityId, vector }) };
  }

  /** `<time>-<counter>-<region>-<writer>`, where region and writer are one name. */
  #putStamp(packed: PackedBytes, stamp: Stamp): void {
    packed.putUint48(parseInt(stamp.slice(0, 12), 16));
    packed.putUint16(parseInt(stamp.slice(13, 17), 16));
    this.#putName(packed, stamp.slice(18));
  }

  #stamp(packed: PackedBytes): Stamp {
    const time = packed.uint48().toString(16).padStart(12, '0');
    const counter = packed.uint16().toString(16).padStart(4, '0');
    return `${time}-${counter}-${this.#name(packed)}` as Stamp;
  }

  #putReference(
    packed: PackedBytes,
    row: Pick<StoredRow, 'referenceId' | 'entityId'> & { newest: Stamp | undefined },
  ): void {
    const { referenceId } = row;
    if (referenceId === undefined) return packed.putByte(NO_REFERENCE);
    const ending = endingOf(row);
    if (referenceId.endsWith(ending)) {
      packed.putByte(OWN_REFERENCE);
      this.#putName(packed, referenceId.slice(0, -ending.length));
    } else {
      packed.putByte(OTHER_REFERENCE);
      packed.putText(referenceId);
    }
  }

  #reference(
    packed: PackedBytes,
    { entityId, vector }: { readonly entityId: string; readonly vector: EntityState['vector'] },
  ): string | undefined {
    const form = packed.byte();
    if (form === NO_REFERENCE) return undefined;
    if (form === OTHER_REFERENCE) return packed.text();
    return `${this.#name(packed)}${endingOf({ entityId, newest: newestStamp(vector) })}`;
  }

  /** Its number, from 1 on; what came when there was room for no more names stands there itself. */
  #putName(packed: PackedBytes, name: string): void {
    let number = this.#numbers.get(name);
    if (number === undefined && this.#names.length < NAMES_MAX && name.length <= NAME_LENGTH_MAX) {
      number = this.#names.push(name);
      this.#numbers.set(name, number);
    }
    packed.putCount(number ?? UNNUMBERED);
    if (number === undefined) packed.putText(name);
  }

  #name(packed: PackedBytes): string {
    const number = packed.count();
    return number === UNNUMBERED ? packed.text() : this.#names[number - 1]!;
  }
}

/** A row has few, so a list is quicker than a set. */
function distinctStamps({ vector, alive, deleted, fields }: EntityState): Stamp[] {
  const stamps: Stamp[] = [];
  const consider = (stamp: Stamp | undefined): void => {
    if (stamp !== undefined && !stamps.includes(stamp)) stamps.push(stamp);
  };
  for (const stamp of vector.values()) consider(stamp);
  consider(alive);
  consider(deleted);
  for (const { stamp } of fields.values()) consider(stamp);
  return stamps;
}

/** How `referenceIdOf` ends where it names the newest transaction. */
function endingOf(row: { readonly entityId: string; readonly newest: Stamp | undefined }): string {
  return `/${row.newest}/${row.entityId}`;
}

function putValue(packed: PackedBytes, value: NullableFieldValue): void {
  if (value === null) return packed.putByte(NULL_TYPE);
  switch (value.type) {
    case 'String':
    case 'DateTime':
    case 'Guid':
      packed.putByte(TEXT_TYPE_FROM + TEXT_TYPES.indexOf(value.type));
      return packed.putText(value.value);
    case 'Boolean':
    case 'Int32':
    case 'Int64':
    case 'Double':
    case 'Binary':
    default:
      packed.putByte(JSON_TYPE);
      return packed.putText(JSON.stringify(encodeFieldValue(value)));
  }
}

function readValue(packed: PackedBytes): NullableFieldValue {
  const code = packed.byte();
  if (code === NULL_TYPE) return null;
  if (code === JSON_TYPE) return decodeFieldValue(JSON.parse(packed.text())) ?? null;
  return { type: TEXT_TYPES[code - TEXT_TYPE_FROM]!, value: packed.text() } satisfies FieldValue;
}
