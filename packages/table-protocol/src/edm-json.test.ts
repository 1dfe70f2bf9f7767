import type { FieldValue } from '@tandem/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEntity,
  type EntityFormat,
  encodeEntities,
  encodeEntity,
  parseObject,
  type StoredEntity,
  toUtcText,
} from './edm-json.ts';
import { refusalOf } from './testing/refusal.ts';

const read = (json: string): Record<string, FieldValue> =>
  Object.fromEntries(decodeEntity(json).properties);
const member = (value: string, type?: string): string =>
  `{"PartitionKey":"p","RowKey":"r","x":${value}${type === undefined ? '' : `,"x@odata.type":"${type}"`}}`;

const READ: readonly [string, string | undefined, FieldValue][] = [
  ['"text"', undefined, { type: 'String', value: 'text' }],
  ['12', undefined, { type: 'Int32', value: 12 }],
  ['12.0', undefined, { type: 'Double', value: 12 }],
  ['1e3', undefined, { type: 'Double', value: 1_000 }],
  ['true', undefined, { type: 'Boolean', value: true }],
  ['"40"', 'Edm.Int32', { type: 'Int32', value: 40 }],
  ['"3"', 'Edm.Double', { type: 'Double', value: 3 }],
  ['4', 'Edm.Double', { type: 'Double', value: 4 }],
  ['"NaN"', 'Edm.Double', { type: 'Double', value: Number.NaN }],
  ['"9223372036854775807"', 'Edm.Int64', { type: 'Int64', value: 2n ** 63n - 1n }],
  ['9007199254740993', 'Edm.Int64', { type: 'Int64', value: 9_007_199_254_740_993n }],
  ['"True"', 'Edm.Boolean', { type: 'Boolean', value: true }],
  [
    '"2020-01-01T01:02:00.0000000Z"',
    'Edm.DateTime',
    { type: 'DateTime', value: '2020-01-01T01:02:00Z' },
  ],
  [
    '"2020-01-01T01:02:00+02:00"',
    'Edm.DateTime',
    { type: 'DateTime', value: '2019-12-31T23:02:00Z' },
  ],
  [
    '"0D391D16-97F1-4B9A-BE68-4CC871F90001"',
    'Edm.Guid',
    { type: 'Guid', value: '0d391d16-97f1-4b9a-be68-4cc871f90001' },
  ],
  ['"AQID"', 'Edm.Binary', { type: 'Binary', value: new Uint8Array([1, 2, 3]) }],
];

const REFUSED: readonly [string, string | undefined][] = [
  ['2147483648', undefined],
  ['[1]', undefined],
  ['{"a":1}', undefined],
  ['{"toString":null,"b":1.0}', undefined],
  ['"x"', 'Edm.Int64'],
  ['"9223372036854775808"', 'Edm.Int64'],
  ['1.5', 'Edm.Int32'],
  ['"yes"', 'Edm.Boolean'],
  ['"1600-12-31T23:59:59Z"', 'Edm.DateTime'],
  ['"2026-02-30T00:00:00Z"', 'Edm.DateTime'],
  ['"A==="', 'Edm.Binary'],
  ['"x"', 'Edm.Thing'],
  ['"\\ud800"', undefined],
];

describe('an entity that a client sends', () => {
  it.each(READ)('%s as %s is %o', (value, type, expected) => {
    expect(read(member(value, type))['x']).toEqual(expected);
  });

  it.each(REFUSED)('%s as %s is refused, by the name of the property', (value, type) => {
    expect(() => read(member(value, type))).toThrow(/property "x"/);
  });

  // It takes milliseconds; by the square of the length it would be half a minute.
  it.each([
    ['1', 'Edm.Double'],
    ['A', 'Edm.Binary'],
  ])(
    'that has a long text of %s for an %s is refused at once',
    { timeout: 10_000 },
    (one, type) => {
      expect(() => read(member(`"${one.repeat(250_000)}-"`, type))).toThrow(/property "x"/);
    },
  );

  it('keeps legal names of every kind, and leaves out nulls and what repeats an answer', () => {
    const json =
      '{"odata.etag":"W/\\"1\\"","odata.metadata":"m","PartitionKey":"p","RowKey":"","Timestamp":"now","Timestamp@odata.type":"Edm.DateTime","a":null,"b@odata.type@odata.type":"Edm.String","etag":"e","_vector":"v","größe":1,"__proto__":2}';
    const sent = decodeEntity(json);
    expect([...sent.properties.keys()]).toEqual(['etag', '_vector', 'größe', '__proto__']);
    expect(sent).toMatchObject({ partitionKey: 'p', rowKey: '' });
  });

  it.each([
    ['{"PartitionKey":1}', 'InvalidInput'],
    ['[]', 'InvalidInput'],
    ['nonsense', 'InvalidInput'],
    [`{"PartitionKey":"${'k'.repeat(513)}"}`, 'KeyValueTooLarge'],
    ['{"RowKey":"a/b"}', 'OutOfRangeInput'],
    ['{"RowKey":"a\\u0085"}', 'OutOfRangeInput'],
    ['{"a-b":1}', 'PropertyNameInvalid'],
    ['{"\u0301a":1}', 'PropertyNameInvalid'],
    ['{"a\u200d":1}', 'PropertyNameInvalid'],
    ['{"\u2167":1}', 'PropertyNameInvalid'],
    ['{"a\u00b2":1}', 'PropertyNameInvalid'],
    [`{"${'n'.repeat(256)}":1}`, 'PropertyNameTooLong'],
    [`{"a":"${'v'.repeat(32_769)}"}`, 'PropertyValueTooLarge'],
    [`{${Array.from({ length: 253 }, (_, index) => `"p${index}":1`).join()}}`, 'TooManyProperties'],
    [
      `{${Array.from({ length: 17 }, (_, index) => `"p${index}":"${'v'.repeat(32_000)}"`).join()}}`,
      'EntityTooLarge',
    ],
  ])("is refused by the service's own error: %.40s is %s", (json, code) => {
    expect(() => decodeEntity(json)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":"}{\\"","b":1,"a":"x"}',
    '{"PartitionKey":"p","RowKey":"r","PartitionKey":"q"}',
    '{"a":"5","a@odata.type":"Edm.Int64","a@odata.type":"Edm.String"}',
    '{"__proto__":1,"__proto__":2}',
  ])('is refused where it names one property twice: %s', (json) => {
    expect(refusalOf(() => decodeEntity(json))).toBe('DuplicatePropertiesSpecified');
  });

  // What is read of it is as long as the text, for half a surrogate pair is written in six characters.
  it('is refused where it names one property twice, as long as what is read of it', () => {
    const json = '{"a":"xyz","a":"\ud800\udbff"}';
    expect(JSON.stringify(JSON.parse(json))).toHaveLength(json.length);
    expect(refusalOf(() => decodeEntity(json))).toBe('DuplicatePropertiesSpecified');
  });

  it('is refused with any member given twice, in whichever way it is written', () => {
    const name = fc.stringMatching(/^[a-z]{1,3}$/);
    const json = fc.oneof(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.json(),
    );
    const members = fc.uniqueArray(fc.tuple(name, json), {
      minLength: 1,
      selector: ([own]) => own,
    });
    fc.assert(
      fc.property(members, json, (all, again) => {
        const twice = [...all, [all[0]![0], again] as const];
        const textOf = (some: readonly (readonly [string, string])[]): string =>
          `{${some.map(([own, value]) => `"${own}":${value}`).join()}}`;
        expect(parseObject(textOf(all))).toBeTypeOf('object');
        expect(refusalOf(() => parseObject(textOf(twice)))).toBe('DuplicatePropertiesSpecified');
      }),
      { numRuns: 1_000 },
    );
  });

  it('may hold the signs of JSON in its texts, and names of its own within what is left out', () => {
    const json =
      '{ "a" : "{\\"a\\":1, \\\\", "b:" : null, "odata.x" : {"c":1,"c":[{"c":2}]} , "c":"" }';
    expect([...decodeEntity(json).properties.keys()]).toEqual(['a', 'c']);
  });

  it('has a number as it is written beside any other', () => {
    const numbers = ['7', '-0', '12.0', '12.5', '1e3', '9007199254740993', '123456789012345'];
    for (const one of numbers) {
      const alone = parseObject(`{"a":${one}}`)['a'];
      for (const other of numbers) {
        expect(parseObject(`{"b":${other},"a":${one}}`)['a']).toEqual(alone);
      }
    }
  });

  it('may be as large as the service takes it', () => {
    const most = Array.from({ length: 252 }, (_, index) => `"p${index}":1`).join();
    expect(decodeEntity(`{${most}}`).properties.size).toBe(252);
    expect(() => decodeEntity(`{"a":"${'v'.repeat(32_768)}"}`)).not.toThrow();
  });
});

const FORMAT: EntityFormat = {
  level: 'minimal',
  base: 'https://a.table.core.windows.net',
  account: 'a',
  table: 'T',
  select: undefined,
};
const ENTITY: StoredEntity = {
  partitionKey: "p'q",
  rowKey: 'r r',
  timestamp: '2020-10-27T18:36:29.6104088Z',
  etag: 'W/"datetime\'2020\'"',
  properties: new Map<string, FieldValue>([
    ['d', { type: 'Double', value: 5 }],
    ['e', { type: 'Double', value: 1e21 }],
    ['l', { type: 'Int64', value: 1n }],
    ['n', { type: 'Double', value: Number.NaN }],
    ['s', { type: 'String', value: 'text' }],
  ]),
};

describe('an entity that is answered', () => {
  it('has as much metadata as was asked for', () => {
    expect(encodeEntity(ENTITY, { ...FORMAT, level: 'none' })).toBe(
      '{"PartitionKey":"p\'q","RowKey":"r r","Timestamp":"2020-10-27T18:36:29.6104088Z","d":5.0,"e":1e+21,"l":"1","n":"NaN","s":"text"}',
    );
    expect(encodeEntity(ENTITY, FORMAT)).toBe(
      '{"odata.metadata":"https://a.table.core.windows.net/$metadata#T/@Element","odata.etag":"W/\\"datetime\'2020\'\\"","PartitionKey":"p\'q","RowKey":"r r","Timestamp":"2020-10-27T18:36:29.6104088Z","d":5.0,"e":1e+21,"l@odata.type":"Edm.Int64","l":"1","n@odata.type":"Edm.Double","n":"NaN","s":"text"}',
    );
    const full = JSON.parse(encodeEntity(ENTITY, { ...FORMAT, level: 'full' })) as object;
    expect(full).toMatchObject({
      'odata.type': 'a.T',
      'odata.id': "https://a.table.core.windows.net/T(PartitionKey='p''q',RowKey='r%20r')",
      'odata.editLink': "T(PartitionKey='p''q',RowKey='r%20r')",
      'Timestamp@odata.type': 'Edm.DateTime',
    });
  });

  it('has its properties in the order of their names, in whichever order they are kept', () => {
    const entries = [...ENTITY.properties];
    const turned = { ...ENTITY, properties: new Map(entries.toReversed()) };
    expect(entries.length).toBeGreaterThan(1);
    expect(encodeEntity(turned, FORMAT)).toBe(encodeEntity(ENTITY, FORMAT));
  });

  it('has what was selected and nothing else, null where it is not there, and says so', () => {
    const select = new Set(['Timestamp', 's', 'absent']);
    expect(JSON.parse(encodeEntities([ENTITY], { ...FORMAT, select }))).toEqual({
      'odata.metadata': 'https://a.table.core.windows.net/$metadata#T&$select=Timestamp,s,absent',
      value: [{ 'odata.etag': ENTITY.etag, Timestamp: ENTITY.timestamp, s: 'text', absent: null }],
    });
  });

  const value = fc.oneof(
    fc.string().map((text) => ({ type: 'String' as const, value: text })),
    fc.integer().map((number) => ({ type: 'Int32' as const, value: number })),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((number) => ({ type: 'Int64' as const, value: number })),
    fc.double().map((number) => ({ type: 'Double' as const, value: number === 0 ? 0 : number })),
    fc.boolean().map((flag) => ({ type: 'Boolean' as const, value: flag })),
    fc.uint8Array().map((bytes) => ({ type: 'Binary' as const, value: new Uint8Array(bytes) })),
    fc.uuid().map((guid) => ({ type: 'Guid' as const, value: guid })),
  );

  it('is read as what it was', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value), (given) => {
        const properties = new Map<string, FieldValue>(Object.entries(given));
        const json = encodeEntity({ ...ENTITY, properties }, FORMAT);
        expect(decodeEntity(json).properties).toEqual(properties);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('an instant', () => {
  it.each([
    ['2026-11-30', '2026-11-30T00:00:00Z'],
    ['2026-11-30T22:00', '2026-11-30T22:00:00Z'],
    ['2026-11-30T22:00:00.123456789Z', '2026-11-30T22:00:00.1234567Z'],
    ['2026-11-30T22:00:00.1234567-05:30', '2026-12-01T03:30:00.1234567Z'],
    ['0001-01-01T00:00:00Z', undefined],
    ['9999-12-31T23:59:59-01:00', undefined],
    ['1601-01-01T00:00:00+01:00', undefined],
    ['2026-11-30T24:00:00Z', undefined],
    ['now', undefined],
  ])('%s is %s', (text, expected) => {
    expect(toUtcText(text)).toBe(expected);
  });
});
