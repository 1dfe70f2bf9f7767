import { describe, expect, test } from 'vitest';
import type { EntityState } from '../state/entity-state.ts';
import { formatStamp } from '../time/stamp.ts';
import type { FieldValue } from '../values/field-value.ts';
import { findEntityFault, withinUnknown } from './entity-fields.ts';
import { rowsKind } from './entity-kind.ts';

const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
const ID = 'aaaaaaaap!0r';

function stateOf(names: readonly string[], value: FieldValue | null = null): EntityState {
  return {
    fields: new Map(names.map((name) => [name, { value, stamp }])),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, nth) => `n${nth}`);

describe('a row of an open kind', () => {
  test.each([
    'id',
    'etag',
    'referenceId',
    '_vector',
    '_t',
    '_x0',
    '__proto__',
    'constructor',
    'größe',
    '名前',
    'odata',
    'n'.repeat(255),
  ])('may have a property %s', (name) =>
    expect(findEntityFault(rowsKind, ID, stateOf([name]))).toBeUndefined(),
  );

  test.each([
    '',
    '1a',
    'a b',
    'a-b',
    'a.b',
    'PartitionKey',
    'RowKey',
    'Timestamp',
    'n'.repeat(256),
  ])('bad input: has no property %j, and the error says which names there are', (name) => {
    expect(findEntityFault(rowsKind, ID, stateOf([name]))).toMatchObject({
      reason: 'FIELD_RESERVED',
      text: expect.stringMatching(/1 to 255 letters, combining marks, digits and _/),
    });
  });

  test('bad input: holds no value that a column cannot hold', () => {
    const long: FieldValue = { type: 'String', value: 'x'.repeat(32_769) };
    expect(findEntityFault(rowsKind, ID, stateOf(['a'], long))).toMatchObject({
      reason: 'FIELD_TOO_LARGE',
    });
    const half: FieldValue = { type: 'String', value: '\ud800' };
    expect(findEntityFault(rowsKind, ID, stateOf(['a'], half))).toMatchObject({
      reason: 'ENTITY_INVALID',
    });
  });

  test('I17: what several rows join to is a row too, up to 2,000 names', () => {
    expect(findEntityFault(rowsKind, ID, stateOf(numbered(2_000)))).toBeUndefined();
    const fault = findEntityFault(rowsKind, ID, stateOf(numbered(2_001)));
    expect(fault?.text).toMatch(/2001 names of properties, the limit is 2000/);
    const fitted = withinUnknown(rowsKind, stateOf(numbered(2_500)));
    expect(findEntityFault(rowsKind, ID, fitted)).toBeUndefined();
  });
});
