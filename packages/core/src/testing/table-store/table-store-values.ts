import { describe, expect, test } from 'vitest';
import { canonicalValue, type FieldValue } from '../../values/field-value.ts';
import { type TableStoreUnderTest, text } from './table-store-harness.ts';

const VALUES: readonly [string, FieldValue][] = [
  ['an empty String', text('')],
  ['a String of 32,768 characters', text('ä'.repeat(32_768))],
  [
    'a String with quotes, breaks and a boundary',
    text('"\'\\\r\n\r\n--changeset_1--\t{}[]<>&\u2028'),
  ],
  ['a String like an HTTP request', text("DELETE http://x/T(PartitionKey='a') HTTP/1.1\r\n\r\n{}")],
  ['a String with a NUL', text('a\u0000b')],
  ['a String beyond the basic plane', text('😀 𝒳 中文 العربية')],
  ['a String like a typed value', text('{"type":"Int64","value":"1"}')],
  ['a String of digits', text('007')],
  ['a String like a number in JSON', text('","v@odata.type":"Edm.Double","v":1.0')],
  ['true', { type: 'Boolean', value: true }],
  ['false', { type: 'Boolean', value: false }],
  ['Int32 zero', { type: 'Int32', value: 0 }],
  ['the smallest Int32', { type: 'Int32', value: -(2 ** 31) }],
  ['the greatest Int32', { type: 'Int32', value: 2 ** 31 - 1 }],
  ['Int64 zero', { type: 'Int64', value: 0n }],
  ['a small Int64', { type: 'Int64', value: 7n }],
  ['the smallest Int64', { type: 'Int64', value: -(2n ** 63n) }],
  ['the greatest Int64', { type: 'Int64', value: 2n ** 63n - 1n }],
  ['an Int64 that no double holds', { type: 'Int64', value: 9_007_199_254_740_993n }],
  ['Double zero', { type: 'Double', value: 0 }],
  ['a Double without a fraction', { type: 'Double', value: 12 }],
  ['a negative Double without a fraction', { type: 'Double', value: -3 }],
  ['a Double beyond Int32', { type: 'Double', value: 5_000_000_000 }],
  ['a Double with a fraction', { type: 'Double', value: 0.1 }],
  ['a Double with an exponent', { type: 'Double', value: 1e21 }],
  ['the smallest Double', { type: 'Double', value: 5e-324 }],
  ['the greatest Double', { type: 'Double', value: 1.797693134862315e308 }],
  ['NaN', { type: 'Double', value: Number.NaN }],
  ['Infinity', { type: 'Double', value: Number.POSITIVE_INFINITY }],
  ['minus Infinity', { type: 'Double', value: Number.NEGATIVE_INFINITY }],
  ['a DateTime of whole seconds', { type: 'DateTime', value: '2026-11-22T07:08:09Z' }],
  ['a DateTime of seven digits', { type: 'DateTime', value: '2026-11-22T07:08:09.1234567Z' }],
  ['a DateTime of a leap day', { type: 'DateTime', value: '2024-02-29T23:59:59Z' }],
  ['the first DateTime', { type: 'DateTime', value: '1601-01-01T00:00:00Z' }],
  ['the last DateTime', { type: 'DateTime', value: '9999-12-31T23:59:59.9999999Z' }],
  ['a Guid', { type: 'Guid', value: '0199a1b2-c3d4-4e5f-8a9b-0123456789ab' }],
  ['an empty Binary', { type: 'Binary', value: new Uint8Array() }],
  [
    'a Binary of every byte',
    { type: 'Binary', value: Uint8Array.from({ length: 256 }, (_, i) => i) },
  ],
  ['a Binary of 64 KiB', { type: 'Binary', value: new Uint8Array(65_536).fill(255) }],
];

/** What comes back in another spelling: see `canonicalValue`. */
const RESPELLED: readonly [string, FieldValue, FieldValue][] = [
  [
    'a DateTime without the trailing zeros of its fraction',
    { type: 'DateTime', value: '2026-11-22T07:08:09.1200000Z' },
    { type: 'DateTime', value: '2026-11-22T07:08:09.12Z' },
  ],
  [
    'a DateTime without a fraction of zero',
    { type: 'DateTime', value: '2026-11-22T07:08:09.000Z' },
    { type: 'DateTime', value: '2026-11-22T07:08:09Z' },
  ],
  [
    'a Guid in lower case',
    { type: 'Guid', value: '0199A1B2-C3D4-4E5F-8A9B-0123456789AB' },
    { type: 'Guid', value: '0199a1b2-c3d4-4e5f-8a9b-0123456789ab' },
  ],
  ['minus zero as zero', { type: 'Double', value: -0 }, { type: 'Double', value: 0 }],
  ['an Int32 minus zero as zero', { type: 'Int32', value: -0 }, { type: 'Int32', value: 0 }],
];

const KEYS: readonly string[] = [
  "O'Brien ''",
  'a b+c&d=e%2F%41;,@!$()*:[]{}|^~`"<>.',
  'ümläut-中文-😀',
  '%',
  ' ',
  'k'.repeat(512),
];

const NAMES: readonly string[] = [
  '_v',
  'a1_',
  'etag',
  'timestamp',
  'partitionKey',
  'rowKey',
  'Größe',
];

/** Call inside `describe`. */
export function describeValues(it: TableStoreUnderTest): void {
  describe.each(['alone', 'in a transaction'])('types survive exactly (I12), written %s', (how) => {
    const write = async (properties: ReadonlyMap<string, FieldValue>) => {
      const operation = { kind: 'insert', rowKey: 'a', properties } as const;
      const other = { kind: 'insert', rowKey: 'b', properties: new Map() } as const;
      await it.write('p', operation, ...(how === 'alone' ? [] : [other]));
      const row = await it.get('p', 'a');
      const [queried] = await it.readAll({ partitions: 'p', limit: 1 });
      expect(queried).toEqual(row);
      return row?.properties;
    };

    test.each(VALUES)('%s', async (_, value) => {
      expect(canonicalValue(value)).toEqual(value);
      expect((await write(new Map([['v', value]])))?.get('v')).toEqual(value);
    });

    test.each(RESPELLED)('%s', async (_, written, read) => {
      expect((await write(new Map([['v', written]])))?.get('v')).toEqual(read);
    });

    test('a row of 252 properties of every type', async () => {
      const properties = new Map<string, FieldValue>();
      const small = VALUES.filter(([name]) => !name.includes('32,768') && !name.includes('64 KiB'));
      for (let index = 0; index < 252; index += 1) {
        const [, value = text('')] = small[index % small.length] ?? [];
        properties.set(`property${index}`, value);
      }
      expect(await write(properties)).toEqual(properties);
    });

    test('a row without properties', async () => {
      expect(await write(new Map())).toEqual(new Map());
    });

    test.each(NAMES)('a property named %s', async (name) => {
      const properties = new Map([[name, text(`value of ${name}`)]]);
      expect(await write(properties)).toEqual(properties);
    });
  });

  describe('keys', () => {
    test.each(KEYS)('%s', async (key) => {
      const [, etag = ''] = await it.write(key, insertEmpty('0'), insertEmpty(key));
      expect(await it.get(key, key)).toMatchObject({ partitionKey: key, rowKey: key, etag });
      const rows = await it.readAll({
        partitions: key,
        rowsFrom: key,
        rowsBefore: `${key}~`,
        limit: 5,
      });
      expect(rows.map((row) => row.rowKey)).toContain(key);
      const replacement = { kind: 'replace', rowKey: key, properties: new Map(), etag } as const;
      const [next = ''] = await it.write(key, replacement, {
        kind: 'upsert',
        rowKey: '0',
        properties: new Map(),
      });
      await it.write(key, { kind: 'delete', rowKey: key, etag: next });
      expect(await it.get(key, key)).toBeUndefined();
      await it.write(key, insertEmpty(key));
      await it.write(key, { kind: 'delete', rowKey: key }, { kind: 'delete', rowKey: '0' });
      expect(await it.readAll({ partitions: key, limit: 5 })).toEqual([]);
    });
  });
}

function insertEmpty(rowKey: string) {
  return { kind: 'insert', rowKey, properties: new Map() } as const;
}
