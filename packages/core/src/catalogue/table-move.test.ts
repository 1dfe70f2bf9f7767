import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalError } from '../errors.ts';
import type { CatalogRecord } from './catalog-kind.ts';
import { readCatalogue, type TableGeneration, toCreation } from './decide-catalogue.ts';
import { hidingTableIds, keepsOf, leftTableIds, rowsIdOf } from './table-keeps.ts';
import { decideMirror } from './table-mirror.ts';
import {
  decideMove,
  decodeOrigin,
  encodeOrigin,
  type MoveStep,
  spacesOf,
  type TableMove,
} from './table-move.ts';
import { decodeSource, type TableSource, UNREADABLE } from './table-source.ts';

const DONE: TableSource = {
  state: 'done',
  home: 'east',
  from: 'shop',
  table: 'Orders',
  sinceMs: 5,
  lastWrittenMs: 4,
  copy: { read: 1, written: 1 },
  proof: {
    rows: 1,
    untouched: 1,
    changed: 0,
    deleted: 0,
    digest: '0123456789abcdef',
    atMs: 5,
    regions: ['east', 'west'],
  },
};

/** Returns a table as a region that has its record reads it. */
function tableOf({
  source,
  move,
  ...told
}: {
  readonly source?: TableSource;
  readonly move?: TableMove | undefined;
  readonly replicate?: 'all' | 'none';
  readonly tombstoneAgeMs?: number;
} = {}): TableGeneration {
  const record = toCreation('Orders', told, { nowMs: 1, source, move });
  const stored = { ...(record as CatalogRecord), mirror: null, rowsOf: null };
  const [table] = readCatalogue([{ entityId: 'orders~0000', entity: stored }]).get('orders') ?? [];
  return table!;
}

const MOVE: TableMove = { state: 'joining', from: 'Rows', to: 'Rows2', home: 'east', sinceMs: 10 };
const BEGIN: MoveStep = { kind: 'begin', home: 'east' };

/** Takes steps one after the other, each on what the one before it made. */
function walk(steps: readonly MoveStep['kind'][]): (TableMove | undefined)[] {
  const passed: (TableMove | undefined)[] = [undefined];
  for (const [index, kind] of steps.entries()) {
    const move = passed.at(-1);
    const step: MoveStep = kind === 'begin' ? BEGIN : { kind, sinceMs: move?.sinceMs ?? 0 };
    try {
      passed.push(decideMove(tableOf({ move }), step, 100 + index));
    } catch (error) {
      if (!(error instanceof TerminalError) || error.code !== 'TABLE_REQUEST_INVALID') throw error;
    }
  }
  return passed;
}

describe('the states of a table that moves to another space', () => {
  test('lead there, and a step that was taken changes nothing', () => {
    const there = walk(['begin', 'turn', 'turned', 'settle']).map((move) => move?.state);
    expect(there).toEqual([undefined, 'joining', 'turning', 'moved', 'settled']);
    for (const [kind, state] of [
      ['begin', 'joining'],
      ['turn', 'turning'],
      ['turned', 'moved'],
      ['settle', 'settled'],
      ['cancel', 'settled'],
    ] as const) {
      const move = { ...MOVE, state };
      const step: MoveStep = kind === 'begin' ? BEGIN : { kind, sinceMs: 1 };
      const seen = tableOf({ move });
      expect(decideMove(seen, step, 50), kind).toBe(seen.move);
    }
  });

  test('never put a row where nobody looks: each step is to the state next to it, and back only while joining', () => {
    const kinds = fc.constantFrom('begin', 'turn', 'turned', 'settle', 'cancel' as const);
    fc.assert(
      fc.property(fc.array(kinds, { maxLength: 30 }), (steps) => {
        const passed = walk(steps);
        for (const [index, after] of passed.entries()) {
          if (index === 0) continue;
          const before = passed[index - 1];
          const [from, to] = [before, after].map((move) => {
            const { own, other } = spacesOf({ replicate: 'all', move });
            return { state: move?.state, read: new Set([own, other]), own };
          });
          // Whoever is still at the state before writes where whoever is at the one after reads.
          expect(to?.read.has(from!.own)).toBe(true);
          const isCancelled = from?.state === 'joining' && to?.state !== 'turning';
          expect(isCancelled || from?.read.has(to!.own)).toBe(true);
          expect(to?.own === from?.own || to?.state === 'turning').toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['of a step too early', { kind: 'turned', sinceMs: 10 }, { move: MOVE }, 'it is joining'],
    ['of a table at rest', { kind: 'turn', sinceMs: 10 }, {}, 'it is at rest'],
    ['of another move', { kind: 'turn', sinceMs: 9 }, { move: MOVE }, 'another move'],
    [
      'of a way back too late',
      { kind: 'cancel', sinceMs: 10 },
      { move: { ...MOVE, state: 'turning' } },
      'rows of it are in the new space',
    ],
    ['of a table of one region', BEGIN, { replicate: 'none' }, 'no other region'],
    [
      'of a table that is taken over',
      BEGIN,
      { source: { state: 'proxy', home: 'east', from: 'shop', table: 'Orders', sinceMs: 1 } },
      'it is proxy',
    ],
    ['of a table that has moved', BEGIN, { move: { ...MOVE, state: 'settled' } }, 'lies in Rows2'],
    ['by another region', { kind: 'begin', home: 'west' }, { move: MOVE }, 'east moves it'],
  ] as const)('are refused %s', (_, step, told, why) => {
    expect(() => decideMove(tableOf(told), step, 50)).toThrow(why);
  });

  test('go on from a table that was taken over, which stays as it was', () => {
    expect(decideMove(tableOf({ source: DONE }), BEGIN, 10.5)).toEqual(MOVE);
    const { source, move } = tableOf({ source: DONE, move: MOVE });
    expect({ source, move }).toEqual({ source: DONE, move: MOVE });
  });

  test('begin for no table that is mirrored, nor is one mirrored that moves', () => {
    const mirror = { home: 'east', to: 'shop', table: 'Plain', sinceMs: 1 };
    expect(() => decideMove({ ...tableOf(), mirror }, BEGIN, 10)).toThrow(
      'it is mirrored to Plain of shop from east since 1970-01-01T00:00:00.001Z. End that first: ' +
        'tandem tables mirror Orders --region east --end --apply.',
    );
    expect(() => decideMirror(tableOf({ move: MOVE }), mirror, [])).toThrow(
      'it moves to Rows2, joining since 1970-01-01T00:00:00.010Z. tandem tables move Orders --region east --apply goes on to ' +
        'the end, or tandem tables move Orders --region east --back --apply leaves it where it is.',
    );
    const turning = { ...MOVE, state: 'turning' as const };
    expect(() => decideMirror(tableOf({ move: turning }), mirror, [])).toThrow(/to the end\.$/);
    expect(() => decideMove({ ...tableOf(), mirror: UNREADABLE }, BEGIN, 10)).toThrow(
      'a newer build',
    );
    const settled = { ...MOVE, state: 'settled' as const };
    expect(decideMirror(tableOf({ move: settled }), mirror, [])).toBeUndefined();
  });

  test('turn for no table that was mirrored in another region at the same time, and can be left where they are then', () => {
    const mirror = { home: 'west', to: 'shop', table: 'Plain', sinceMs: 1 };
    const both = { ...tableOf({ move: MOVE }), mirror };
    expect(() => decideMove(both, { kind: 'turn', sinceMs: 10 }, 50)).toThrow(
      'it is mirrored to Plain',
    );
    expect(decideMove(both, { kind: 'cancel', sinceMs: 10 }, 50)).toBeUndefined();
  });

  test('begin for no table that is on its way out, and say how that is ended', () => {
    const { from, home } = DONE;
    const source: TableSource = { state: 'closing', home, from, table: 'Plain', sinceMs: 5 };
    expect(() => decideMove(tableOf({ source }), BEGIN, 50)).toThrow(
      'it is closing to Plain of shop since 1970-01-01T00:00:00.005Z. tandem tables return Orders --region east --back --apply',
    );
    const returned = { ...source, state: 'returned' as const };
    expect(() => decideMove(tableOf({ source: returned }), BEGIN, 50)).toThrow('no way back');
  });
});

describe('a record of a table that moves', () => {
  test('is unreadable to a build that knows no spaces, and so served by none', () => {
    const text = encodeOrigin({ source: undefined, move: MOVE });
    expect(decodeSource(text!)).toBe(UNREADABLE);
  });

  test('reads as it was written, with and without a source', () => {
    const sources = fc.constantFrom(undefined, DONE);
    const moves = fc.option(
      fc.record({
        state: fc.constantFrom('joining', 'turning', 'moved', 'settled' as const),
        home: fc.constantFrom('east', 'west'),
        sinceMs: fc.nat(),
      }),
      { nil: undefined },
    );
    fc.assert(
      fc.property(sources, moves, (source, told) => {
        const move = told && { from: 'Rows' as const, to: 'Rows2' as const, ...told };
        expect(decodeOrigin(encodeOrigin({ source, move }))).toEqual({ source, move });
      }),
    );
  });

  test.each([
    ['of another form', { v: 3, move: MOVE }],
    ['of another state', { v: 2, move: { ...MOVE, state: 'flying' } }],
    ['to where it is', { v: 2, move: { ...MOVE, to: 'Rows' } }],
    ['by no region', { v: 2, move: { ...MOVE, home: '' } }],
    ['of a source that nobody can read', { v: 2, move: MOVE, source: '{"v":9}' }],
  ])('is unreadable as a whole %s', (_, json) => {
    const { source, move } = decodeOrigin(JSON.stringify(json));
    expect({ source, move }).toEqual({ source: UNREADABLE, move: undefined });
  });
});

describe('what else follows for a table that moves', () => {
  test('no tombstone of it goes before it is settled, and every process has heard of that', () => {
    const hidingAt = (move: TableMove | undefined, nowMs: number): number => {
      const table = tableOf({ move });
      return hidingTableIds(new Map([['orders', [table]]]), nowMs).size;
    };
    expect(hidingAt(undefined, 0)).toBe(0);
    for (const state of ['joining', 'turning', 'moved'] as const) {
      expect(hidingAt({ ...MOVE, state }, 1e9), state).toBe(1);
    }
    const settled = { ...MOVE, state: 'settled' as const, sinceMs: 1_000 };
    expect([hidingAt(settled, 61_000), hidingAt(settled, 61_001)]).toEqual([1, 0]);
    // What was deleted while it moved says so for ever; restored it has moved since, or moves still.
    const ended = { ...tableOf({ move: { ...MOVE, state: 'moved' } }), deletedMs: 5 };
    const restored = { ...tableOf({ move: settled }), generation: 1, rowsOf: 0 };
    const hidingOf = (...generations: TableGeneration[]): number =>
      hidingTableIds(new Map([['orders', generations]]), 1e9).size;
    expect(hidingOf(ended, restored)).toBe(0);
    expect(hidingOf(ended, { ...restored, move: ended.move })).toBe(1);
    // Made anew under the name it has rows of its own.
    expect(hidingOf(ended, { ...restored, rowsOf: 1 })).toBe(1);
  });

  test('its rows go from the old space alone, once it is settled and every process has heard of that', () => {
    const leftIn = (kind: string, move: TableMove | undefined, nowMs: number): number =>
      leftTableIds(new Map([['orders', [tableOf({ move })]]]), kind, nowMs).size;
    const settled = { ...MOVE, state: 'settled' as const, sinceMs: 1_000 };
    expect(leftIn('Rows', undefined, 1e9)).toBe(0);
    for (const state of ['joining', 'turning', 'moved'] as const) {
      expect(leftIn('Rows', { ...MOVE, state }, 1e9), state).toBe(0);
    }
    expect([leftIn('Rows', settled, 61_000), leftIn('Rows', settled, 61_001)]).toEqual([0, 1]);
    expect(leftIn('Rows2', settled, 1e9)).toBe(0);
    // Restored while it moved it shows the same rows, and the last generation says where they are.
    const restored = { ...tableOf({ move: settled }), generation: 1, rowsOf: 0 };
    const ended = { ...tableOf({ move: MOVE }), deletedMs: 5 };
    const both = new Map([['orders', [ended, restored]]]);
    expect(leftTableIds(both, 'Rows', 1e9).size).toBe(1);
    const again = new Map([
      [
        'orders',
        [
          { ...restored, generation: 0 },
          { ...ended, generation: 1 },
        ],
      ],
    ]);
    expect(leftTableIds(again, 'Rows', 1e9).size).toBe(0);
  });

  test('its settings hold for its rows in either space, and then for those in the new one', () => {
    const keptIn = (move: TableMove | undefined): string[] => {
      const table = tableOf({ move, tombstoneAgeMs: 7_200_000 });
      expect(rowsIdOf(table)).toBe(rowsIdOf({ key: 'orders', rowsOf: 0 }));
      const catalogue = new Map([['orders', [table]]]);
      return ['Rows', 'Rows2', 'LocalRows'].filter((kind) => keepsOf(catalogue, kind).size > 0);
    };
    expect(keptIn(undefined)).toEqual(['Rows']);
    expect(keptIn(MOVE)).toEqual(['Rows', 'Rows2']);
    expect(keptIn({ ...MOVE, state: 'settled' })).toEqual(['Rows2']);
  });
});
