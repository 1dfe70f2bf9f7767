import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalError } from '../errors.ts';
import {
  advanceSource,
  decodeSource,
  encodeSource,
  isOverlaid,
  SOURCE_STATES,
  type SourceEvent,
  type TableSource,
  UNREADABLE,
} from './table-source.ts';

const RUNS = { numRuns: 500 };
const PROXY: TableSource = {
  state: 'proxy',
  home: 'east',
  from: 'shop',
  table: 'Orders',
  sinceMs: 1_000,
};

const counts = fc.record({ read: fc.maxSafeNat(), written: fc.maxSafeNat() });
const proof = fc
  .tuple(fc.nat(), fc.nat(), fc.nat(), fc.maxSafeNat())
  .map(([untouched, changed, deleted, atMs]) => ({
    rows: untouched + changed + deleted,
    untouched,
    changed,
    deleted,
    atMs: Math.min(atMs, 8_640_000_000_000_000),
    digest: '0123456789abcdef',
    regions: ['east', 'west'],
  }));
const event: fc.Arbitrary<SourceEvent> = fc.oneof(
  fc.constant({ kind: 'freeze' } as const),
  fc.constant({ kind: 'thaw' } as const),
  fc.nat().map((lastWrittenMs) => ({ kind: 'overlay' as const, lastWrittenMs, sinceMs: 0 })),
  counts.map((copy) => ({ kind: 'copied' as const, copy })),
  proof.map((one) => ({ kind: 'prove' as const, proof: one })),
);

/** Does what is allowed, and leaves out what is not; returns every source on the way. */
function walk(events: readonly SourceEvent[]): TableSource[] {
  const passed = [PROXY];
  for (const [index, one] of events.entries()) {
    const last = passed.at(-1)!;
    try {
      const { sinceMs } = last;
      const own = one.kind === 'overlay' ? { ...one, sinceMs } : one;
      passed.push(advanceSource(last, own, { table: 'Orders', nowMs: 2_000 + index }));
    } catch (error) {
      if (!(error instanceof TerminalError) || error.code !== 'TABLE_REQUEST_INVALID') throw error;
    }
  }
  return passed;
}

const rankOf = ({ state }: TableSource): number => SOURCE_STATES.indexOf(state);

describe('the states of a table that is taken over', () => {
  test('go forward one at a time, and back only before the overlay', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const passed = walk(events);
        for (const [index, next] of passed.entries()) {
          const before = passed[index - 1] ?? PROXY;
          const step = rankOf(next) - rankOf(before);
          expect(step).toBeLessThanOrEqual(1);
          const isThawed = before.state === 'frozen' && next.state === 'proxy';
          expect(step >= 0 || isThawed).toBe(true);
          // Where its rows come from never changes.
          expect(next).toMatchObject({ home: 'east', from: 'shop', table: 'Orders' });
        }
      }),
      RUNS,
    );
  });

  test('are never forwarded again once the overlay has begun', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const states = walk(events).map(({ state }) => state);
        const overlaid = states.indexOf('overlay');
        if (overlaid < 0) return;
        expect(states.slice(overlaid)).not.toContain('proxy');
        expect(states.slice(overlaid)).not.toContain('frozen');
      }),
      RUNS,
    );
  });

  test('are the same object where an event has happened before, so that it is repeated without harm', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), event, (events, last) => {
        const source = walk(events).at(-1)!;
        let next: TableSource;
        try {
          next = advanceSource(source, last, { table: 'Orders', nowMs: 5_000 });
        } catch {
          return;
        }
        expect(advanceSource(next, last, { table: 'Orders', nowMs: 6_000 })).toBe(next);
      }),
      RUNS,
    );
  });

  test('are each read as they were written, and fit the record of the catalogue', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        for (const source of walk(events)) {
          const text = encodeSource(source);
          expect(text.length).toBeLessThan(4_096);
          expect(decodeSource(text)).toEqual(source);
        }
      }),
      RUNS,
    );
  });

  test('never are `done` without a proof, nor `copied` without a count', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        for (const source of walk(events)) {
          expect(source.copy !== undefined).toBe(
            rankOf(source) >= rankOf({ ...PROXY, state: 'copied' }),
          );
          expect(source.proof !== undefined).toBe(source.state === 'done');
          expect(isOverlaid(source) && source.lastWrittenMs === undefined).toBe(false);
        }
      }),
      RUNS,
    );
  });

  test('refuse by name what a state does not allow', () => {
    expect(() =>
      advanceSource(
        PROXY,
        { kind: 'overlay', lastWrittenMs: 1, sinceMs: 0 },
        { table: 'Orders', nowMs: 2_000 },
      ),
    ).toThrow(
      'Table Orders cannot be overlaid: it is in the state proxy. See tandem tables status.',
    );
  });

  test('refuse an overlay after a freeze that was given back', () => {
    const at = (nowMs: number) => ({ table: 'Orders', nowMs });
    const { sinceMs } = advanceSource(PROXY, { kind: 'freeze' }, at(2_000));
    const again = advanceSource(PROXY, { kind: 'freeze' }, at(9_000));
    const overlay = { kind: 'overlay', lastWrittenMs: 1 } as const;
    expect(() => advanceSource(again, { ...overlay, sinceMs }, at(9_100))).toThrow(
      /given back to its old address meanwhile, and frozen again/,
    );
    expect(advanceSource(again, { ...overlay, sinceMs: 9_000 }, at(13_000)).state).toBe('overlay');
  });
});

describe('what arrives as a source', () => {
  const overlay = { ...PROXY, state: 'overlay', lastWrittenMs: 5 };
  const done = {
    ...overlay,
    state: 'done',
    copy: { read: 2, written: 2 },
    proof: {
      rows: 2,
      untouched: 2,
      changed: 0,
      deleted: 0,
      digest: '0123456789abcdef',
      atMs: 9,
      regions: ['east'],
    },
  };

  test.each([
    ['is no JSON', '{'],
    ['is null', 'null'],
    ['is of a form to come', JSON.stringify({ v: 2, ...PROXY })],
    ['has no form', JSON.stringify(PROXY)],
    ['has a state to come', JSON.stringify({ v: 1, ...PROXY, state: 'mirrored' })],
    ['has more than is known', JSON.stringify({ v: 1, ...PROXY, key: 'x' })],
    ['names no region', JSON.stringify({ v: 1, ...PROXY, home: 'old' })],
    ['names no source', JSON.stringify({ v: 1, ...PROXY, from: 'a key?' })],
    ['names no table', JSON.stringify({ v: 1, ...PROXY, table: 'a/b' })],
    ['has a time that no clock has', JSON.stringify({ v: 1, ...PROXY, sinceMs: 1e300 })],
    ['is overlaid since never', JSON.stringify({ v: 1, ...PROXY, state: 'overlay' })],
    ['is forwarded and copied', JSON.stringify({ v: 1, ...PROXY, copy: { read: 1, written: 1 } })],
    ['is done without a proof', JSON.stringify({ v: 1, ...done, proof: undefined })],
    [
      'has a proof that does not add up',
      JSON.stringify({ v: 1, ...done, proof: { ...done.proof, rows: 3 } }),
    ],
    [
      'was proven without its home',
      JSON.stringify({ v: 1, ...done, proof: { ...done.proof, regions: ['west'] } }),
    ],
  ])('is unreadable as a whole where it %s', (_, text) => {
    expect(decodeSource(text)).toBe(UNREADABLE);
  });

  test('is never an error, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((one) => JSON.stringify(one)),
        ),
        (text) => {
          expect(decodeSource(text)).toBe(UNREADABLE);
        },
      ),
      RUNS,
    );
  });

  test('is what it was where it is whole', () => {
    expect(decodeSource(JSON.stringify({ v: 1, ...done }))).toEqual(done);
  });
});
