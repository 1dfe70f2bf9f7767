import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { canonicalValue, decodeFieldValue, encodeFieldValue } from '../values/field-value.ts';
import { checkEntityId, findEntityFault, toFieldValues } from './entity-fields.ts';
import { defineEntityKind, edm } from './entity-kind.ts';

const kind = defineEntityKind({
  name: 'Things',
  schema: Type.Object({
    string: edm.string(),
    boolean: edm.boolean(),
    int32: edm.int32(),
    int64: edm.int64(),
    double: edm.double(),
    dateTime: edm.dateTime(),
    guid: edm.guid(),
    binary: edm.binary(),
  }),
});
const write = (field: string, value: unknown) => toFieldValues(kind, { [field]: value }).get(field);
const refused = (name: string) =>
  expect.objectContaining({ code: 'ENTITY_INVALID', details: { name } });

const HALVES = ['\udc00', '\udfff', '\ud800', 'a\ud83d', '\ude00\ud83d', '\ud83d\ud83d\ude00'];

describe('F1: half a surrogate pair', () => {
  test.each(HALVES)('is no id: %j', (entityId) => {
    expect(() => checkEntityId(kind, entityId)).toThrow(/half a surrogate pair/);
    const state = { fields: new Map(), alive: undefined, deleted: undefined, vector: new Map() };
    expect(findEntityFault(kind, entityId, state)?.text).toBe('its id is none of this kind');
  });

  test.each(HALVES)('is no text: %j', (text) => {
    expect(() => write('string', text)).toThrow(refused('string'));
    const value = { type: 'String', value: text } as const;
    const state = {
      fields: new Map([['later', { value, stamp: '019a1b2c3d4e-0000-east-k3v9x2q7' as never }]]),
      alive: undefined,
      deleted: undefined,
      vector: new Map(),
    };
    expect(findEntityFault(kind, 'id', state)?.text).toContain(
      '"later" holds half a surrogate pair',
    );
  });

  test.each(['', 5, null, undefined, {}])('nor is %j an id', (entityId) => {
    expect(() => checkEntityId(kind, entityId)).toThrow(/at least one character/);
  });
});

describe('F2: an Edm.DateTime', () => {
  test.each([
    '2026-02-30T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T24:00:00.0000000Z',
    '2026-01-01T23:60:00Z',
    '2026-06-30T23:59:60Z',
    '1600-12-31T23:59:59Z',
    '0000-01-01T00:00:00Z',
    '+012026-01-01T00:00:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00:00+00:00',
    '2026-01-01T00:00:00z',
    '2026-01-01t00:00:00Z',
    '2026-01-01T00:00:00.12345678Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01',
    '2026-01-01T00:00:00Z\n',
    '２026-01-01T00:00:00Z',
    new Date(0),
    0,
  ])('is never %j', (text) => {
    expect(() => write('dateTime', text)).toThrow(refused('dateTime'));
    expect(decodeFieldValue(['DateTime', text])).toBeUndefined();
  });

  test.each([
    '2024-02-29T00:00:00Z',
    '2000-02-29T23:59:59.9999999Z',
    '1601-01-01T00:00:00Z',
    '9999-12-31T23:59:59.9999999Z',
  ])('may be %s', (text) => {
    expect(write('dateTime', text)).toEqual({ type: 'DateTime', value: text });
  });
});

describe('F2: every other type takes what a table keeps and gives back, and nothing else', () => {
  const cases: readonly [string, readonly unknown[]][] = [
    ['string', [1, true, {}, new String('a'), Symbol('a'), ['a']]],
    ['boolean', [0, 'true', new Boolean(true)]],
    ['int32', [2 ** 31, -(2 ** 31) - 1, 0.5, Number.NaN, Infinity, 1n, '1']],
    ['int64', [1, '1', 2n ** 63n, -(2n ** 63n) - 1n]],
    ['double', ['1', 1n, 'NaN']],
    ['guid', ['0199a1b2', '{0199a1b2-c3d4-4e5f-8a9b-0123456789ab}', 'g'.repeat(36)]],
    [
      'binary',
      ['AQ==', [1, 2], new ArrayBuffer(1), new Uint16Array(1), new DataView(new ArrayBuffer(1))],
    ],
  ];

  test.each(cases)('%s', (field, values) => {
    for (const value of values) expect(() => write(field, value)).toThrow(refused(field));
  });

  test('zero is kept without its sign', () => {
    expect(write('int32', -0)).toEqual({ type: 'Int32', value: 0 });
    expect(write('double', -0)).toEqual({ type: 'Double', value: 0 });
  });

  test('bytes are copied: what becomes of the caller’s later changes no write', () => {
    const bytes = Buffer.from([1, 2]);
    const written = write('binary', bytes);
    bytes[0] = 9;
    expect(written).toEqual({ type: 'Binary', value: new Uint8Array([1, 2]) });
  });

  test('an entity is an object, and its fields are the kind’s', () => {
    expect(() => toFieldValues(kind, null as never)).toThrow(/object of fields/);
    for (const other of [new Map([['string', 'x']]), new Set(['string']), new Date(0), [], /x/]) {
      expect(() => toFieldValues(kind, other as never)).toThrow(/object of fields/);
    }
    expect([toFieldValues(kind, {}), toFieldValues(kind, Object.create(null))]).toEqual([
      new Map(),
      new Map(),
    ]);
    expect(() => write('__proto_', 1)).toThrow(/no field "__proto_"/);
    expect(() => write('toString', 1)).toThrow(/no field "toString"/);
  });

  test('whatever is taken comes over the wire as it is kept', () => {
    const values = fc.oneof(
      fc.record({ string: fc.string({ unit: 'binary' }) }),
      fc.record({ int32: fc.integer() }),
      fc.record({ int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
      fc.record({ double: fc.double() }),
      fc.record({ guid: fc.uuid() }),
      fc.record({ binary: fc.uint8Array() }),
      fc.record({
        dateTime: fc
          .date({ min: new Date('1601-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
          .map((date) => date.toISOString()),
      }),
    );
    fc.assert(
      fc.property(values, (entity) => {
        const [value = null] = toFieldValues(kind, entity).values();
        expect(value && canonicalValue(value)).toEqual(value);
        const sent = JSON.stringify(encodeFieldValue(value));
        expect(decodeFieldValue(JSON.parse(sent))).toEqual(value);
      }),
    );
  });
});
