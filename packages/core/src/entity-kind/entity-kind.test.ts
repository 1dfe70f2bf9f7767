import { type TObject, type TSchema, Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { toFieldValues } from './entity-fields.ts';
import { defineEntityKind, defineOpenKind, defineOwnKind, edm } from './entity-kind.ts';

const kindOf = (schema: TObject, name = 'Things') => defineEntityKind({ name, schema });
const kindWith = (field: TSchema) => kindOf(Type.Object({ field }));

test('a schema of a TypeBox before version 1 is refused, with what to install', () => {
  const older = { type: 'object', properties: {}, [Symbol.for('TypeBox.Kind')]: 'Object' };
  expect(() => kindOf(older as unknown as TObject)).toThrow(
    /made by an older TypeBox.*npm install typebox@1/,
  );
});

describe('F3: the constraints of a schema', () => {
  const text = 'a'.repeat(5);
  const held: readonly [string, TSchema, unknown, unknown][] = [
    ['maxLength', edm.string({ maxLength: 5 }), text, `${text}b`],
    ['maxLength, of code points', edm.string({ maxLength: 2 }), '😀😀', '😀😀😀'],
    ['maxLength 0', edm.string({ maxLength: 0 }), '', 'a'],
    ['minLength', edm.string({ minLength: 2 }), 'ab', '😀'],
    ['pattern', edm.string({ pattern: '^[a-z]+$' }), 'abc', 'abc1'],
    ['enum of texts', edm.string({ enum: ['a', 'b', null] }), 'b', 'c'],
    ['const of a text', edm.string({ const: 'a' }), 'a', 'A'],
    ['const of a boolean', edm.boolean({ const: true }), true, false],
    ['minimum', edm.int32({ minimum: 3 }), 3, 2],
    ['maximum', edm.int32({ maximum: 3 }), 3, 4],
    ['exclusiveMinimum', edm.int32({ exclusiveMinimum: 3 }), 4, 3],
    ['exclusiveMaximum', edm.double({ exclusiveMaximum: 1.5 }), 1.4, 1.5],
    ['multipleOf', edm.int32({ multipleOf: 5 }), -15, 16],
    ['enum of numbers', edm.int32({ enum: [1, 2] }), 2, 3],
    ['minimum, for NaN', edm.double({ minimum: 0 }), 0, Number.NaN],
    ['maximum, for Infinity', edm.double({ maximum: 9 }), 9, Number.POSITIVE_INFINITY],
    ['minimum of a bigint', edm.int64({ minimum: 2n ** 60n }), 2n ** 60n, 2n ** 60n - 1n],
    ['maximum of a bigint, a number', edm.int64({ maximum: 7 }), 7n, 8n],
    ['multipleOf of a bigint', edm.int64({ multipleOf: 3 }), 9n, 10n],
    ['enum of bigints', edm.int64({ enum: [1n, 2n] }), 2n, 3n],
    ['two of one field', edm.string({ minLength: 1, pattern: '^a' }), 'ab', 'b'],
  ];

  test.each(held)('%s holds on every write, and null breaks none', (_, field, fits, breaks) => {
    const kind = kindWith(field);
    const write = (value: unknown) => toFieldValues(kind, { field: value });
    expect(write(fits).get('field')).toMatchObject({ value: fits });
    expect(write(null).get('field')).toBeNull();
    expect(() => write(breaks)).toThrow(
      expect.objectContaining({ code: 'ENTITY_INVALID', details: { name: 'field' } }),
    );
  });

  test('does not repeat the value that breaks it, which may be a person’s', () => {
    const kind = kindWith(edm.string({ pattern: '^a' }));
    expect(() => toFieldValues(kind, { field: 'secret@example.com' })).toThrow(
      /^(?!.*secret).*"field"/,
    );
  });

  const refused: readonly [string, TSchema][] = [
    ['format', edm.string({ format: 'email' })],
    ['default', edm.string({ default: 'a' })],
    ['not', edm.string({ not: { const: 'a' } })],
    ['anyOf', edm.string({ anyOf: [] })],
    ['minimum', edm.string({ minimum: 1 })],
    ['maxLength', edm.binary({ maxLength: 9 })],
    ['maxLength', edm.string({ maxLength: -1 })],
    ['maxLength', edm.string({ maxLength: '5' })],
    ['pattern', edm.string({ pattern: '(' })],
    ['enum', edm.string({ enum: [] })],
    ['enum', edm.string({ enum: [1] })],
    ['const', edm.int64({ const: 1 })],
    ['minimum', edm.int32({ minimum: Number.NaN })],
    ['minimum', edm.int64({ minimum: 0.5 })],
    ['multipleOf', edm.double({ multipleOf: 0.1 })],
    ['pattern', edm.guid({ pattern: '^0' })],
    ['formatMinimum', edm.dateTime({ formatMinimum: '2026-01-01T00:00:00Z' })],
    ['type', edm.string({ type: 'string' })],
    ['maxLenght', edm.string({ maxLenght: 5 })],
    ['toString', edm.string({ toString: 1 })],
    ['~refine', Type.Refine(edm.string(), () => false)],
    [
      '~codec',
      Type.Codec(edm.string())
        .Decode((text) => text)
        .Encode((text) => text),
    ],
  ];

  test.each(refused)(
    '%s is refused at definition where it would not be held',
    (constraint, field) => {
      expect(() => kindWith(field)).toThrow(
        expect.objectContaining({
          code: 'ENTITY_KIND_INVALID',
          message: expect.stringContaining(`field "field": its constraint "${constraint}"`),
          details: { kind: 'Things', field: 'field', constraint },
        }),
      );
    },
  );

  test.each([
    ['minProperties', { minProperties: 1 }],
    ['additionalProperties', { additionalProperties: true }],
    ['patternProperties', { patternProperties: {} }],
    ['dependentRequired', { dependentRequired: { field: ['other'] } }],
    ['if', { if: {} }],
  ])('%s of the whole schema is refused at definition', (constraint, options) => {
    expect(() => kindOf(Type.Object({ field: edm.string() }, options))).toThrow(
      expect.objectContaining({ details: { kind: 'Things', constraint } }),
    );
  });

  test('what only describes a field or the kind is taken', () => {
    const field = Type.Optional(edm.string({ title: 'T', description: 'D', examples: ['e'] }));
    const options = { title: 'T', additionalProperties: false };
    expect(kindOf(Type.Object({ field }, options)).edmTypes.get('field')).toBe('String');
  });
});

describe('F4: at definition a kind is refused by a named error', () => {
  const fields = Type.Object({ field: edm.string() });

  test.each([
    'Archive',
    'archive',
    'CONFLICTS',
    'Configuration',
    'Replication',
    'Tables',
    'Rows',
    'localRows',
    'CATALOG',
    'ab',
    'a'.repeat(31),
    '1abc',
    'Bad-Name',
    'Kunde\n',
    'Größen',
    '',
    'a.b',
    '__proto__',
  ])('that is named %j', (name) => {
    expect(() => kindOf(fields, name)).toThrow(
      expect.objectContaining({
        code: 'ENTITY_KIND_INVALID',
        message: expect.stringContaining(JSON.stringify(name)),
      }),
    );
  });

  test.each([
    'Timestamp',
    'timestamp',
    'RowKey',
    'rowKey',
    'PartitionKey',
    'etag',
    'ETag',
    'odata',
    'odataType',
    'odata.etag',
    'a@odata.type',
    'referenceId',
    '_vector',
    '_stamps',
    '_x',
    'hasOwnProperty',
    'constructor',
    'toString',
    'valueOf',
    'isPrototypeOf',
    'propertyIsEnumerable',
    'toLocaleString',
    '1a',
    'a-b',
    'a b',
    'a'.repeat(129),
    '',
  ])('that has a field named %j', (field) => {
    expect(() => kindOf(Type.Object({ [field]: edm.string() }))).toThrow(
      expect.objectContaining({
        code: 'ENTITY_KIND_INVALID',
        message: expect.stringContaining(`field "${field}"`),
        details: { kind: 'Things', field },
      }),
    );
  });

  test('that has a field named __proto__', () => {
    const properties = Object.fromEntries([['__proto__', edm.string()]]);
    expect(() => kindOf({ type: 'object', properties } as unknown as TObject)).toThrow(/__proto__/);
  });

  test('that has more than 240 fields', () => {
    const names = Array.from({ length: 241 }, (_, index) => [`f${index}`, edm.string()]);
    expect(() => kindOf(Type.Object(Object.fromEntries(names)))).toThrow(/241 fields.* 240/);
  });

  test.each([
    ['no Edm type', Type.String()],
    ['an Edm type that there is not', Type.Unsafe({ edm: 'Decimal' })],
    ['an Edm type by the name of a property', Type.Unsafe({ edm: 'constructor' })],
  ])('that has a field with %s', (_, field) => {
    expect(() => kindWith(field)).toThrow(
      expect.objectContaining({
        code: 'ENTITY_KIND_INVALID',
        details: { kind: 'Things', field: 'field' },
      }),
    );
  });

  test('that is open, or is to be Tandem’s own, by a name for neither', () => {
    const refusal = expect.objectContaining({ code: 'ENTITY_KIND_INVALID' });
    expect(() => defineOpenKind({ name: 'Rows' })).toThrow(refusal);
    expect(() => defineOpenKind({ name: 'a b' })).toThrow(refusal);
    expect(defineOpenKind({ name: 'Gauges' }).form).toBe('open');
    expect(() => defineOwnKind({ name: 'Orders', schema: fields })).toThrow(refusal);
    expect(defineOwnKind({ name: 'Catalog', schema: fields }).name).toBe('Catalog');
  });

  test('that has no object for a schema', () => {
    expect(() => kindOf(Type.String() as unknown as TObject)).toThrow(/use Type.Object/);
  });
});

test('entities of one partition lie in one bucket, and a kind without partitions spreads all of its ids', () => {
  const schema = Type.Object({ item: edm.string() });
  const partitionOf = (id: string): string => id.split('/')[0] ?? '';
  const orders = defineEntityKind({ name: 'Orders', schema, partitionOf });
  expect(orders.bucketTextOf('ada/001')).toBe(orders.bucketTextOf('ada/002'));
  expect(kindOf(schema).bucketTextOf('ada/001')).toBe('ada/001');
});
