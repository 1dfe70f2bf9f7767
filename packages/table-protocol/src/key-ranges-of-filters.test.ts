import {
  KEY_BOXES_MAX,
  type KeyBox,
  type KeyRange,
  keyBoxesOf,
  matches,
  type Predicate,
} from '@tandem/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from './filter.ts';

const isIn = (key: string, { from, to }: KeyRange): boolean =>
  (from === undefined || key > from.value || (from.isIncluded && key === from.value)) &&
  (to === undefined || key < to.value || (to.isIncluded && key === to.value));
const isInside = (boxes: readonly KeyBox[], partitionKey: string, rowKey: string): boolean =>
  boxes.some((box) => isIn(partitionKey, box.partitionKey) && isIn(rowKey, box.rowKey));

const key = fc.constantFrom('', ' ', '!', 'a', 'a ', 'a!', 'aa', 'b', '\u{1F600}', 'ä');
const comparison: fc.Arbitrary<Predicate> = fc.record({
  kind: fc.constant('compare' as const),
  name: fc.constantFrom('PartitionKey', 'RowKey', 'other'),
  operator: fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le'),
  value: key.map((value) => ({ type: 'String' as const, value })),
});
const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    comparison,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('predicate'), { minLength: 1, maxLength: 5 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('predicate') }),
  ),
}));

describe('the boxes of keys of a filter', () => {
  it('hold every row that matches, and are never more than their limit', () => {
    fc.assert(
      fc.property(predicate, key, key, (asked, partitionKey, rowKey) => {
        const boxes = keyBoxesOf(asked);
        expect(boxes.length).toBeLessThanOrEqual(KEY_BOXES_MAX);
        const keys: Record<string, string> = { PartitionKey: partitionKey, RowKey: rowKey };
        const isMeant = matches(asked, (name) => {
          const value = keys[name];
          return value === undefined ? undefined : { type: 'String', value };
        });
        expect(!isMeant || isInside(boxes, partitionKey, rowKey)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ["PartitionKey eq 'p' and RowKey ge 'a' and RowKey lt 'b'", 1],
    ["PartitionKey eq 'p' or PartitionKey eq 'q'", 2],
    ["PartitionKey eq 'p' and (RowKey eq 'a' or RowKey eq 'b' or other eq 3)", 3],
    ["PartitionKey eq 'p' and PartitionKey eq 'q'", 0],
    ['PartitionKey eq 3', 0],
    ['false', 0],
    ['other gt 3', 1],
  ])('are as few as can be: %s has %i', (filter, count) => {
    expect(keyBoxesOf(parseFilter(filter))).toHaveLength(count);
  });

  it('are exact where the keys alone decide', () => {
    const boxes = keyBoxesOf(
      parseFilter("PartitionKey gt 'a' and PartitionKey le 'c' and RowKey ne 'x'"),
    );
    expect(isInside(boxes, 'a', 'r')).toBe(false);
    expect(isInside(boxes, 'c', 'r')).toBe(true);
    expect(isInside(boxes, 'b', 'x')).toBe(false);
  });
});
