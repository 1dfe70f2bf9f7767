import { randomBytes } from 'node:crypto';
import {
  checkTransaction,
  type EntityState,
  type FieldValue,
  fieldsSince,
  fingerprintOf,
  formatStamp,
  type NullableFieldValue,
  type Properties,
  ROW_BYTES_MAX,
  rowBytes,
  type Stamp,
  type StampedField,
  type StoredState,
} from '@tandem/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changedOpenColumns, fromOpenProperties, toOpenProperties } from './open-row.ts';

const BUCKET = '0a';
const ID = 'aaaaaaaaorder!0line';
const REGIONS = ['east', 'west', 'north'];
const HARD_NAMES = [
  'id',
  'etag',
  'referenceId',
  '_vector',
  '_t',
  '_ts',
  '_x0',
  '_x12',
  '_x',
  '_tt',
  '__proto__',
  'constructor',
  'toString',
  'größe',
  '名前',
  'имя',
  'n'.repeat(255),
];

const at = (timeMs: number, region = 'east'): Stamp =>
  formatStamp({ timeMs, counter: 0, region, writer: '0000000a' });

const stamp: fc.Arbitrary<Stamp> = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(...REGIONS))
  .map(([timeMs, region]) => at(timeMs, region));

const name = fc.oneof(
  fc.constantFrom(...HARD_NAMES),
  fc.stringMatching(/^[\p{L}_][\p{L}\p{Mn}\p{Mc}\p{N}_]{0,20}$/u),
);
const value: fc.Arbitrary<NullableFieldValue> = fc.oneof(
  fc.constant(null),
  fc
    .string({ unit: 'binary' })
    .filter((text) => text.isWellFormed())
    .map((text) => ({ type: 'String', value: text }) as const),
  fc
    .constantFrom('', '\u0000', '\u2028', '\ud83d\ude00')
    .map((text) => ({ type: 'String', value: text }) as const),
  fc.boolean().map((one) => ({ type: 'Boolean', value: one }) as const),
  fc
    .constantFrom(-(2 ** 31), 2 ** 31 - 1, 0)
    .map((one) => ({ type: 'Int32', value: one }) as const),
  fc
    .constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n)
    .map((one) => ({ type: 'Int64', value: one }) as const),
  fc
    .constantFrom(0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 5)
    .map((one) => ({ type: 'Double', value: one }) as const),
  fc
    .constantFrom(
      '1601-01-01T00:00:00Z',
      '9999-12-31T23:59:59.9999999Z',
      '2026-11-22T07:08:09.1234567Z',
    )
    .map((one) => ({ type: 'DateTime', value: one }) as const),
  fc.uuid().map((one) => ({ type: 'Guid', value: one }) as const),
  fc.uint8Array().map((one) => ({ type: 'Binary', value: one }) as const),
);

const state: fc.Arbitrary<EntityState> = fc
  .record({
    fields: fc.uniqueArray(fc.tuple(name, value, stamp), {
      selector: ([own]) => own,
      maxLength: 12,
    }),
    alive: fc.option(stamp, { nil: undefined }),
    deleted: fc.option(stamp, { nil: undefined }),
    base: fc.option(stamp, { nil: undefined }),
    request: fc.option(fc.constant(fingerprintOf(['a request'])), { nil: undefined }),
    vector: fc.uniqueArray(stamp, { minLength: 1, selector: (one) => one.split('-')[2] }),
  })
  .map(({ fields, base, request, vector, ...life }) => ({
    ...life,
    fields: fieldsSince(
      base,
      new Map(
        fields.map(([own, one, of]): [string, StampedField] => [own, { value: one, stamp: of }]),
      ),
    ),
    ...(base === undefined ? {} : { base }),
    ...(request === undefined ? {} : { request }),
    vector: new Map(vector.map((one) => [one.split('-')[2] ?? '', one])),
  }));

const stored: fc.Arbitrary<StoredState> = fc.record({
  state,
  referenceId: fc.option(fc.constantFrom('elsewhere', `Rows-0a-20261201/${at(6)}/${ID}`), {
    nil: undefined,
  }),
});

/** What any store takes. */
function check(properties: Properties): void {
  const operation = { kind: 'insert', rowKey: ID, properties } as const;
  checkTransaction({ table: 'Rows', partitionKey: BUCKET, operations: [operation] });
}

function stateOf(fields: Iterable<readonly [string, FieldValue]>, own = at(1)): StoredState {
  const stamped = [...fields].map(([one, of]): [string, StampedField] => [
    one,
    { value: of, stamp: own },
  ]);
  return {
    state: {
      fields: new Map(stamped),
      alive: own,
      deleted: undefined,
      base: own,
      vector: new Map([['east', own]]),
    },
    referenceId: undefined,
  };
}

const text = (length: number, of = 'x'): FieldValue => ({
  type: 'String',
  value: of.repeat(length),
});
const bytes = (length: number): FieldValue => ({
  type: 'Binary',
  value: new Uint8Array(randomBytes(length)),
});

function roundTrip(one: StoredState): Properties {
  const row = toOpenProperties(one, ID);
  check(row);
  expect(fromOpenProperties(row, ID)).toEqual(one);
  return row;
}

describe('I12: the row of an open kind', () => {
  test('gives back whatever state it is of: names, values of any Edm type, stamps, base and reference', () => {
    fc.assert(
      fc.property(stored, (one) => void roundTrip(one)),
      { numRuns: 3_000 },
    );
  });

  test('shows the properties of a client as they are, under two columns of ours', () => {
    const fields = [
      ['id', text(1)],
      ['_vector', text(2)],
      ['referenceId', text(3)],
    ] as const;
    const row = roundTrip(
      stateOf(
        fields,
        formatStamp({ timeMs: 1_764_556_188_476, counter: 7_000, region: 'east', writer: 'w' }),
      ),
    );
    expect([...row.keys()].sort()).toEqual(['_t', '_ts', '_vector', 'id', 'referenceId']);
    expect(row.get('_ts')).toEqual({ type: 'DateTime', value: '2025-12-01T02:29:48.4767Z' });
  });

  test('takes some seventy characters of ours where one write owns it all', () => {
    const fields = Array.from({ length: 100 }, (_, nth) => [`name${nth}`, text(1)] as const);
    const packed = roundTrip(stateOf(fields)).get('_t')?.value;
    expect(String(packed).length).toBeLessThan(80);
  });

  test('keeps no value and no name in a tombstone of the policy row', () => {
    const gone = stateOf([]);
    const row = roundTrip({ ...gone, state: { ...gone.state, deleted: at(1) } });
    expect([...row.keys()].sort()).toEqual(['_t', '_ts']);
  });

  test.each([250, 251, 252, 400])('holds %d properties', (count) => {
    const fields = Array.from({ length: count }, (_, nth) => [`n${nth}`, text(1)] as const);
    const row = roundTrip(stateOf(fields));
    expect(row.has('_x0')).toBe(count > 250);
  });

  test('holds 252 names of 255 characters under stamps of their own, and as many that were removed', () => {
    const named = (nth: number): string => `${'名'.repeat(251)}${String(nth).padStart(4, '0')}`;
    const fields = Array.from({ length: 500 }, (_, nth): [string, StampedField] => [
      named(nth),
      { value: nth % 2 === 0 ? text(1) : null, stamp: at(1 + nth) },
    ]);
    const one = stateOf([]);
    const all = {
      ...one.state,
      base: undefined,
      fields: new Map(fields),
      vector: new Map([['east', at(900)]]),
    };
    roundTrip({ referenceId: undefined, state: all });
  });

  test('holds 1 MiB of texts and what of ours comes on top', () => {
    const room = ROW_BYTES_MAX - rowBytes(BUCKET, ID, new Map());
    const units = Math.floor((room - 17 * 20) / 2 / 16);
    const fields = Array.from({ length: 16 }, (_, nth) => [`n${nth}`, text(units, 'ä')] as const);
    expect(rowBytes('', '', new Map(fields))).toBeGreaterThan(ROW_BYTES_MAX - 1_000);
    roundTrip(stateOf(fields));
  });

  test('refuses what cannot be deflated and is as large as a row, with the figures', () => {
    const fields = Array.from({ length: 16 }, (_, nth) => [`n${nth}`, bytes(65_536 - 12)] as const);
    expect(() => toOpenProperties(stateOf(fields), ID)).toThrow(
      expect.objectContaining({
        code: 'TABLE_LIMIT_EXCEEDED',
        message: expect.stringMatching(/takes \d+ bytes.*1048576/),
      }),
    );
    roundTrip(stateOf([...fields.slice(0, 15), ['rest', bytes(60_000)]]));
  });
});

describe('the changed columns of a row of an open kind', () => {
  test('set in the row before are the row after', () => {
    fc.assert(
      fc.property(stored, stored, (before, after) => {
        const rowAfter = toOpenProperties(after, ID);
        const changed = changedOpenColumns(before, rowAfter, ID);
        if (changed === undefined) return;
        const rowBefore = toOpenProperties(before, ID);
        const sent = [...rowAfter].filter(([own]) => changed.has(own));
        expect(new Map([...rowBefore, ...sent])).toEqual(rowAfter);
      }),
      { numRuns: 2_000 },
    );
  });

  test('are few where few properties change', () => {
    const before = stateOf([
      ['a', text(1)],
      ['b', text(1)],
    ]);
    const after = toOpenProperties(
      stateOf(
        [
          ['a', text(1)],
          ['b', text(2)],
        ],
        at(2),
      ),
      ID,
    );
    expect([...(changedOpenColumns(before, after, ID) ?? [])].sort()).toEqual(['_t', '_ts', 'b']);
    const gone = toOpenProperties(stateOf([['a', text(1)]], at(2)), ID);
    expect(changedOpenColumns(before, gone, ID)).toBeUndefined();
  });
});

describe('bad input: a row that was not written like this', () => {
  const good = toOpenProperties(
    stateOf([
      ['a', text(1)],
      ['_x0', text(2)],
    ]),
    ID,
  );
  const codeOf = (row: Properties): string => {
    try {
      fromOpenProperties(row, ID);
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const withText = (own: string): Properties =>
    new Map(good).set('_t', { type: 'String', value: own });

  test('is refused by its column, whatever stands there', () => {
    expect(codeOf(good)).toBe('none');
    const packed = String(good.get('_t')?.value);
    for (const one of [
      '',
      'null',
      '[]',
      '{}',
      packed.replace('"s":["', '"s":["x'),
      packed.replace('"a":0', '"a":7'),
      packed.replace('"m":0', '"m":-1'),
      packed.replace('"c":2', '"c":1'),
      packed.replace('"c":2', '"c":3'),
      packed.replace('{', '{"v":2,'),
      packed.replace('{', '{"q":"hash",'),
      packed.replace('{', '{"v":0,'),
      packed.replace('{', '{"f":{"9":["a"]},'),
      packed.replace('{', '{"f":{"0":["a-b"]},'),
      packed.replace('{', '{"f":{"0":["a","a"]},'),
      packed.replace('"x":1', '"x":2'),
      packed.replace('"x":1', '"x":1000000'),
    ]) {
      expect(one).not.toBe(packed);
      expect(codeOf(withText(one))).toBe('ROW_MALFORMED');
    }
    const spoilt = (column: FieldValue): Properties => new Map(good).set('_x0', column);
    expect(codeOf(spoilt(bytes(10)))).toBe('ROW_MALFORMED');
    expect(codeOf(spoilt(text(1)))).toBe('ROW_MALFORMED');
  });

  test('a column that was added or taken by hand is found', () => {
    expect(codeOf(new Map(good).set('b', text(1)))).toBe('ROW_MALFORMED');
    expect(codeOf(new Map([...good].filter(([own]) => own !== 'a')))).toBe('ROW_MALFORMED');
  });

  test('what a later build adds is read over', () => {
    const packed = String(good.get('_t')?.value);
    expect(codeOf(withText(packed.replace('{', '{"y":"hash","z":["x"],')))).toBe('none');
  });

  test('random bytes in any column never do more than be refused', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('_t', '_x0', '_ts', 'a'),
        fc.string(),
        fc.uint8Array(),
        (column, own, raw) => {
          const row = (one: FieldValue): Properties => new Map(good).set(column, one);
          for (const one of [
            row({ type: 'String', value: own }),
            row({ type: 'Binary', value: raw }),
          ]) {
            expect(['none', 'ROW_MALFORMED']).toContain(codeOf(one));
          }
        },
      ),
    );
  });
});

test('a row gives back the mark of its prepared set, and none is left when it is written over', () => {
  const own = at(5);
  const state: EntityState = {
    fields: new Map([['a', { value: { type: 'Int32', value: 1 }, stamp: own }]]),
    alive: own,
    deleted: undefined,
    vector: new Map([['east', own]]),
  };
  const marked = { state, referenceId: undefined, prepared: own };
  const row = toOpenProperties(marked, ID);
  expect(fromOpenProperties(row, ID)).toEqual(marked);
  const plain = toOpenProperties({ state, referenceId: undefined }, ID);
  expect(changedOpenColumns(marked, plain, ID)).toContain('_t');
  expect(fromOpenProperties(plain, ID)).toEqual({ state, referenceId: undefined });
  const text = row.get('_t') as { type: 'String'; value: string };
  const spoilt = { type: 'String', value: text.value.replace(/"p":"[^"]*"/, '"p":"x"') } as const;
  expect(() => fromOpenProperties(new Map(row).set('_t', spoilt), ID)).toThrow(/_t/);
});
