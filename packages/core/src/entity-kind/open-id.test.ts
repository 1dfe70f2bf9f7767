import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyBox, KeyRange } from '../model/predicate.ts';
import { bucketOf, entityBucketOf } from './bucket.ts';
import { rowsKind } from './entity-kind.ts';
import {
  decodeOpenId,
  encodeOpenId,
  type IdRange,
  OPEN_KEYS_LENGTH_MAX,
  type OpenKey,
  openIdRange,
  openTableId,
} from './open-id.ts';

const TABLE = openTableId('Orders', '0000');
/** The lowest character there is, those of the code, their neighbours, and those that order oddly. */
const HARD = [' ', '!', '"', '0', '1', '2', '3', "'", '=', '~', 'a', 'ä', '\ud83d\ude00', '\ufb00'];
const hardKey = fc.string({ unit: fc.constantFrom(...HARD), maxLength: 5 });
const key: fc.Arbitrary<OpenKey> = fc.record({ partitionKey: hardKey, rowKey: hardKey });
const orderOf = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const orderOfKeys = (a: OpenKey, b: OpenKey): number =>
  orderOf(a.partitionKey, b.partitionKey) || orderOf(a.rowKey, b.rowKey);
const isIn = (text: string, { from, to }: KeyRange | IdRange): boolean =>
  (from === undefined || text > from.value || (from.isIncluded && text === from.value)) &&
  (to === undefined || text < to.value || (to.isIncluded && text === to.value));

/** Bounds come from whoever asks: they may hold what no key can. */
const boundText = fc.oneof(
  hardKey,
  fc.string({ unit: fc.constantFrom(...HARD, '\n', '\u0000', '/'), maxLength: 5 }),
  fc.constantFrom('a'.repeat(501), `${'a'.repeat(501)}\ud83d\ude00`, ' '.repeat(600)),
);
const bound = fc.option(fc.record({ value: boundText, isIncluded: fc.boolean() }), {
  nil: undefined,
});
const range: fc.Arbitrary<KeyRange> = fc
  .record({ from: bound, to: bound })
  .map(({ from, to }) => ({ ...(from && { from }), ...(to && { to }) }));
const one: fc.Arbitrary<KeyRange> = boundText.map((value) => {
  const side = { value, isIncluded: true };
  return { from: side, to: side };
});
const box: fc.Arbitrary<KeyBox> = fc.record({ partitionKey: fc.oneof(range, one), rowKey: range });

describe('the id of a row of an open kind', () => {
  test('orders as its keys do: of a million random pairs, none otherwise', () => {
    const draw = drawer(1);
    const keyOf = (): OpenKey => ({ partitionKey: draw.key(), rowKey: draw.key() });
    let wrong = 0;
    for (let pair = 0; pair < 1_000_000; pair += 1) {
      const [a, b] = [keyOf(), keyOf()];
      const ids = [encodeOpenId(TABLE, a), encodeOpenId(TABLE, b)] as const;
      if (orderOf(...ids) !== orderOfKeys(a, b)) wrong += 1;
    }
    expect(wrong).toBe(0);
  }, 60_000);

  test('gives its keys back', () => {
    fc.assert(
      fc.property(key, (keys) => {
        const id = encodeOpenId(TABLE, keys);
        expect(decodeOpenId(id)).toEqual({ tableId: TABLE, ...keys });
        expect(rowsKind.isEntityId(id)).toBe(true);
      }),
    );
  });

  test.each([
    '',
    'aaaaaaa!0a',
    'aaaaaaaa',
    'aaaaaaaaa!3b!0c',
    'aaaaaaaaa b!0c',
    'AAAAAAAA!0c',
    'aaaaaaa1!0c',
    'aaaaaaaa/!0c',
    'aaaaaaaa!0/',
    'aaaaaaaa!0\ud800',
    `aaaaaaaa!0${'c'.repeat(503)}`,
    'gadget-1',
  ])('is not %j', (text) => {
    expect(rowsKind.isEntityId(text)).toBe(false);
  });

  test('lies in the bucket of its table and PartitionKey, whatever the RowKey', () => {
    fc.assert(
      fc.property(key, hardKey, (keys, rowKey) => {
        const buckets = [keys, { ...keys, rowKey }].map((each) =>
          entityBucketOf(rowsKind, encodeOpenId(TABLE, each), 16),
        );
        expect(buckets[0]).toBe(buckets[1]);
      }),
    );
    const id = encodeOpenId('aaaaaaaa', { partitionKey: 'a b!', rowKey: 'c' });
    expect(entityBucketOf(rowsKind, id, 16)).toBe(bucketOf('aaaaaaaaa!1b!2', 16));
  });
});

describe('a range of ids', () => {
  test('holds every row of the table whose keys are in the box, and no row of another table', () => {
    const others = [openTableId('Orders', '0001'), 'aaaaaaaa', 'zzzzzzzz', '77777777'];
    fc.assert(
      fc.property(box, key, fc.constantFrom(...others), (asked, keys, other) => {
        const ids = openIdRange(TABLE, asked);
        const isAsked =
          isIn(keys.partitionKey, asked.partitionKey) && isIn(keys.rowKey, asked.rowKey);
        expect(!isAsked || isIn(encodeOpenId(TABLE, keys), ids)).toBe(true);
        expect(isIn(encodeOpenId(other, keys), ids)).toBe(false);
        for (const { value } of [ids.from, ids.to]) {
          expect(value.isWellFormed()).toBe(true);
          expect(value.length).toBeLessThanOrEqual(512);
        }
      }),
      { numRuns: 20_000 },
    );
  });

  test('holds no other row where it is of one PartitionKey, or of PartitionKeys alone', () => {
    const exact = fc.oneof(
      fc.record({ partitionKey: one, rowKey: range }),
      fc.record({ partitionKey: range, rowKey: fc.constant({}) }),
    );
    fc.assert(
      fc.property(exact, key, (asked, keys) => {
        const isAsked =
          isIn(keys.partitionKey, asked.partitionKey) && isIn(keys.rowKey, asked.rowKey);
        expect(isIn(encodeOpenId(TABLE, keys), openIdRange(TABLE, asked))).toBe(isAsked);
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('bad input: keys of an open kind', () => {
  const encode = (partitionKey: string, rowKey: string) => () =>
    encodeOpenId(TABLE, { partitionKey, rowKey });

  test('both together take 502 units, what the code adds counted', () => {
    expect(OPEN_KEYS_LENGTH_MAX).toBe(502);
    const longest = encodeOpenId(TABLE, { partitionKey: 'p'.repeat(250), rowKey: 'r'.repeat(252) });
    expect(longest).toHaveLength(512);
    expect(decodeOpenId(longest)).toBeDefined();
    expect(encode('p'.repeat(251), 'r'.repeat(252))).toThrow(/503 UTF-16 units together.* 502/);
    expect(encode(' '.repeat(252), '')).toThrow(/504 UTF-16 units together/);
  });

  test.each([
    ['a/b', /"\/"/],
    ['a\\b', /"\\\\"/],
    ['#', /"#"/],
    ['?', /"\?"/],
    ['\n', /"\\n"/],
    ['\u0085', /PartitionKey holds/],
    ['\ud800', /half a surrogate pair/],
    ['a\udc00b', /half a surrogate pair/],
    ['k'.repeat(513), /513 UTF-16 units, the limit is 512/],
  ])('%j is no key', (text, message) => {
    expect(encode(text, 'r')).toThrow(expect.objectContaining({ code: 'ENTITY_INVALID' }));
    expect(encode(text, 'r')).toThrow(message);
    expect(encode('p', text)).toThrow(/The RowKey/);
  });

  test('the table is one and the same in any case, and another in each generation', () => {
    expect(openTableId('ORDERS', '0000')).toBe(TABLE);
    expect(openTableId('Orders', '0001')).not.toBe(TABLE);
    // Rows lie under these; a change of the hash would not find them again.
    expect(TABLE).toBe('tmrbpsep');
    expect(openTableId('orders', '0001')).toBe('2x5qu42u');
  });
});

/** Draws keys a good deal faster than fast-check does. */
function drawer(seed: number) {
  let state = seed;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  const drawKey = (): string => {
    let text = '';
    for (let left = below(5); left > 0; left -= 1) text += HARD[below(HARD.length)];
    return text;
  };
  return { key: drawKey };
}
