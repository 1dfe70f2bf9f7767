import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { driveVirtualTime } from '../memory/drive-virtual-time.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import type { EntityState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import {
  createMemoryRecoveryRegion,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import { compareBucket, type Digest } from './compare-bucket.ts';
import { describeDifference, type Difference } from './difference.ts';
import { joinEntities } from './join-entities.ts';
import { mergeStatesInto } from './merge-states-into.ts';
import { applyRepair, planRepair } from './repair-regions.ts';
import { isCollectable, isSameState, stateText } from './state-text.ts';
import { verifyRegions, type VerifyReport } from './verify-regions.ts';

const HORIZON_MS = 1_000;

function at(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

function alive(timeMs: number, label = 'x', region = 'east'): EntityState {
  return stateWith({ label: [at(timeMs, region), label] });
}

function dead(timeMs: number, region = 'east'): EntityState {
  return {
    ...alive(timeMs - 1, 'x', region),
    deleted: at(timeMs, region),
    vector: new Map([[region, at(timeMs, region)]]),
  };
}

/** All that it was given, so that a test sees what a digest is of. */
function createTextDigest(): Digest {
  let text = '';
  return { update: (more) => void (text += more), hex: () => text };
}

function createThree(): readonly [
  MemoryRecoveryRegion,
  MemoryRecoveryRegion,
  MemoryRecoveryRegion,
] {
  const [east, west, north] = ['east', 'west', 'north'].map(createMemoryRecoveryRegion);
  return [east!, west!, north!];
}

interface Compared {
  readonly different: readonly (readonly string[])[];
  readonly rowsTold: number;
  readonly comparison: Awaited<ReturnType<typeof compareBucket>>;
}

async function compare(regions: readonly MemoryRecoveryRegion[]): Promise<Compared> {
  const different: (readonly string[])[] = [];
  let rowsTold = 0;
  const comparison = await compareBucket(regions, MEMORY_BUCKET, {
    createDigest: createTextDigest,
    horizonMs: HORIZON_MS,
    onDifferent: async (ids) => void different.push(ids),
    onRows: (count) => void (rowsTold += count),
  });
  return { different, rowsTold, comparison };
}

describe('a state as text', () => {
  test('is the same for the same state, and no other', () => {
    fc.assert(
      fc.property(arbitraryEntityState, arbitraryEntityState, (a, b) => {
        const shuffled = { ...a, fields: new Map([...a.fields].toReversed()) };
        expect(stateText(shuffled)).toBe(stateText(a));
        expect(isSameState(a, b)).toBe(stateText(a) === stateText(b));
        expect(isSameState(mergeStates(a, b), mergeStates(b, a))).toBe(true);
      }),
    );
  });

  test.each<[string, EntityState]>([
    ['a value', stateWith({ label: [at(1), 'b'] })],
    [
      'the stamp of a value',
      stateWith({ label: [at(2), 'a'] }, { vector: new Map([['east', at(1)]]), alive: at(1) }),
    ],
    ['a field', stateWith({ label: [at(1), 'a'], more: [at(1), 'a'] })],
    ['the name of a field', stateWith({ lobel: [at(1), 'a'] })],
    ['when it was made alive', stateWith({ label: [at(1), 'a'] }, { alive: undefined })],
    ['a deletion', stateWith({ label: [at(1), 'a'] }, { deleted: at(1) })],
    [
      'what it contains',
      stateWith({ label: [at(1), 'a'] }, { vector: new Map([['west', at(1, 'west')]]) }),
    ],
  ])('tells %s apart', (_, other) => {
    expect(isSameState(stateWith({ label: [at(1), 'a'] }), other)).toBe(false);
  });

  test('nothing is the same as nothing alone', () => {
    expect(isSameState(undefined, undefined)).toBe(true);
    expect(isSameState(alive(1), undefined)).toBe(false);
    expect(isSameState(undefined, alive(1))).toBe(false);
  });

  test.each<[string, EntityState, boolean]>([
    ['a tombstone of before the horizon', dead(HORIZON_MS - 1), true],
    ['a tombstone at the horizon', dead(HORIZON_MS), false],
    ['what is alive, however old', alive(1), false],
    [
      'a tombstone with anything newer',
      { ...dead(10), vector: new Map([['west', at(HORIZON_MS, 'west')]]) },
      false,
    ],
  ])('%s may be collected: %s', (_, state, expected) => {
    expect(isCollectable(state, HORIZON_MS)).toBe(expected);
  });
});

describe('comparing a bucket', () => {
  test('tells of what is not the same everywhere, in one region or in all but one', async () => {
    const [east, west, north] = createThree();
    for (const region of [east, west, north]) region.put('same', alive(2_000));
    for (const region of [east, west]) region.put('two', alive(2_000));
    north.put('one', alive(2_000));
    for (const [region, label] of [
      [east, 'a'],
      [west, 'a'],
      [north, 'b'],
    ] as const) {
      region.put('unlike', alive(2_000, label));
    }
    const { different, rowsTold, comparison } = await compare([east, west, north]);
    expect(different).toEqual([['one', 'two', 'unlike']]);
    expect(rowsTold).toBe(9);
    expect(Object.fromEntries(comparison.rows)).toEqual({ east: 3, west: 3, north: 3 });
    expect(comparison.damaged).toEqual([]);
  });

  test('has one digest for one content, of keys and states', async () => {
    const [east, west, north] = createThree();
    for (const region of [east, west]) region.put('a', alive(2_000));
    north.put('b', alive(2_000));
    const { digests } = (await compare([east, west, north])).comparison;
    expect(digests.get('east')).toBe(digests.get('west'));
    expect(digests.get('north')).not.toBe(digests.get('east'));
    expect(digests.get('east')).toBe(`a\n${stateText(alive(2_000))}\n`);
  });

  test('takes a tombstone that may be collected for no row, and a younger one for what it is', async () => {
    const [east, west] = createThree();
    east.put('old', dead(HORIZON_MS - 1));
    east.put('young', dead(HORIZON_MS));
    const { different, comparison } = await compare([east, west]);
    expect(different).toEqual([['young']]);
    expect(comparison.rows.get('east')).toBe(1);
    expect(comparison.digests.get('west')).toBe('');
  });

  test('compares nothing with what is damaged, and names that', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000));
    west.damage('a');
    for (const region of [east, west]) region.damage('both');
    east.put('b', alive(2_000));
    const { different, comparison } = await compare([east, west]);
    expect(different).toEqual([['b']]);
    expect(comparison.damaged.map(({ region, rowKey }) => `${region}/${rowKey}`)).toEqual([
      'west/a',
      'east/both',
      'west/both',
    ]);
    expect(comparison.damaged[0]).toMatchObject({ bucket: MEMORY_BUCKET, problem: 'It is torn.' });
  });

  test.each([
    [99, [99]],
    [100, [100]],
    [101, [100, 1]],
    [250, [100, 100, 50]],
  ])('tells of %d ids as many at a time as a transaction takes: %j', async (count, sizes) => {
    const [east, west] = createThree();
    for (let n = 0; n < count; n += 1) east.put(`d${String(n).padStart(4, '0')}`, alive(2_000));
    const { different } = await compare([east, west]);
    expect(different.map(({ length }) => length)).toEqual(sizes);
    expect(new Set(different.flat()).size).toBe(count);
  });
});

describe('a difference', () => {
  test('says how each region has it, and which fields are not the same', () => {
    const states = new Map<string, EntityState | undefined>([
      ['east', stateWith({ same: [at(1), 's'], label: [at(2), 'a'], onlyHere: [at(1), 'o'] })],
      [
        'west',
        { ...stateWith({ same: [at(1), 's'], label: [at(1), 'a'] }), deleted: at(3, 'west') },
      ],
      ['north', undefined],
    ]);
    const { regions, fields, ...rest } = describeDifference('07', 'a', states);
    // West alone knows of the deletion, and lacks two fields: none of them has it all.
    expect(rest).toEqual({ bucket: '07', entityId: 'a', behind: ['east', 'west', 'north'] });
    expect(regions).toEqual({
      east: { life: 'alive', version: at(2) },
      west: { life: 'deleted', version: at(1) },
      north: { life: 'absent', version: '' },
    });
    expect(fields.map(({ name }) => name)).toEqual(['label', 'onlyHere', 'same']);
    const [label] = fields;
    expect(label?.values).toEqual({
      east: { stamp: at(2), value: ['String', 'a'] },
      west: { stamp: at(1), value: ['String', 'a'] },
      north: undefined,
    });
  });

  test('leaves out fields that are the same in all regions', () => {
    const states = new Map([
      ['east', stateWith({ same: [at(1), 's'], label: [at(2), 'a'] })],
      ['west', stateWith({ same: [at(1), 's'], label: [at(3), 'b'] })],
    ]);
    expect(describeDifference('00', 'a', states).fields.map(({ name }) => name)).toEqual(['label']);
  });
});

describe('verifying regions', () => {
  const verify = async (
    regions: readonly MemoryRecoveryRegion[],
    more: { readonly rechecks?: number; readonly onSleep?: (nth: number) => void } = {},
  ): Promise<VerifyReport & { readonly tookMs: number }> => {
    const clock = createVirtualClock(1_000_000);
    let slept = 0;
    const report = await driveVirtualTime(
      clock,
      verifyRegions({
        regions,
        buckets: [MEMORY_BUCKET],
        clock: {
          ...clock,
          sleep: async (ms, signal) => {
            slept += 1;
            more.onSleep?.(slept);
            await clock.sleep(ms, signal);
          },
        },
        createDigest: createTextDigest,
        tombstoneAgeMs: 1_000_000 - HORIZON_MS,
        recheckCountMax: more.rechecks ?? 3,
        recheckDelayMs: 50,
      }),
    );
    return { ...report, tookMs: clock.nowMs() - 1_000_000 };
  };

  test('reads again what differs, as often as it is told to, and says what has settled', async () => {
    const [east, west] = createThree();
    for (const id of ['first', 'second', 'never']) east.put(id, alive(2_000));
    const report = await verify([east, west], {
      onSleep: (nth) => {
        if (nth === 1) west.put('first', alive(2_000));
        if (nth === 3) west.put('second', alive(2_000));
      },
    });
    expect(report).toMatchObject({
      asOfMs: 1_000_000,
      isEqual: false,
      settledCount: 2,
      differentCount: 1,
      differences: [{ entityId: 'never', bucket: MEMORY_BUCKET }],
      tookMs: 150,
    });
  });

  test('looks once at least, and no oftener once all has settled', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000));
    expect(await verify([east, west], { rechecks: 0 })).toMatchObject({
      isEqual: false,
      differentCount: 1,
      tookMs: 0,
    });
    const settled = await verify([east, west], { onSleep: () => west.put('a', alive(2_000)) });
    expect(settled).toMatchObject({ isEqual: true, settledCount: 1, tookMs: 50 });
  });

  test('is not equal while anything is damaged', async () => {
    const [east, west] = createThree();
    west.damage('a');
    expect(await verify([east, west])).toMatchObject({ isEqual: false, differentCount: 0 });
  });

  test('takes what may be collected for nothing when it reads again, too', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000));
    const report = await verify([east, west], {
      rechecks: 1,
      onSleep: () => east.put('a', dead(HORIZON_MS - 1)),
    });
    expect(report).toMatchObject({ isEqual: true, settledCount: 1 });
  });

  test('counts what differs beyond what it describes', async () => {
    const [east, west] = createThree();
    for (let n = 0; n < 10_050; n += 1) east.put(`d${n}`, alive(2_000));
    const { differences, differentCount, settledCount } = await verify([east, west], {
      rechecks: 0,
    });
    expect(differences).toHaveLength(10_000);
    expect({ differentCount, settledCount }).toEqual({ differentCount: 10_050, settledCount: 0 });
  });
});

describe('planning a repair', () => {
  const NOW_MS = 10_000;
  const OPTIONS = { nowMs: NOW_MS, tombstoneAgeMs: NOW_MS - HORIZON_MS };
  const differenceOf = (states: Readonly<Record<string, EntityState | undefined>>): Difference =>
    describeDifference(MEMORY_BUCKET, 'a', new Map(Object.entries(states)));

  test('writes where the newest of every region is not all there', () => {
    const [east, west] = [alive(2_000), alive(3_000, 'y', 'west')];
    const whole = mergeStates(east, west);
    const plan = planRepair([differenceOf({ east, west: whole, north: undefined })], OPTIONS);
    expect(plan.repairs).toMatchObject([{ bucket: MEMORY_BUCKET, into: ['east', 'north'] }]);
    expect(planRepair([differenceOf({ east, west, north: whole })], OPTIONS).repairs).toMatchObject(
      [{ into: ['east', 'west'] }],
    );
    expect(planRepair([differenceOf({ east, west })], OPTIONS).repairs).toMatchObject([
      { into: ['east', 'west'] },
    ]);
  });

  test('I19: of the same transactions and yet not the same it writes what is not the join', () => {
    const plan = planRepair(
      [differenceOf({ east: alive(2_000, 'a'), west: alive(2_000, 'b') })],
      OPTIONS,
    );
    expect(plan.repairs).toMatchObject([{ into: ['east'] }]);
  });

  test.each<[string, Readonly<Record<string, EntityState | undefined>>, boolean]>([
    [
      'gone in one, and older than tombstones',
      { east: alive(HORIZON_MS - 1), west: undefined },
      true,
    ],
    ['gone in one, and as old as tombstones', { east: alive(HORIZON_MS), west: undefined }, false],
    ['old, and gone nowhere', { east: alive(10), west: alive(20) }, false],
    [
      'gone in one, old in one and young in one',
      { east: alive(10), west: alive(HORIZON_MS), north: undefined },
      false,
    ],
    [
      'gone in one, and old in all others',
      { east: alive(10), west: alive(20), north: undefined },
      true,
    ],
  ])('what is %s is doubtful: %s', (_, states, isDoubtful) => {
    const difference = differenceOf(states);
    const plan = planRepair([difference], OPTIONS);
    expect({ doubtful: plan.doubtful.length, repairs: plan.repairs.length }).toEqual(
      isDoubtful ? { doubtful: 1, repairs: 0 } : { doubtful: 0, repairs: 1 },
    );
    const forced = planRepair([difference], { ...OPTIONS, includesDoubtful: true });
    expect(forced).toMatchObject({ doubtful: [], repairs: [{ entityId: 'a' }] });
  });
});

describe('repairing', () => {
  test('I2: gives every region the join of all, whatever they held', async () => {
    const states = fc.record({
      east: fc.option(arbitraryEntityState, { nil: undefined }),
      west: fc.option(arbitraryEntityState, { nil: undefined }),
      north: fc.option(arbitraryEntityState, { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(states, async (held) => {
        const regions = createThree();
        for (const region of regions) {
          const state = held[region.region as keyof typeof held];
          if (state !== undefined) region.put('a', state);
        }
        await joinEntities({ regions, bucket: MEMORY_BUCKET, entityIds: ['a'] });
        const there = [held.east, held.west, held.north].filter((one) => one !== undefined);
        const joined = there.length === 0 ? undefined : there.reduce(mergeStates);
        for (const region of regions) {
          expect(isSameState(region.rowOf('a')?.state, joined)).toBe(true);
        }
        const again = await joinEntities({ regions, bucket: MEMORY_BUCKET, entityIds: ['a'] });
        expect([...again.values()]).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test('files and records before it writes, and counts the rows by region', async () => {
    const [east, west, north] = createThree();
    east.put('a', alive(2_000, 'e'));
    west.put('a', alive(2_500, 'w', 'west'));
    const written = await joinEntities({
      regions: [east, west, north],
      bucket: MEMORY_BUCKET,
      entityIds: ['a'],
    });
    expect(Object.fromEntries(written)).toEqual({ east: 1, west: 1, north: 1 });
    for (const region of [east, west]) {
      expect(region.done).toEqual(['archive', 'conflicts', 'rows']);
      expect(region.recorded).toMatchObject([
        { entityId: 'a', fields: [{ name: 'label', loser: { value: { value: 'e' } } }] },
      ]);
    }
    expect(north.sets).toMatchObject([{ stamp: at(2_500, 'west') }]);
  });

  test('records no conflict where one had seen the other', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000, 'old'));
    west.put('a', alive(3_000, 'new'));
    await joinEntities({ regions: [east, west], bucket: MEMORY_BUCKET, entityIds: ['a'] });
    expect(east.done).toEqual(['archive', 'rows']);
    expect(west.done).toEqual([]);
    expect(east.rowOf('a')?.state.fields.get('label')?.value?.value).toBe('new');
  });

  test('names the archive for what was written elsewhere, and nothing for what was written there', async () => {
    const [east, west] = createThree();
    west.put('a', alive(2_000, 'e'));
    west.put('b', alive(2_000, 'w', 'west'));
    await joinEntities({ regions: [east, west], bucket: MEMORY_BUCKET, entityIds: ['a', 'b'] });
    expect(east.rowOf('a')?.referenceId).toBeUndefined();
    expect(east.rowOf('b')?.referenceId).toBe(`Devices-00-19700101/${at(2_000, 'west')}/b`);
  });

  test('writes only where it is told to, and joins what an archive has', async () => {
    const [east, west] = createThree();
    west.put('a', alive(2_000));
    const archived = new Map([['b', { state: alive(2_500), referenceId: undefined }]]);
    const entityIds = ['a', 'b'];
    const parts = { regions: [east, west], bucket: MEMORY_BUCKET, entityIds, archived };
    expect(await joinEntities({ ...parts, into: ['east'] })).toEqual(new Map([['east', 2]]));
    expect(west.done).toEqual([]);
    expect(east.rowOf('b')).toBeDefined();
  });

  test('I19: joins what is written under it, and writes nothing else again', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000, 'east'));
    east.put('b', alive(2_000, 'east'));
    let left = 2;
    west.beforeWrite(() => {
      left -= 1;
      if (left >= 0) west.put('a', stateWith({ other: [at(3_000 + left, 'west'), 'meanwhile'] }));
    });
    const written = await joinEntities({
      regions: [east, west],
      bucket: MEMORY_BUCKET,
      entityIds: ['a', 'b'],
    });
    const fields = west.rowOf('a')?.state.fields ?? new Map<string, unknown>();
    expect(new Set(fields.keys())).toEqual(new Set(['label', 'other']));
    expect(west.rowOf('b')).toBeDefined();
    expect(written.get('west')).toBe(2);
    expect(isSameState(east.rowOf('a')?.state, west.rowOf('a')?.state)).toBe(true);
  });

  test('gives up a row that changes again and again', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000, 'east'));
    let tries = 0;
    west.beforeWrite(() => {
      tries += 1;
      west.put('a', alive(3_000 + tries, 'meanwhile', 'west'));
    });
    const joining = joinEntities({
      regions: [east, west],
      bucket: MEMORY_BUCKET,
      entityIds: ['a'],
      into: ['west'],
    });
    await expect(joining).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(tries).toBe(10);
  });

  test('never writes more at a time than a transaction takes, in rows and in bytes', async () => {
    const [east, west] = createThree();
    const ids = Array.from({ length: 230 }, (_, n) => `d${n}`);
    for (const id of ids) east.put(id, alive(2_000, id));
    const told: number[] = [];
    const repairs = ids.map((entityId) => ({ bucket: MEMORY_BUCKET, entityId }));
    const regions = [east, west];
    const written = await applyRepair({ regions, repairs, onProgress: (done) => told.push(done) });
    expect(written).toEqual(new Map([['west', 230]]));
    expect(west.writes.toSorted((a, b) => b - a)).toEqual([100, 100, 30]);
    expect(told.at(-1)).toBe(230);
    const large = createMemoryRecoveryRegion('south');
    for (let n = 0; n < 9; n += 1) large.put(`l${n}`, alive(2_000, 'x'.repeat(300_000)));
    const emptied = createMemoryRecoveryRegion('mid');
    const entityIds = Array.from({ length: 9 }, (_, n) => `l${n}`);
    await joinEntities({ regions: [large, emptied], bucket: MEMORY_BUCKET, entityIds });
    expect(emptied.writes).toEqual([3, 3, 3]);
  });
});

describe('merging states into a replica', () => {
  const statesOf = (ids: readonly string[], timeMs: number) =>
    new Map(ids.map((id) => [id, { state: alive(timeMs, id), referenceId: undefined }]));

  test('writes what is not there yet, a transaction at a time, and nothing twice', async () => {
    const [east] = createThree();
    const ids = Array.from({ length: 205 }, (_, n) => `d${n}`);
    expect(await mergeStatesInto(east.replica, statesOf(ids, 2_000))).toBe(205);
    expect(east.writes).toEqual([100, 100, 5]);
    expect(await mergeStatesInto(east.replica, statesOf(ids, 2_000))).toBe(0);
    expect(await mergeStatesInto(east.replica, statesOf(ids, 1_000))).toBe(0);
    expect(east.writes).toHaveLength(3);
    expect(await mergeStatesInto(east.replica, statesOf(ids.slice(0, 2), 3_000))).toBe(2);
  });

  test('fills no transaction beyond its bytes', async () => {
    const [east] = createThree();
    const ids = Array.from({ length: 5 }, (_, n) => `${n}`.repeat(500_000));
    await mergeStatesInto(east.replica, statesOf(ids, 2_000));
    expect(east.writes).toEqual([2, 2, 1]);
  });

  test('I19: joins what is written under it, and gives up what changes again and again', async () => {
    const [east] = createThree();
    let left = 1;
    east.beforeWrite(() => {
      left -= 1;
      if (left === 0) east.put('a', stateWith({ other: [at(3_000, 'west'), 'meanwhile'] }));
    });
    expect(await mergeStatesInto(east.replica, statesOf(['a'], 2_000))).toBe(1);
    expect([...(east.rowOf('a')?.state.fields.keys() ?? [])].toSorted()).toEqual([
      'label',
      'other',
    ]);
    let tries = 0;
    east.beforeWrite(() => {
      tries += 1;
      east.put('b', alive(3_000 + tries, 'b', 'west'));
    });
    const merging = mergeStatesInto(east.replica, statesOf(['b'], 2_000));
    await expect(merging).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(tries).toBe(10);
  });
});
