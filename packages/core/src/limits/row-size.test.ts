import { expect, test } from 'vitest';
import type { FieldValue } from '../values/field-value.ts';
import { rowBytes } from './row-size.ts';

const SIZES: readonly [FieldValue, number][] = [
  [{ type: 'String', value: 'äöü' }, 10],
  [{ type: 'Boolean', value: true }, 1],
  [{ type: 'Int32', value: 1 }, 4],
  [{ type: 'Int64', value: 1n }, 8],
  [{ type: 'Double', value: 1 }, 8],
  [{ type: 'DateTime', value: '2026-11-22T07:08:09Z' }, 8],
  [{ type: 'Guid', value: '0199a1b2-c3d4-4e5f-8a9b-0123456789ab' }, 16],
  [{ type: 'Binary', value: new Uint8Array(3) }, 7],
];

test('a row without properties takes 4 bytes and its keys in UTF-16', () => {
  expect(rowBytes('pk', 'row', new Map())).toBe(4 + 5 * 2);
});

test.each(SIZES)(
  'a property adds 8 bytes, its name in UTF-16 and the size of %o',
  (value, size) => {
    const empty = rowBytes('p', 'r', new Map());
    expect(rowBytes('p', 'r', new Map([['name', value]]))).toBe(empty + 8 + 4 * 2 + size);
  },
);
