import {
  type Conflict,
  decodeFieldValue,
  decodeVector,
  encodeFieldValue,
  type EncodedFieldValue,
  encodeVector,
  isStamp,
  type Stamp,
  type StampedField,
  TerminalError,
  type VersionVector,
} from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

const FieldSchema = Type.Tuple([Type.String(), Type.Unknown()]);

const ConflictSchema = Type.Object({
  entityKind: Type.String(),
  entityId: Type.String(),
  stamps: Type.Tuple([Type.String(), Type.String()]),
  vectors: Type.Tuple([Type.String(), Type.String()]),
  fields: Type.Array(Type.Object({ name: Type.String(), winner: FieldSchema, loser: FieldSchema })),
  life: Type.Optional(
    Type.Object({ alive: Type.String(), deleted: Type.String(), survives: Type.Boolean() }),
  ),
});

const checkConflict = Compile(ConflictSchema);

export function encodeConflict(conflict: Conflict): Uint8Array {
  const { entityKind, entityId, stamps, vectors, fields, life } = conflict;
  const encodeField = (field: StampedField): readonly [string, EncodedFieldValue] => [
    field.stamp,
    encodeFieldValue(field.value),
  ];
  return new TextEncoder().encode(
    JSON.stringify({
      entityKind,
      entityId,
      stamps,
      vectors: vectors.map(encodeVector),
      fields: fields.map(({ name, winner, loser }) => ({
        name,
        winner: encodeField(winner),
        loser: encodeField(loser),
      })),
      ...(life === undefined ? {} : { life }),
    }),
  );
}

/** Throws `ROW_MALFORMED`. */
export function decodeConflict(bytes: Uint8Array): Conflict {
  const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!checkConflict.Check(json)) throw malformed();
  const { life } = json;
  return {
    entityKind: json.entityKind,
    entityId: json.entityId,
    stamps: [stampFrom(json.stamps[0]), stampFrom(json.stamps[1])],
    vectors: [vectorFrom(json.vectors[0]), vectorFrom(json.vectors[1])],
    fields: json.fields.map(({ name, winner, loser }) => ({
      name,
      winner: fieldFrom(winner),
      loser: fieldFrom(loser),
    })),
    life: life && { ...life, alive: stampFrom(life.alive), deleted: stampFrom(life.deleted) },
  };
}

function stampFrom(text: string): Stamp {
  if (!isStamp(text)) throw malformed();
  return text;
}

function vectorFrom(text: string): VersionVector {
  const vector = decodeVector(text);
  if (vector === undefined) throw malformed();
  return vector;
}

function fieldFrom([stamp, encoded]: Static<typeof FieldSchema>): StampedField {
  const value = decodeFieldValue(encoded);
  if (value === undefined) throw malformed();
  return { stamp: stampFrom(stamp), value };
}

function malformed(): TerminalError {
  return new TerminalError(
    'ROW_MALFORMED',
    'The row of Conflicts was not written by this product.',
  );
}
