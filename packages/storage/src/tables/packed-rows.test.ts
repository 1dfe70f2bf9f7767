import {
  type EntityState,
  formatStamp,
  type NullableFieldValue,
  type Stamp,
  type StampedField,
  type StoredRow,
} from '@tandem/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPackedRows } from './row-memory.ts';

const MIB = 1024 * 1024;

function stampOf(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 7, region, writer: '0000000a' });
}

function row(entityId: string, bytes = 0): StoredRow {
  const stamp = stampOf(1_795_000_000_000);
  const value = { type: 'Binary', value: new Uint8Array(bytes) } as const;
  const state: EntityState = {
    fields: new Map([['firmware', { value, stamp }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  return { entityId, etag: `"${entityId}${bytes}"`, referenceId: undefined, state };
}

function customer(nth: number): StoredRow {
  const stamp = stampOf(1_795_000_000_000 + nth);
  const text = (value: string): StampedField => ({ value: { type: 'String', value }, stamp });
  return {
    entityId: `00000000-0000-4000-8000-${nth.toString(16).padStart(12, '0')}`,
    etag: `W/"datetime'2026-11-22T17%3A22%3A45.${String(nth).padStart(7, '0')}Z'"`,
    referenceId: undefined,
    state: {
      fields: new Map([
        ['email', text(`customer${nth}.1@example.com`)],
        ['firstName', text(`First${nth}`)],
        ['lastName', text(`Last${nth}`)],
        ['phoneNumber', text(`+49 30 ${1_000_000 + nth}`)],
      ]),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['east', stamp]]),
    },
  };
}

describe('the packed rows', () => {
  test('forgets what it took in first when there is no more room, and stays within its bound', () => {
    const memory = createPackedRows(2 * MIB);
    for (let nth = 0; nth < 20_000; nth += 1) memory.remember(customer(nth));
    expect(memory.recall(customer(0).entityId)).toBeUndefined();
    expect(memory.recall(customer(19_999).entityId)).toEqual(customer(19_999));
    expect(memory.bytesTaken).toBeLessThanOrEqual(2 * MIB);
  });

  test('keeps a customer in less than 200 bytes, and nearly all for which there is room', () => {
    const memory = createPackedRows(32 * MIB);
    const count = 50_000;
    for (let nth = 0; nth < count; nth += 1) memory.remember(customer(nth));
    expect(memory.bytesTaken / count).toBeLessThan(200);
    let found = 0;
    for (let nth = 0; nth < count; nth += 1) {
      if (memory.recall(customer(nth).entityId) !== undefined) found += 1;
    }
    expect(found).toBeGreaterThan(0.999 * count);
  });

  test('takes no more room for a row that is written again and again', () => {
    const memory = createPackedRows(4 * MIB);
    memory.remember(customer(1));
    const { bytesTaken } = memory;
    for (let nth = 0; nth < 20_000; nth += 1) {
      memory.remember({ ...customer(1), etag: customer(nth).etag });
    }
    expect(memory.bytesTaken).toBe(bytesTaken);
    expect(memory.recall(customer(1).entityId)?.etag).toBe(customer(19_999).etag);
  });

  test('recalls rows of more writers and days than it numbers', () => {
    const memory = createPackedRows(8 * MIB);
    const rowOf = (nth: number): StoredRow => {
      const stamp = formatStamp({ timeMs: nth, counter: 0, region: 'east', writer: `w${nth}` });
      const one = customer(nth);
      const state = { ...one.state, alive: stamp, vector: new Map([['east', stamp]]) };
      return { ...one, state, referenceId: `Devices-00-${nth}/${stamp}/${one.entityId}` };
    };
    for (let nth = 0; nth < 6_000; nth += 1) memory.remember(rowOf(nth));
    for (let nth = 0; nth < 6_000; nth += 1) {
      expect(memory.recall(customer(nth).entityId)).toEqual(rowOf(nth));
    }
  });

  test('recalls the newest of a row, whether it grew or shrank', () => {
    const memory = createPackedRows(8 * MIB);
    for (const bytes of [0, 5_000, 10, 90_000, 200]) {
      memory.remember(row('a', bytes));
      memory.remember(row('b', bytes / 10));
      expect(memory.recall('a')).toEqual(row('a', bytes));
    }
    expect(memory.recall('b')).toEqual(row('b', 20));
  });

  test('recalls what was remembered last, also under an ETag that it had before', () => {
    const memory = createPackedRows(8 * MIB);
    const [first, second] = [customer(1), { ...customer(2), entityId: customer(1).entityId }];
    for (const one of [first, second, first, first, { ...second, etag: first.etag }]) {
      memory.remember(one);
      expect(memory.recall(first.entityId)).toEqual(one);
    }
  });

  test('does not recall an older state of a row that is too large to be kept', () => {
    const memory = createPackedRows(8 * MIB);
    memory.remember(row('a', 10));
    memory.remember(row('a', 500_000));
    expect(memory.recall('a')).toBeUndefined();
  });

  test('does not recall what it was told to forget', () => {
    const memory = createPackedRows(8 * MIB);
    memory.remember(row('a'));
    memory.forget('a');
    expect(memory.recall('a')).toBeUndefined();
  });
});

const stamps = fc
  .record({
    timeMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    counter: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
    region: fc.constantFrom('east', 'west', 'a'),
    writer: fc.constantFrom('0', 'k3v9x2q7'),
  })
  .map(formatStamp);
const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.uuid());
const values: fc.Arbitrary<NullableFieldValue> = fc.oneof(
  fc.constant(null),
  texts.map((value) => ({ type: 'String', value }) as const),
  fc.boolean().map((value) => ({ type: 'Boolean', value }) as const),
  fc.integer().map((value) => ({ type: 'Int32', value }) as const),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => ({ type: 'Int64', value }) as const),
  fc.double().map((value) => ({ type: 'Double', value }) as const),
  fc
    .constantFrom('2026-11-22T07:08:09Z', '2026-11-22T07:08:09.1234567Z')
    .map((value) => ({ type: 'DateTime', value }) as const),
  fc.uuid().map((value) => ({ type: 'Guid', value }) as const),
  fc.uint8Array().map((value) => ({ type: 'Binary', value }) as const),
);
const rows: fc.Arbitrary<StoredRow> = fc
  .record({
    entityId: texts,
    etag: fc.oneof(
      texts,
      fc.constantFrom(
        `W/"datetime'2026-11-22T17%3A22%3A45.1234567Z'"`,
        `W/"datetime'2026-02-30T17%3A22%3A45.1234567Z'"`,
        `W/"datetime'1601-01-01T00%3A00%3A00.0000000Z'"`,
        `W/"datetime'2026-11-22T17%3A22%3A45.12Z'"`,
      ),
    ),
    fields: fc.array(fc.tuple(fc.string(), values, stamps)),
    alive: fc.option(stamps, { nil: undefined }),
    deleted: fc.option(stamps, { nil: undefined }),
    base: fc.option(stamps, { nil: undefined }),
    request: fc.option(fc.constantFrom('AbC_-01234567890', '0000000000000000'), { nil: undefined }),
    vector: fc.array(stamps, { minLength: 1, maxLength: 4 }),
    reference: fc.constantFrom('none', 'own', 'other'),
  })
  .map(({ entityId, etag, fields, alive, deleted, base, request, vector, reference }) => {
    const newest = vector.toSorted().at(-1);
    const references = {
      none: undefined,
      own: `Devices-00-20261122/${newest}/${entityId}`,
      other: 'x',
    };
    return {
      entityId,
      etag,
      referenceId: references[reference],
      state: {
        fields: new Map(fields.map(([name, value, stamp]) => [name, { value, stamp }])),
        alive,
        deleted,
        base,
        request,
        vector: new Map(vector.map((stamp) => [stamp.split('-')[2]!, stamp])),
      },
    };
  });

test('a packed row is given back exactly as it was, whatever is in it', () => {
  const memory = createPackedRows(4 * MIB);
  fc.assert(
    fc.property(rows, (one) => {
      memory.remember(one);
      expect(memory.recall(one.entityId)).toEqual(one);
    }),
    { numRuns: 1_000 },
  );
});
