import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EntityState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import {
  alive,
  at,
  createMemoryRecoveryRegion,
  createThree,
  MEMORY_BUCKET,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { type Difference, describeDifference, isSameState } from './difference.ts';
import { applyRepair, joinEntities, planRepair } from './repair-regions.ts';
import { mergeStatesInto } from './replay.ts';

const HORIZON_MS = 1_000;

describe('planning a repair', () => {
  const NOW_MS = 10_000;
  const OPTIONS = { nowMs: NOW_MS, tombstoneAgeMs: NOW_MS - HORIZON_MS };
  const differenceOf = (states: Readonly<Record<string, EntityState | undefined>>): Difference =>
    describeDifference(MEMORY_BUCKET, 'a', new Map(Object.entries(states)));
  const reportOf = (...differences: readonly Difference[]) => ({
    differences,
    journals: { differences: [] },
  });

  test('writes where the newest of every region is not all there', () => {
    const [east, west] = [alive(2_000), alive(3_000, 'y', 'west')];
    const whole = mergeStates(east, west);
    const plan = planRepair(
      reportOf(differenceOf({ east, west: whole, north: undefined })),
      OPTIONS,
    );
    expect(plan.repairs).toMatchObject([{ bucket: MEMORY_BUCKET, into: ['east', 'north'] }]);
    expect(
      planRepair(reportOf(differenceOf({ east, west, north: whole })), OPTIONS).repairs,
    ).toMatchObject([{ into: ['east', 'west'] }]);
    expect(planRepair(reportOf(differenceOf({ east, west })), OPTIONS).repairs).toMatchObject([
      { into: ['east', 'west'] },
    ]);
  });

  test('I19: of the same transactions and yet not the same it writes what is not the join', () => {
    const plan = planRepair(
      reportOf(differenceOf({ east: alive(2_000, 'a'), west: alive(2_000, 'b') })),
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
    const plan = planRepair(reportOf(difference), OPTIONS);
    expect({ doubtful: plan.doubtful.length, repairs: plan.repairs.length }).toEqual(
      isDoubtful ? { doubtful: 1, repairs: 0 } : { doubtful: 0, repairs: 1 },
    );
    const forced = planRepair(reportOf(difference), { ...OPTIONS, includesDoubtful: true });
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

  test('records what is lost by it, before it writes, and nothing where one has seen the other', async () => {
    const [east] = createThree();
    east.put('seen', alive(1_000));
    east.put('unseen', alive(1_000, 'west', 'west'));
    east.damage('torn');
    const states = statesOf(['seen', 'unseen', 'torn', 'new'], 2_000);
    expect(await mergeStatesInto(east.replica, states, east.conflicts)).toBe(3);
    expect(east.recorded.map(({ entityId }) => entityId)).toEqual(['unseen']);
    expect(east.done).toEqual(['conflicts', 'rows']);
    expect(await mergeStatesInto(east.replica, statesOf(['seen'], 3_000), east.conflicts)).toBe(1);
    expect(east.done).toEqual(['conflicts', 'rows', 'rows']);
    expect(await mergeStatesInto(east.replica, statesOf(['torn'], 3_000), east.conflicts)).toBe(0);
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
