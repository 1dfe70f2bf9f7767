import { type EntityState, formatStamp, type StampedField } from '@tandem/core';
import { expect, test } from 'vitest';
import { changedColumns, fromEntityProperties, toEntityProperties } from './entity-row.ts';

const stampAt = (timeMs: number) =>
  formatStamp({ timeMs, counter: 0, region: 'east', writer: '0000000a' });
const EARLIER = stampAt(1);
const LATER = stampAt(2);

const fields: [string, StampedField][] = [
  ['label', { value: { type: 'String', value: 'x' }, stamp: EARLIER }],
  ['restarts', { value: { type: 'Int32', value: 3 }, stamp: LATER }],
  ['firmware', { value: null, stamp: LATER }],
];

function stateWith(inOrder: typeof fields): EntityState {
  return {
    fields: new Map(inOrder),
    alive: LATER,
    deleted: undefined,
    vector: new Map([['east', LATER]]),
  };
}

test('one state is one row, whatever order its fields came in', () => {
  const row = toEntityProperties({ state: stateWith(fields), referenceId: undefined });
  const turned = stateWith(fields.toReversed());
  expect(toEntityProperties({ state: turned, referenceId: undefined })).toEqual(row);
  expect(row.get('_stamps')).toEqual({
    type: 'String',
    value: `{"${EARLIER}":["label"],"${LATER}":["firmware","restarts"]}`,
  });
});

test('a row gives back its base, and nothing that was stamped before it', () => {
  const state = { ...stateWith(fields.slice(1)), base: LATER };
  const row = toEntityProperties({ state, referenceId: undefined });
  expect(row.get('_base')).toEqual({ type: 'String', value: LATER });
  expect(fromEntityProperties(row).state).toEqual(state);
  const below = toEntityProperties({
    state: { ...stateWith(fields), base: LATER },
    referenceId: undefined,
  });
  expect(fromEntityProperties(below).state).toEqual(state);
});

test('a row gives back its state, a field without a column included', () => {
  const state = stateWith(fields);
  const stored = fromEntityProperties(toEntityProperties({ state, referenceId: 'there' }));
  expect(stored).toEqual({ state, referenceId: 'there' });
});

test('a row gives back the mark of its prepared set, and none is left when it is written over', () => {
  const state = stateWith(fields);
  const marked = { state, referenceId: undefined, prepared: LATER };
  const row = toEntityProperties(marked);
  expect(row.get('_prepared')).toEqual({ type: 'String', value: LATER });
  expect(fromEntityProperties(row)).toEqual(marked);
  expect(changedColumns(marked, { state, referenceId: undefined })).toBeUndefined();
  expect(changedColumns({ state, referenceId: undefined }, marked)).toContain('_prepared');
  const spoilt = new Map(row).set('_prepared', { type: 'String', value: 'x' });
  expect(() => fromEntityProperties(spoilt)).toThrow(/_prepared/);
});
