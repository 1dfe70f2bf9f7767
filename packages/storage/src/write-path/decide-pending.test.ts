import { formatStamp } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import type { WriteCondition } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { decidePending } from './decide-write.ts';
import { type KnownRow, NEVER_TOLD } from './pending-write.ts';

const ARRIVED_AT = 10;
const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w1' });
const live = {
  entityId: 'a',
  etag: '"1"',
  referenceId: undefined,
  state: {
    fields: new Map([['label', { value: { type: 'String', value: 'old' }, stamp } as const]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  },
};

function decide(known: KnownRow, condition?: WriteCondition, label = 'new') {
  const values = new Map([['label', { type: 'String', value: label } as const]]);
  const write = { kind: 'patch', values } as const;
  const request = { entityId: 'a', write, condition, trace: undefined };
  return decidePending({ request, arrivedAt: ARRIVED_AT }, known, deviceKind).kind;
}

describe('a waiting write', () => {
  test.each([
    ['remembered from earlier', NEVER_TOLD],
    ['told before the write was asked for', ARRIVED_AT - 1],
    ['told since', ARRIVED_AT + 1],
  ])('goes ahead on a row %s, for its ETag guards it', (_, toldAt) => {
    expect(decide({ row: live, toldAt })).toBe('write');
  });

  test.each([
    ['no row', undefined, undefined],
    ['a version that is not the one asked for', live, { kind: 'version', versions: ['other'] }],
  ] as const)(
    'is refused for %s only on what was told since it was asked for',
    (_, row, condition) => {
      expect(decide({ row, toldAt: ARRIVED_AT + 1 }, condition)).toBe('answer');
      expect(decide({ row, toldAt: ARRIVED_AT - 1 }, condition)).toBe('reread');
      expect(decide({ row, toldAt: NEVER_TOLD }, condition)).toBe('reread');
    },
  );

  test('C8: is needless only on what was told since it was asked for', () => {
    expect(decide({ row: live, toldAt: ARRIVED_AT + 1 }, undefined, 'old')).toBe('answer');
    expect(decide({ row: live, toldAt: ARRIVED_AT - 1 }, undefined, 'old')).toBe('reread');
    expect(decide({ row: live, toldAt: NEVER_TOLD }, undefined, 'old')).toBe('reread');
  });
});
