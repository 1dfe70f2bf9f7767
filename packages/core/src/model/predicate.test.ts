import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../values/field-value.ts';
import { type ComparisonOperator, matches, type Predicate } from './predicate.ts';

const ROW: Readonly<Record<string, FieldValue>> = {
  text: { type: 'String', value: 'b' },
  flag: { type: 'Boolean', value: true },
  int: { type: 'Int32', value: 3 },
  long: { type: 'Int64', value: 3n },
  double: { type: 'Double', value: 3.5 },
  nan: { type: 'Double', value: Number.NaN },
  at: { type: 'DateTime', value: '2026-11-30T22:00:00.5Z' },
  guid: { type: 'Guid', value: 'ABCDEF01-0000-0000-0000-000000000000' },
  bytes: { type: 'Binary', value: new Uint8Array([1, 2]) },
};

const compare = (name: string, operator: ComparisonOperator, value: FieldValue): Predicate => ({
  kind: 'compare',
  name,
  operator,
  value,
});
const ask = (predicate: Predicate): boolean => matches(predicate, (name) => ROW[name]);

const CASES: readonly [string, ComparisonOperator, FieldValue, boolean][] = [
  ['text', 'eq', { type: 'String', value: 'b' }, true],
  ['text', 'gt', { type: 'String', value: 'B' }, true],
  ['text', 'lt', { type: 'String', value: 'ba' }, true],
  ['text', 'ne', { type: 'Int32', value: 3 }, false],
  ['absent', 'ne', { type: 'String', value: 'b' }, false],
  ['flag', 'eq', { type: 'Boolean', value: true }, true],
  ['int', 'ge', { type: 'Int32', value: 3 }, true],
  ['int', 'eq', { type: 'Int64', value: 3n }, false],
  ['long', 'eq', { type: 'Int64', value: 3n }, true],
  ['long', 'gt', { type: 'Int32', value: 2 }, true],
  ['double', 'gt', { type: 'Int32', value: 3 }, true],
  ['double', 'le', { type: 'Double', value: 3.5 }, true],
  ['nan', 'eq', { type: 'Double', value: Number.NaN }, false],
  ['nan', 'ne', { type: 'Double', value: 1 }, false],
  ['at', 'eq', { type: 'DateTime', value: '2026-11-30T22:00:00.5000000Z' }, true],
  ['at', 'gt', { type: 'DateTime', value: '2026-11-30T22:00:00.4999999Z' }, true],
  ['at', 'gt', { type: 'DateTime', value: '2026-11-30T22:00:00Z' }, true],
  ['guid', 'eq', { type: 'Guid', value: 'abcdef01-0000-0000-0000-000000000000' }, true],
  ['bytes', 'lt', { type: 'Binary', value: new Uint8Array([1, 3]) }, true],
  ['bytes', 'eq', { type: 'Binary', value: new Uint8Array([1, 2]) }, true],
];

describe('a predicate', () => {
  it.each(CASES)('compares %s %s %o: %s', (name, operator, value, expected) => {
    expect(ask(compare(name, operator, value))).toBe(expected);
  });

  it('joins and negates, and takes a comparison with nothing for false', () => {
    const yes = compare('int', 'eq', { type: 'Int32', value: 3 });
    const no = compare('absent', 'eq', { type: 'Int32', value: 3 });
    expect(ask({ kind: 'and', parts: [yes, no] })).toBe(false);
    expect(ask({ kind: 'or', parts: [no, yes] })).toBe(true);
    expect(ask({ kind: 'not', part: no })).toBe(true);
    expect(ask({ kind: 'constant', value: true })).toBe(true);
  });
});
