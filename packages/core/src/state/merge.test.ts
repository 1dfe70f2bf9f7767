import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eraseState } from '../recovery/erase-entity.ts';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import { mergeStates } from './merge.ts';
import { covers, newestStamp } from './version-vector.ts';

const state = arbitraryEntityState;
const MANY = { numRuns: 2_000 };

describe('I3: merge is a join', () => {
  test('commutative', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        expect(mergeStates(a, b)).toEqual(mergeStates(b, a));
      }),
      MANY,
    );
  });

  test('associative', () => {
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(mergeStates(mergeStates(a, b), c)).toEqual(mergeStates(a, mergeStates(b, c)));
      }),
      MANY,
    );
  });

  test('idempotent', () => {
    fc.assert(
      fc.property(state, (a) => {
        expect(mergeStates(a, a)).toEqual(a);
      }),
      MANY,
    );
  });

  test('the result contains both sides', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const merged = mergeStates(a, b);
        expect(covers(merged.vector, a.vector) && covers(merged.vector, b.vector)).toBe(true);
      }),
    );
  });

  test('any order and number of deliveries gives the same state', () => {
    const deliveries = fc
      .array(state, { minLength: 1, maxLength: 5 })
      .chain((states) =>
        fc.tuple(
          fc.constant(states),
          fc.shuffledSubarray([...states, ...states, ...states], { minLength: states.length * 3 }),
        ),
      );
    fc.assert(
      fc.property(deliveries, ([once, many]) => {
        expect(many.reduce(mergeStates)).toEqual(once.reduce(mergeStates));
      }),
    );
  });
});

describe('a base', () => {
  test('takes away what was stamped before it, on either side, and nothing else', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const merged = mergeStates(a, b);
        const [greater] = [a.base, b.base]
          .filter((one) => one !== undefined)
          .toSorted()
          .toReversed();
        expect(merged.base).toBe(greater);
        const names = new Set([...a.fields.keys(), ...b.fields.keys()]);
        for (const name of names) {
          const [later = ''] = [a, b]
            .flatMap(({ fields }) => fields.get(name)?.stamp ?? [])
            .toSorted()
            .toReversed();
          const expected = greater === undefined || later >= greater ? later : undefined;
          expect(merged.fields.get(name)?.stamp).toBe(expected);
        }
      }),
    );
  });
});

describe('I25: the request of a row', () => {
  test('is that of the newest transaction on either side', () => {
    fc.assert(
      fc.property(state, state, (a, b) => {
        const newest = (one: typeof a): string => newestStamp(one.vector) ?? '';
        const merged = mergeStates(a, b);
        const later = [a, b].filter((one) => newest(one) === newest(merged));
        expect(merged.request).toBe(later.find(({ request }) => request !== undefined)?.request);
      }),
      MANY,
    );
  });
});

test('what was erased stays erased, whatever is merged into it', () => {
  fc.assert(
    fc.property(state, (a) => {
      const erased = eraseState(a);
      expect(mergeStates(a, erased)).toEqual(erased);
      expect(mergeStates(erased, a)).toEqual(erased);
    }),
  );
});
