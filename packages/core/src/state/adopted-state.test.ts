import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideApply } from '../inbound/decide-apply.ts';
import { arbitraryEntityState, arbitraryFieldValue } from '../testing/arbitrary-entity-state.ts';
import { createHybridClock } from '../time/hybrid-clock.ts';
import { formatStamp, OLD_REGION, type Stamp, stampRegion } from '../time/stamp.ts';
import { canonicalDateTime, type FieldValue } from '../values/field-value.ts';
import { adoptedStamp, adoptedState, adoptionOf } from './adopted-state.ts';
import { type EntityState, isAlive, latestStamp } from './entity-state.ts';
import { mergeStates } from './merge.ts';
import { covers, newestStamp, publicETag, publicTimestamp } from './version-vector.ts';
import { type Write, writeEntity } from './write-entity.ts';

const NOW_MS = Date.parse('2026-12-01T12:00:00Z');

/** A time as the service writes it: seven digits of a second, the zeros at its end cut. */
const timestamp = fc
  .record({ ms: fc.integer({ min: 0, max: NOW_MS }), ticks: fc.integer({ min: 0, max: 9_999 }) })
  .map(({ ms, ticks }) =>
    canonicalDateTime(
      `${new Date(ms).toISOString().slice(0, -1)}${String(ticks).padStart(4, '0')}Z`,
    ),
  );
const values = fc
  .dictionary(fc.constantFrom('email', 'phone', '__proto__'), arbitraryFieldValue)
  .map((all) => {
    const found = Object.entries(all).filter(
      (entry): entry is [string, FieldValue] => entry[1] !== null,
    );
    return new Map(found);
  });
const row = fc.record({ entityId: fc.string({ minLength: 1 }), timestamp, values });

function adopt(one: {
  readonly entityId: string;
  readonly timestamp: string;
  readonly values: ReadonlyMap<string, FieldValue>;
}): EntityState {
  return adoptedState(adoptedStamp(one.entityId, one.timestamp)!, one.values);
}

const write: fc.Arbitrary<Write> = fc.oneof(
  values.map((given): Write => ({ kind: 'put', values: given })),
  values.map((given): Write => ({ kind: 'merge', values: given })),
  fc.constant<Write>({ kind: 'delete' }),
);

function clockOf(region: string): ReturnType<typeof createHybridClock> {
  return createHybridClock({ region, writer: 'w', nowMs: () => NOW_MS, driftMsMax: 60_000 });
}

function writeIn(region: string, one: Write, stored: EntityState): EntityState {
  const stamp = clockOf(region).tick(latestStamp(stored));
  return writeEntity(one, { stored, stamp, policy: 'row', mayTakeBase: true });
}

describe('I24: a row of an old table that nobody has written since', () => {
  test('keeps the Timestamp and the ETag that the table gave it, to the last digit', () => {
    fc.assert(
      fc.property(row, (one) => {
        const { vector } = adopt(one);
        expect(publicTimestamp(newestStamp(vector)!)).toBe(one.timestamp);
        const tag = `W/"datetime'${encodeURIComponent(one.timestamp)}'"`;
        expect(publicETag(vector)).toBe(tag);
      }),
    );
  });

  test('is the same in every region, alive, and known for what it is', () => {
    fc.assert(
      fc.property(row, (one) => {
        const [here, there] = [adopt(one), adopt(structuredClone(one))];
        expect(there).toEqual(here);
        expect(isAlive(here)).toBe(true);
        expect(adoptionOf(here)).toBe(adoptedStamp(one.entityId, one.timestamp));
        expect(mergeStates(here, there)).toEqual(here);
      }),
    );
  });

  test('two rows of one transaction of the old table have one Timestamp and two stamps', () => {
    const [a, b] = ['a', 'b'].map((id) => adoptedStamp(id, '2020-02-02T02:02:02.1234567Z'));
    expect(a).toMatch(/^[0-9a-f]{12}-11d7-old-[a-z2-7]{16}$/);
    expect(a).not.toBe(b);
  });

  test.each([
    '',
    'yesterday',
    '2020-02-30T00:00:00Z',
    '2020-02-02T02:02:02.12345678Z',
    '2020-02-02T02:02:02+01:00',
    '1969-12-31T23:59:59.9999999Z',
    '9999-12-31T00:00:00Z',
  ])('"%s" is no Timestamp of one', (text) => {
    expect(adoptedStamp('a', text)).toBeUndefined();
  });
});

describe('I24: a write on an adopted row', () => {
  test('exceeds it in any region, and hides it for good', () => {
    fc.assert(
      fc.property(row, write, fc.constantFrom('east', 'west'), (one, change, region) => {
        const adopted = adopt(one);
        const written = writeIn(region, change, adopted);
        expect(covers(written.vector, adopted.vector)).toBe(true);
        expect(newestStamp(written.vector)! > newestStamp(adopted.vector)!).toBe(true);
        expect(mergeStates(written, adopted)).toEqual(written);
        expect(adoptionOf(written)).toBeUndefined();
        // One region wrote, so a client sees a version as of a table that was never anywhere else.
        expect(publicETag(written.vector)).not.toContain('~');
      }),
    );
  });

  test('the copy that comes after it changes nothing, in any order and number', () => {
    fc.assert(
      fc.property(row, write, write, fc.infiniteStream(fc.nat(2)), (one, first, second, draws) => {
        const adopted = adopt(one);
        const all = [adopted, writeIn('east', first, adopted), writeIn('west', second, adopted)];
        const expected = all.reduce(mergeStates);
        let state: EntityState | undefined;
        for (const draw of [...draws.take(6), 0, 1, 2]) {
          const next = all[draw]!;
          state = state === undefined ? next : mergeStates(state, next);
        }
        expect(state).toEqual(expected);
      }),
    );
  });

  test('I3: joins with whatever else there is as any state does', () => {
    fc.assert(
      fc.property(row, arbitraryEntityState, arbitraryEntityState, (one, a, b) => {
        const old = adopt(one);
        expect(mergeStates(old, a)).toEqual(mergeStates(a, old));
        expect(mergeStates(mergeStates(old, a), b)).toEqual(mergeStates(old, mergeStates(a, b)));
        expect(mergeStates(mergeStates(old, a), old)).toEqual(mergeStates(old, a));
      }),
    );
  });
});

describe('a state that only claims to be adopted is none', () => {
  const stamp = adoptedStamp('a', '2020-02-02T02:02:02.1Z')!;
  const sound = adoptedState(stamp, new Map([['x', { type: 'Int32', value: 1 }]]));
  const east = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
  const other = adoptedStamp('b', '2020-02-02T02:02:02.1Z')!;
  test.each<[string, Partial<EntityState>]>([
    ['deleted', { deleted: stamp }],
    ['of a request', { request: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['of another life', { alive: other }],
    ['never made', { alive: undefined }],
    ['without a base', { base: undefined }],
    ['with a field of another write', { fields: new Map([['x', { value: null, stamp: east }]]) }],
    ['with a field that it took away', { fields: new Map([['x', { value: null, stamp }]]) }],
    ['of a region', { vector: new Map([['east', east]]) }],
    ['with a stamp of a region', { vector: new Map<string, Stamp>([[OLD_REGION, east]]) }],
    ['written since', { vector: new Map([...sound.vector, ['east', east]]) }],
  ])('%s', (_, part) => {
    expect(adoptionOf(sound)).toBe(stamp);
    expect(stampRegion(stamp)).toBe(OLD_REGION);
    expect(adoptionOf({ ...sound, ...part })).toBeUndefined();
  });
});

describe('I4: an adopted state that is delivered', () => {
  const stamp = adoptedStamp('a', '2020-02-02T02:02:02.1Z')!;
  const state = adoptedState(stamp, new Map());
  const tombstoneAgeMs = 1_000;
  const decide = (setMs: number, stored?: EntityState) =>
    decideApply(
      {
        entityKind: 'Rows',
        entityId: 'a',
        state,
        referenceId: 'ref',
        stamp: formatStamp({ timeMs: setMs, counter: 0, region: 'east', writer: 'w' }),
      },
      {
        stored: stored && { state: stored, referenceId: undefined },
        nowMs: NOW_MS,
        tombstoneAgeMs,
      },
    );

  test('is as old as the set that brings it, however old the row is', () => {
    expect(decide(NOW_MS - tombstoneAgeMs)).toMatchObject({ kind: 'write', row: { state } });
    expect(decide(NOW_MS - tombstoneAgeMs - 1)).toMatchObject({ kind: 'refuse' });
  });

  test('is nothing new to a row that was written or deleted on it', () => {
    const deleted = writeIn('west', { kind: 'delete' }, state);
    expect(decide(NOW_MS, deleted)).toEqual({ kind: 'skip' });
    expect(decide(NOW_MS, state)).toEqual({ kind: 'skip' });
  });
});
