import { describe, expect, test } from 'vitest';
import { decideReturn, isReturnOf, sourceAfterReturn, type TableMirror } from './table-mirror.ts';
import type { TableMove } from './table-move.ts';
import {
  decodeSource,
  encodeSource,
  isHeldIn,
  overlaidBy,
  type TableSource,
  UNREADABLE,
} from './table-source.ts';

const MIRROR: TableMirror = { home: 'east', to: 'plain', table: 'Orders', sinceMs: 1 };
const PROXY: TableSource = { state: 'proxy', home: 'east', from: 'shop', table: 'Old', sinceMs: 1 };
const OVERLAY: TableSource = { ...PROXY, state: 'overlay', lastWrittenMs: 5 };
const COPIED: TableSource = { ...OVERLAY, state: 'copied', copy: { read: 2, written: 2 } };
const DONE: TableSource = {
  ...COPIED,
  state: 'done',
  proof: {
    rows: 2,
    untouched: 2,
    changed: 0,
    deleted: 0,
    atMs: 9,
    digest: '0123456789abcdef',
    regions: ['east'],
  },
};
const LEAVE = { kind: 'leave', home: 'east' } as const;
const STAY = { kind: 'stay', home: 'east' } as const;
const tableOf = (source: TableSource | undefined, mirror: TableMirror | undefined = MIRROR) => ({
  name: 'Orders',
  source,
  move: undefined,
  mirror,
});
const MOVE: TableMove = { state: 'joining', from: 'Rows', to: 'Rows2', home: 'west', sinceMs: 7 };

describe('the return of a table', () => {
  test.each([
    ['was made here', undefined],
    ['is overlaid', OVERLAY],
    ['is copied', COPIED],
    ['is done', DONE],
  ])('begins where it %s, is read as it was written, and has a way back to that', (_, before) => {
    const leaving = decideReturn(tableOf(before), LEAVE, 1_000.5)!;
    expect(leaving).toMatchObject({ state: 'closing', from: 'plain', table: 'Orders' });
    expect(decodeSource(encodeSource(leaving))).toEqual(leaving);
    expect(overlaidBy(leaving)).toEqual(overlaidBy(before));
    expect(decideReturn(tableOf(leaving), LEAVE, 2_000)).toBe(leaving);
    expect(['east', 'west'].map((region) => isHeldIn(region, leaving))).toEqual([false, true]);
    const held = decideReturn(tableOf(leaving), { kind: 'hold', sinceMs: 1_000 }, 2_000)!;
    expect(held).toEqual({ ...leaving, state: 'returning' });
    expect(['east', 'west'].map((region) => isHeldIn(region, held))).toEqual([true, true]);
    expect(decideReturn(tableOf(held), { kind: 'hold', sinceMs: 1_000 }, 2_000)).toBe(held);
    expect(decideReturn(tableOf(held), STAY, 2_000)).toBe(before);
    expect(decideReturn(tableOf(leaving), STAY, 2_000)).toBe(before);
    expect(decideReturn(tableOf(before), STAY, 2_000)).toBe(before);
    const inWest = { kind: 'stay', home: 'west' } as const;
    expect(() => decideReturn(tableOf(leaving), inWest, 2_000)).toThrow('east returns it. Give');
    // It may not have heard of the leaving.
    expect(() => decideReturn(tableOf(before), inWest, 2_000)).toThrow('east mirrors it. Give');
    // Whoever slept since his own was taken back takes back nobody else's.
    const own = { ...STAY, sinceMs: 1_000 };
    expect(decideReturn(tableOf(leaving), own, 2_000)).toBe(before);
    const other = decideReturn(tableOf(before), LEAVE, 3_000)!;
    expect(() => decideReturn(tableOf(other), own, 4_000)).toThrow('another return of it');
    expect(decideReturn(tableOf(before), own, 2_000)).toBe(before);
  });

  test('is refused by name while the table moves, and goes no further where a move was begun at the same time', () => {
    const moving = { ...tableOf(undefined), move: MOVE };
    const why =
      'it moves to Rows2, joining since 1970-01-01T00:00:00.007Z. tandem tables move Orders --region west';
    expect(() => decideReturn(moving, LEAVE, 1_000)).toThrow(why);
    expect(() => decideReturn(moving, { kind: 'hold', sinceMs: 9 }, 1_000)).toThrow(why);
    const left = { kind: 'left', sinceMs: 9, rows: 1 } as const;
    expect(() => decideReturn(moving, left, 1_000)).toThrow(why);
    const settled = { ...moving, move: { ...MOVE, state: 'settled' as const } };
    expect(decideReturn(settled, LEAVE, 1_000)?.state).toBe('closing');
  });

  test('is held everywhere while a build cannot read what it is', () => {
    expect(isHeldIn('east', UNREADABLE)).toBe(true);
    expect(isHeldIn('east', undefined)).toBe(false);
  });

  test('ends once, the leaving that it was proven of, and has no way back then', () => {
    const closing = decideReturn(tableOf(DONE), LEAVE, 1_000)!;
    const hold = { kind: 'hold', sinceMs: 1_000 } as const;
    const leaving = decideReturn(tableOf(closing), hold, 1_500)!;
    const left = { kind: 'left', sinceMs: 1_000, rows: 7 } as const;
    // Whoever takes writes still proves nothing.
    expect(() => decideReturn(tableOf(closing), left, 2_000)).toThrow('it was let stay meanwhile');
    const gone = decideReturn(tableOf(leaving), left, 2_000)!;
    expect(gone).toMatchObject({ state: 'returned', rows: 7 });
    expect(decodeSource(encodeSource(gone))).toEqual(gone);
    expect(decideReturn(tableOf(gone), left, 3_000)).toBe(gone);
    expect(() => decideReturn(tableOf(gone), STAY, 3_000)).toThrow('may have written');
    // Somebody let it stay, and somebody began anew, while this one slept.
    const again = decideReturn(tableOf(DONE), LEAVE, 5_000)!;
    expect(() => decideReturn(tableOf(again), left, 6_000)).toThrow('it was let stay meanwhile');
    expect(() => decideReturn(tableOf(again), hold, 6_000)).toThrow('it was let stay meanwhile');
    expect(() => decideReturn(tableOf(DONE), hold, 6_000)).toThrow('it was let stay meanwhile');
    expect(() => decideReturn(tableOf(DONE), left, 6_000)).toThrow('it was let stay meanwhile');
    const next = sourceAfterReturn(gone, { follows: 3, nowMs: 9_000 });
    expect(next).toEqual({
      state: 'proxy',
      home: 'east',
      from: 'plain',
      table: 'Orders',
      sinceMs: 9_000,
      follows: 3,
      rows: 7,
    });
    expect(isReturnOf(next, { rowsOf: 3 })).toBe(true);
    // Whoever has not heard of the return yet may find that it is taken over again.
    expect(isReturnOf({ ...next, state: 'frozen' }, { rowsOf: 3 })).toBe(true);
    expect(isReturnOf(next, { rowsOf: 2 })).toBe(false);
    expect(isReturnOf(undefined, { rowsOf: 3 })).toBe(false);
  });

  test.each([
    ['nothing mirrors it', { ...tableOf(DONE), mirror: undefined }, 'nothing mirrors it'],
    ['another region does', tableOf(DONE, { ...MIRROR, home: 'west' }), 'west mirrors it'],
    ['it is forwarded', tableOf(PROXY), 'it is proxy'],
    ['another region copies it', tableOf({ ...COPIED, home: 'west' }), 'west still copies it'],
    ['a newer build wrote how it is', { ...tableOf(DONE), source: UNREADABLE }, 'a newer'],
  ] as const)('is refused where %s', (_, table, why) => {
    expect(() => decideReturn(table, LEAVE, 1)).toThrow(why);
  });

  test.each([
    ['its way back is on its way out', { before: { ...PROXY, state: 'returning' } }],
    ['its way back is a proxy', { before: PROXY }],
    ['it has a proof itself', { proof: DONE.proof }],
  ])('is unreadable as a whole where %s', (_, more) => {
    const leaving = decideReturn(tableOf(DONE), LEAVE, 1_000)!;
    expect(decodeSource(JSON.stringify({ v: 1, ...leaving, ...more }))).toBe(UNREADABLE);
    expect(decodeSource(JSON.stringify({ v: 1, ...DONE, before: DONE }))).toBe(UNREADABLE);
  });
});
