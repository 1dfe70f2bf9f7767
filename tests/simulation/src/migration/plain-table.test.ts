import { describe, expect, test } from 'vitest';
import { explain, type PlainEvent, type PlainPart, valuesText } from './plain-table.ts';

const values = (mark: string): string => valuesText(new Map([['mark', mark]]));
const OLD = new Map([['1', { values: values('old'), etag: 'e0' }]]);
const part = (mark: string, more: Partial<PlainPart> = {}): PlainPart => ({
  rowKey: '1',
  how: 'put',
  values: new Map([['mark', mark]]),
  condition: 'none',
  ...more,
});
const write = (
  [startMs, endMs]: readonly [number, number],
  own: PlainPart,
  /** `refused`, `unknown`, or what it has then; undefined of a deletion. */
  etag: string | undefined,
): PlainEvent => ({
  id: `w${startMs}`,
  kind: 'write',
  startMs,
  endMs,
  parts: [own],
  answer:
    etag === 'unknown'
      ? { kind: 'unknown' }
      : etag === 'refused'
        ? { kind: 'refused', index: 0 }
        : { kind: 'done', etags: [etag] },
});
const read = (
  [startMs, endMs]: readonly [number, number],
  seen?: readonly [mark: string, etag: string],
): PlainEvent => ({
  id: `r${startMs}`,
  kind: 'read',
  startMs,
  endMs,
  rowKey: '1',
  seen: seen && { values: values(seen[0]), etag: seen[1] },
});
const FOREVER = Number.POSITIVE_INFINITY;

describe('I26: the reference of a migration', () => {
  test.each<readonly [string, readonly PlainEvent[]]>([
    [
      'what is written after it is read',
      [read([0, 1], ['old', 'e0']), write([2, 3], part('a'), 'e1')],
    ],
    [
      'what two who wrote at once left',
      [write([0, 9], part('a'), 'e1'), write([1, 8], part('b'), 'e2'), read([10, 11], ['a', 'e1'])],
    ],
    [
      'a refusal of an ETag that is gone',
      [
        write([0, 1], part('a'), 'e1'),
        write([2, 3], part('b', { condition: { etag: 'e0' } }), 'refused'),
      ],
    ],
    [
      'a write without an answer that came late',
      [
        write([0, FOREVER], part('a'), 'unknown'),
        read([5, 6], ['old', 'e0']),
        read([7, 8], ['a', 'e1']),
      ],
    ],
    [
      'one that never came',
      [write([0, FOREVER], part('a'), 'unknown'), read([5, 6], ['old', 'e0'])],
    ],
    [
      'a deletion',
      [write([0, 1], part('', { how: 'remove', values: new Map() }), undefined), read([2, 3])],
    ],
    [
      'other ETags of a table that it became',
      [
        {
          id: 'returned',
          kind: 'returned',
          startMs: 2,
          endMs: 2,
          rows: new Map([['1', { values: values('old'), etag: 'p0' }]]),
        },
        read([0, 5], ['old', 'e0']),
        read([6, 7], ['old', 'p0']),
      ],
    ],
  ])('explains %s', (_, events) => {
    expect(explain(OLD, events)).toEqual({ kind: 'explained' });
  });

  test.each<readonly [string, readonly PlainEvent[]]>([
    ['a write that is gone', [write([0, 1], part('a'), 'e1'), read([2, 3], ['old', 'e0'])]],
    [
      'a row that comes back',
      [
        write([0, 1], part('', { how: 'remove', values: new Map() }), undefined),
        read([2, 3], ['old', 'e0']),
      ],
    ],
    ['an ETag that another write had', [write([0, 1], part('a'), 'e1'), read([2, 3], ['a', 'e0'])]],
    [
      'a write over an ETag that is gone',
      [
        write([0, 1], part('a'), 'e1'),
        write([2, 3], part('b', { condition: { etag: 'e0' } }), 'e2'),
      ],
    ],
    [
      'a refusal of an ETag that is good',
      [write([0, 1], part('b', { condition: { etag: 'e0' } }), 'refused')],
    ],
    ['an insertion over a row', [write([0, 1], part('a', { condition: 'absent' }), 'e1')]],
    ['a row that is not shown', [read([0, 1])]],
    [
      'a table that it became without a write',
      [
        write([0, 1], part('a'), 'e1'),
        { id: 'returned', kind: 'returned', startMs: 2, endMs: 2, rows: OLD },
      ],
    ],
  ])('does not explain %s', (_, events) => {
    expect(explain(OLD, events)).toMatchObject({ kind: 'wrong' });
  });
});
