import { formatStamp } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import type { WriteCondition } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import {
  decideChanges,
  decideRefusal,
  decideWrite,
  type KnownRow,
  NEVER_TOLD,
} from './decide-write.ts';

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

function decide(
  known: KnownRow,
  condition?: WriteCondition,
  { label = 'new', request }: { readonly label?: string; readonly request?: string } = {},
) {
  const values = new Map([['label', { type: 'String', value: label } as const]]);
  const write = { kind: 'patch', values } as const;
  const change = { entityId: 'a', write, condition, known };
  return decideChanges([change], { arrivedAt: ARRIVED_AT, kind: deviceKind, request }).kind;
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
    ['a tag that is not the one asked for', live, { kind: 'etag', etag: 'W/"other"' }],
  ] as const)(
    'is refused for %s only on what was told since it was asked for',
    (_, row, condition) => {
      expect(decide({ row, toldAt: ARRIVED_AT + 1 }, condition)).toBe('answer');
      expect(decide({ row, toldAt: ARRIVED_AT - 1 }, condition)).toBe('reread');
      expect(decide({ row, toldAt: NEVER_TOLD }, condition)).toBe('reread');
    },
  );

  test('C8: is needless only on what was told since it was asked for', () => {
    expect(decide({ row: live, toldAt: ARRIVED_AT + 1 }, undefined, { label: 'old' })).toBe(
      'answer',
    );
    expect(decide({ row: live, toldAt: ARRIVED_AT - 1 }, undefined, { label: 'old' })).toBe(
      'reread',
    );
    expect(decide({ row: live, toldAt: NEVER_TOLD }, undefined, { label: 'old' })).toBe('reread');
  });
});

test('a request that its row tells of is answered, however old that knowledge is', () => {
  const row = { ...live, state: { ...live.state, request: 'r' } };
  const condition = { kind: 'absent' } as const;
  for (const toldAt of [NEVER_TOLD, ARRIVED_AT + 1]) {
    expect(decide({ row, toldAt }, condition, { request: 'r' })).toBe('answer');
  }
  expect(decide({ row, toldAt: NEVER_TOLD }, condition, { request: 's' })).toBe('reread');
  expect(decide({ row, toldAt: NEVER_TOLD }, condition)).toBe('reread');
});

describe('a write of several entities', () => {
  const several = (...rows: readonly (readonly [KnownRow, string])[]) => asked(undefined, ...rows);
  const asked = (request: string | undefined, ...rows: readonly (readonly [KnownRow, string])[]) =>
    decideChanges(
      rows.map(([row, label], index) => {
        const values = new Map([['label', { type: 'String', value: label } as const]]);
        const write = { kind: 'patch', values } as const;
        return { entityId: `id${index}`, write, condition: undefined, known: row };
      }),
      { arrivedAt: ARRIVED_AT, kind: deviceKind, request },
    );
  const there = { row: live, toldAt: ARRIVED_AT + 1 };
  const gone = { row: undefined, toldAt: ARRIVED_AT + 1 };
  const staleGone = { row: undefined, toldAt: ARRIVED_AT - 1 };

  test('is refused whole by the first that may not happen, which is named', () => {
    expect(several([there, 'new'], [gone, 'new'], [gone, 'new'])).toEqual({
      kind: 'answer',
      outcome: { kind: 'refused', index: 1, outcome: { kind: 'not-found' } },
    });
  });

  test('has all rows read at once that are too old to be refused for, before it is refused', () => {
    const decision = several([there, 'new'], [staleGone, 'new'], [gone, 'new'], [staleGone, 'new']);
    expect(decision).toEqual({ kind: 'reread', places: new Set([1, 3]) });
  });

  test('that may be asked for again is refused only once every row of it was read since', () => {
    const stale = { row: live, toldAt: ARRIVED_AT - 1 };
    const remembered = { row: live, toldAt: NEVER_TOLD };
    expect(asked('r', [stale, 'new'], [gone, 'new'], [remembered, 'new'])).toEqual({
      kind: 'reread',
      places: new Set([0, 2]),
    });
    expect(asked('r', [there, 'new'], [gone, 'new'])).toMatchObject({ kind: 'answer' });
    expect(several([stale, 'new'], [gone, 'new'])).toMatchObject({ kind: 'answer' });
  });

  test('writes what it does not change too, for only what is written is guarded', () => {
    const decision = several([there, 'old'], [there, 'new']);
    expect(decision).toMatchObject({
      kind: 'write',
      bases: [{ operation: 'patch' }, { operation: 'patch' }],
    });
  });
});

const told = { basis: { isRemembered: false } };
const supposed = { basis: { isRemembered: true } };
const known = { id: 'known', changes: [told] };
const remembered = { id: 'remembered', changes: [supposed] };
const other = { id: 'other', changes: [supposed] };
const several = { id: 'several', changes: [told, supposed] };

describe('the refusal of a group', () => {
  test('takes out the write that the store named and sends the others again', () => {
    expect(decideRefusal([known, remembered, other], 1, 1)).toEqual({
      refused: remembered,
      place: 0,
      resubmitted: [known, other],
      doubtful: [],
    });
  });

  test('repeated, has every row read that was only remembered', () => {
    expect(decideRefusal([known, remembered, other], 1, 2)).toEqual({
      refused: remembered,
      place: 0,
      resubmitted: [known],
      doubtful: [other],
    });
  });

  test('at no data row is none that a group can answer', () => {
    expect(decideRefusal([known], 1, 1)).toBeUndefined();
  });

  test('at any row of a write of several entities takes out the whole write', () => {
    for (const index of [1, 2]) {
      const plan = decideRefusal([known, several, other], index, 1);
      const others = { resubmitted: [known, other], doubtful: [] };
      expect(plan).toEqual({ refused: several, place: index - 1, ...others });
    }
    expect(decideRefusal([known, several, other], 3, 2)?.refused).toBe(other);
    expect(decideRefusal([known, several, other], 0, 2)?.doubtful).toEqual([several, other]);
  });
});

test.each(['field', 'row'] as const)(
  'a merge goes ahead whether the entity is there or not, by the policy %s',
  (policy) => {
    const values = new Map([['label', { type: 'String', value: 'new' } as const]]);
    const write = { kind: 'merge', values } as const;
    const rules = { condition: undefined, policy };
    expect(decideWrite(write, undefined, rules)).toEqual({ kind: 'write', operation: 'create' });
    expect(decideWrite(write, live, rules)).toEqual({ kind: 'write', operation: 'patch' });
    const present = { condition: { kind: 'present' }, policy } as const;
    expect(decideWrite(write, undefined, present)).toEqual({ kind: 'condition-failed' });
  },
);
