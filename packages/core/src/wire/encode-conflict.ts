import { deflateSync, inflateSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { chunk } from '../concurrency/bounded.ts';
import { OPEN_NAMES_MAX } from '../entity-kind/entity-fields.ts';
import { AppError, TerminalError } from '../errors.ts';
import { isPropertyName } from '../limits/table-limits.ts';
import type { Conflict, ContestedField } from '../model/conflict.ts';
import type { StampedField } from '../state/entity-state.ts';
import { isRegionName, isStamp, type Stamp } from '../time/stamp.ts';
import {
  decodeFieldValue,
  type EncodedFieldValue,
  encodeFieldValue,
} from '../values/field-value.ts';
import { inflateChangeSet, parseJson } from './change-set-bytes.ts';
import {
  LARGE_CONFLICT_PLAIN_BYTES_MAX,
  LARGE_SET_BOUNDS,
  type LargeSetBounds,
  type LargeSubject,
  toLargeSet,
} from './large-set.ts';
import { WIRE_VERSION } from './versions.ts';

/*
 * How a conflict is stored and sent: JSON, one object for each.
 *
 * Until release 0.1 `vectors` held the version vectors of the two states that had met, `fields` whatever one
 * of these had lost to the other, by whichever transactions, and a write that had lost to a deletion no
 * field. Nothing reads the vectors any longer; a stamp alone is the text of a vector, so the earlier builds
 * read what this one writes. To other regions conflicts go in a watermark that vouches for nothing (time 0),
 * which these builds read over: see docs/adr/0024.
 */

const StampText = Type.String({ maxLength: 80 });
const FieldSchema = Type.Tuple([StampText, Type.Unknown()]);

const ConflictSchema = Type.Object({
  entityKind: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]{0,40}$' }),
  entityId: Type.String({ minLength: 1, maxLength: 512 }),
  stamps: Type.Tuple([StampText, StampText]),
  fields: Type.Array(
    Type.Object({ name: Type.String(), winner: FieldSchema, loser: FieldSchema }),
    // As many as a row has names, those included that a write has set to nothing.
    { maxItems: OPEN_NAMES_MAX },
  ),
  life: Type.Optional(
    Type.Object({ alive: StampText, deleted: StampText, survives: Type.Boolean() }),
  ),
});

const CONFLICTS_PER_MESSAGE_MAX = 100;

const MessageSchema = Type.Object({
  wire: Type.Integer({ minimum: 1, maximum: WIRE_VERSION }),
  from: Type.String(),
  /** Base64 of the deflated JSON of an array of conflicts. */
  conflicts: Type.String({ minLength: 1 }),
});

const checkConflict = Compile(ConflictSchema);
const checkMessage = Compile(MessageSchema);
const checkConflicts = Compile(
  Type.Array(ConflictSchema, { minItems: 1, maxItems: CONFLICTS_PER_MESSAGE_MAX }),
);

type EncodedConflict = Static<typeof ConflictSchema>;

type Fault = (cause?: unknown) => TerminalError;

const encoder = new TextEncoder();

export function encodeConflict(conflict: Conflict): Uint8Array {
  return encoder.encode(JSON.stringify(toJson(conflict)));
}

/**
 * Says which conflicts are stored as large ones: what with their names fits no row beside the 64 KiB of columns for
 * people. Smaller ones lie as every build reads them.
 */
const LARGE_CONFLICT_BOUNDS: LargeSetBounds = {
  ...LARGE_SET_BOUNDS,
  plainBytesMax: 952 * 1_024,
};

const CONFLICT: LargeSubject = {
  name: 'A conflict',
  plainBytesMax: LARGE_CONFLICT_PLAIN_BYTES_MAX,
  remedy: 'no two rows of the table make as much. Find who forged one.',
};

/** Returns what is stored of a conflict: its JSON, or that as a large set is. Throws `TABLE_LIMIT_EXCEEDED`. */
export function encodeStoredConflict(
  conflict: Conflict,
  bounds: LargeSetBounds = LARGE_CONFLICT_BOUNDS,
): Uint8Array {
  const plain = encodeConflict(conflict);
  return plain.length > bounds.plainBytesMax ? toLargeSet(plain, bounds, CONFLICT) : plain;
}

/** Takes either form. Throws `ROW_MALFORMED`. */
export function decodeConflict(bytes: Uint8Array): Conflict {
  const json = parseJson(inflateStored(bytes), malformedRow);
  if (!checkConflict.Check(json)) throw malformedRow();
  return fromJson(json, malformedRow);
}

/** Stays below the 256 KiB that a queue takes, in Base64, once deflated. */
const MESSAGE_BYTES_MAX = 160 * 1024;
/** Bounds what is in one message before it is deflated: four times the largest conflict that is sent whole. */
export const CONFLICTS_PLAIN_BYTES_MAX = 1024 * 1024;

/** Returns the bodies of as many messages as the conflicts take. */
export function encodeConflictMessages(
  from: string,
  conflicts: readonly Conflict[],
): readonly Uint8Array[] {
  const bodies: Uint8Array[] = [];
  let texts: string[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (texts.length > 0) bodies.push(toMessage(from, `[${texts.join(',')}]`));
    [texts, bytes] = [[], 0];
  };
  for (const part of conflicts.flatMap(sendableParts)) {
    const text = JSON.stringify(toJson(part));
    const length = Buffer.byteLength(text);
    if (texts.length >= CONFLICTS_PER_MESSAGE_MAX || bytes + length > MESSAGE_BYTES_MAX) flush();
    texts.push(text);
    bytes += length;
  }
  flush();
  return bodies;
}

/**
 * Returns the conflicts that a message with the subject of a watermark tells of; undefined for an ordinary
 * watermark. Throws `CHANGE_UNDECODABLE`.
 */
export function decodeConflictMessage(bytes: Uint8Array): readonly Conflict[] | undefined {
  const message = parseJson(bytes, undecodable);
  if (typeof message !== 'object' || message === null || !('conflicts' in message))
    return undefined;
  if (!checkMessage.Check(message) || !isRegionName(message.from)) throw undecodable();
  const json = parseJson(inflate(message.conflicts), undecodable);
  if (!checkConflicts.Check(json)) throw undecodable();
  return json.map((one) => fromJson(one, undecodable));
}

/** Returns what a message with the subject of a watermark takes once it is inflated, whatever it says. */
export function conflictBytesOf(bytes: Uint8Array): number {
  try {
    const message = parseJson(bytes, undecodable);
    return checkMessage.Check(message) ? inflate(message.conflicts).length : bytes.length;
  } catch (error) {
    if (error instanceof AppError) return bytes.length;
    throw error;
  }
}

/**
 * Returns the message with each conflict changed; undefined where it is an ordinary watermark. Throws
 * `CHANGE_UNDECODABLE`.
 */
export function rewriteConflictMessage(
  bytes: Uint8Array,
  change: (conflict: Conflict) => Conflict,
): Uint8Array | undefined {
  const conflicts = decodeConflictMessage(bytes);
  if (conflicts === undefined) return undefined;
  const { from } = parseJson(bytes, undecodable) as Static<typeof MessageSchema>;
  return toMessage(
    from,
    `[${conflicts.map((one) => JSON.stringify(toJson(change(one)))).join(',')}]`,
  );
}

/** Earlier builds refuse a conflict of more. */
const FIELDS_PER_PART_MAX = 252;

/** Cuts a conflict that is too large for one message field by field, or in parts: what is received is joined. */
function sendableParts(conflict: Conflict): readonly Conflict[] {
  const { fields } = conflict;
  const isLarge = fields.length > 1 && encodeConflict(conflict).length > MESSAGE_BYTES_MAX;
  const countMax = isLarge ? 1 : FIELDS_PER_PART_MAX;
  if (fields.length <= countMax) return [conflict];
  return chunk(fields, { countMax }).map((part) => ({ ...conflict, fields: part }));
}

function toMessage(from: string, plain: string): Uint8Array {
  const conflicts = deflateSync(encoder.encode(plain)).toString('base64');
  return encoder.encode(JSON.stringify({ wire: WIRE_VERSION, from, timeMs: 0, conflicts }));
}

function inflate(base64: string): Uint8Array {
  try {
    return inflateSync(Buffer.from(base64, 'base64'), {
      maxOutputLength: CONFLICTS_PLAIN_BYTES_MAX,
    });
  } catch (cause) {
    throw undecodable(cause);
  }
}

function toJson(conflict: Conflict): EncodedConflict & { readonly vectors: unknown } {
  const { entityKind, entityId, stamps, fields, life } = conflict;
  const encodeField = (field: StampedField): [string, EncodedFieldValue] => [
    field.stamp,
    encodeFieldValue(field.value),
  ];
  return {
    entityKind,
    entityId,
    stamps: [...stamps],
    vectors: stamps,
    fields: fields.map(({ name, winner, loser }) => ({
      name,
      winner: encodeField(winner),
      loser: encodeField(loser),
    })),
    ...(life === undefined ? {} : { life }),
  };
}

function fromJson(json: EncodedConflict, fault: Fault): Conflict {
  const stampFrom = (text: string): Stamp => {
    if (!isStamp(text)) throw fault();
    return text;
  };
  const fieldFrom = ([stamp, encoded]: Static<typeof FieldSchema>): StampedField => {
    const value = decodeFieldValue(encoded);
    if (value === undefined) throw fault();
    return { stamp: stampFrom(stamp), value };
  };
  const [smaller, greater] = json.stamps;
  const { life } = json;
  return {
    entityKind: json.entityKind,
    entityId: json.entityId,
    stamps: [stampFrom(smaller), stampFrom(greater)],
    fields: json.fields.map(({ name, winner, loser }): ContestedField => {
      if (!isPropertyName(name)) throw fault();
      return { name, winner: fieldFrom(winner), loser: fieldFrom(loser) };
    }),
    life: life && { ...life, alive: stampFrom(life.alive), deleted: stampFrom(life.deleted) },
  };
}

function inflateStored(bytes: Uint8Array): Uint8Array {
  try {
    return inflateChangeSet(bytes, LARGE_CONFLICT_PLAIN_BYTES_MAX);
  } catch (cause) {
    throw malformedRow(cause);
  }
}

function malformedRow(cause?: unknown): TerminalError {
  const message = 'The row of Conflicts was not written by this product.';
  return new TerminalError('ROW_MALFORMED', message, { cause });
}

function undecodable(cause?: unknown): TerminalError {
  const message = 'The message tells of no conflicts that can be read.';
  return new TerminalError('CHANGE_UNDECODABLE', message, { cause });
}
