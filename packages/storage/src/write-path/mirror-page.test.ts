import { encodeOpenId, type FieldValue, openTableId, type Properties } from '@tandem/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideMirrorPage } from './mirror-page.ts';

const TABLE_ID = openTableId('events', '0000');
const VALUES: readonly FieldValue[] = [
  { type: 'Int32', value: 1 },
  { type: 'Double', value: 1 },
  { type: 'Int64', value: 1n },
  { type: 'String', value: '1' },
];
const side = fc.record({
  rows: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom(...VALUES)),
  reach: fc.option(fc.constantFrom('b', 'd'), { nil: undefined }),
});

function stretchOf({
  rows,
  reach,
}: {
  rows: Readonly<Record<string, FieldValue>>;
  reach?: string | undefined;
}) {
  const idOf = (rowKey: string): string => encodeOpenId(TABLE_ID, { partitionKey: 'p', rowKey });
  const values = (value: FieldValue): Properties => new Map([['n', value]]);
  const read = Object.entries(rows)
    .filter(([rowKey]) => reach === undefined || rowKey <= reach)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([rowKey, value]) => ({
      partitionKey: 'p',
      rowKey,
      entityId: idOf(rowKey),
      values: values(value),
    }));
  return { rows: read, through: reach === undefined ? undefined : idOf(reach) };
}

test('makes a stretch of a mirror equal, type for type, and touches nothing behind what both sides have read', () => {
  fc.assert(
    fc.property(side, side, (ours, mirror) => {
      const page = decideMirrorPage(stretchOf(ours), stretchOf(mirror));
      const reach = [ours.reach, mirror.reach].filter((end) => end !== undefined).toSorted()[0];
      const isSettled = (rowKey: string): boolean => reach === undefined || rowKey <= reach;
      const after = new Map(Object.entries(mirror.rows));
      for (const { operation } of page.operations) {
        expect(isSettled(operation.rowKey)).toBe(true);
        if (operation.kind === 'delete') after.delete(operation.rowKey);
        if (operation.kind === 'upsert') {
          after.set(operation.rowKey, operation.properties.get('n')!);
        }
      }
      const expected = new Map([
        ...Object.entries(mirror.rows).filter(([rowKey]) => !isSettled(rowKey)),
        ...Object.entries(ours.rows).filter(([rowKey]) => isSettled(rowKey)),
      ]);
      expect(after).toEqual(expected);
      // What is equal is not written again.
      const again = stretchOf({ rows: Object.fromEntries(after), reach });
      expect(decideMirrorPage(stretchOf({ ...ours, reach }), again).operations).toEqual([]);
    }),
  );
});
