import {
  type EntityState,
  type FieldValue,
  formatStamp,
  type NullableFieldValue,
  type StampedField,
  type StoredState,
} from '@tandem/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changedColumns, toEntityProperties } from './entity-row.ts';

const stampAt = (timeMs: number) =>
  formatStamp({ timeMs, counter: 0, region: 'east', writer: '0000000a' });

const value: fc.Arbitrary<NullableFieldValue> = fc.oneof(
  fc.constant(null),
  fc.integer({ min: 0, max: 2 }).map((n) => ({ type: 'Int32', value: n }) as const),
  fc.constantFrom('0', 'x').map((text) => ({ type: 'String', value: text }) as const),
);
const field = fc.record({ value, stamp: fc.integer({ min: 1, max: 3 }).map(stampAt) });
const mark = fc.option(fc.integer({ min: 1, max: 3 }).map(stampAt), { nil: undefined });

const state: fc.Arbitrary<EntityState> = fc.record({
  fields: fc
    .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c'), field), { selector: ([name]) => name })
    .map((entries): Map<string, StampedField> => new Map(entries)),
  alive: mark,
  deleted: mark,
  base: mark,
  vector: fc.integer({ min: 1, max: 3 }).map((timeMs) => new Map([['east', stampAt(timeMs)]])),
});
const stored: fc.Arbitrary<StoredState> = fc.record({
  state,
  referenceId: fc.option(fc.constantFrom('here', 'there'), { nil: undefined }),
});

test('the columns that changed, set in the row before, are the row after; else one of its columns is gone', () => {
  fc.assert(
    fc.property(stored, stored, (before, after) => {
      const rowBefore = toEntityProperties(before);
      const rowAfter = toEntityProperties(after);
      const changed = changedColumns(before, after);
      const isOneGone = [...rowBefore.keys()].some((name) => !rowAfter.has(name));
      const isOneNewAndNull = [...after.state.fields].some(
        ([name, { value }]) => value === null && !before.state.fields.has(name),
      );
      const isErased = [...after.state.fields.values()].every(({ value }) => value === null);
      expect(changed === undefined).toBe(isOneGone || isOneNewAndNull || isErased);
      if (changed === undefined) return;
      const sent = [...rowAfter].filter(([name]) => changed.has(name));
      expect(new Map<string, FieldValue>([...rowBefore, ...sent])).toEqual(rowAfter);
    }),
  );
});

test('a column that is as it was is not among them', () => {
  const label: StampedField = { value: { type: 'String', value: 'x' }, stamp: stampAt(1) };
  const restarts = (n: number, stamp: number): [string, StampedField] => [
    'restarts',
    { value: { type: 'Int32', value: n }, stamp: stampAt(stamp) },
  ];
  const rowWith = (own: [string, StampedField], timeMs: number): StoredState => ({
    state: {
      fields: new Map([['label', label], own]),
      alive: stampAt(1),
      deleted: undefined,
      vector: new Map([['east', stampAt(timeMs)]]),
    },
    referenceId: undefined,
  });
  const changed = changedColumns(rowWith(restarts(1, 1), 1), rowWith(restarts(2, 2), 2));
  expect([...(changed ?? [])].sort()).toEqual(['_stamps', '_vector', 'restarts']);
});
