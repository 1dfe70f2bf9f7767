import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalError, TransientError } from '../errors.ts';
import { createVirtualClock, driveVirtualTime } from '../memory/virtual-clock.ts';
import { type EntityState, isCollectable } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import {
  alive,
  at,
  createTextDigest,
  createThree,
  dead,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { describeDifference, isSameState, stateText } from './difference.ts';
import { compareBucket, type VerifyReport, verifyRegions } from './verify-regions.ts';

const HORIZON_MS = 1_000;

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
    tombstones: { kindMs: HORIZON_MS, tables: new Map() },
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
    ['a base', stateWith({ label: [at(1), 'a'] }, { base: at(1) })],
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

  test('I18: calls regions unequal of which one has lost a conflict that it had told of', async () => {
    const [east, west, north] = createThree();
    const stamps = [at(2_000), at(2_000, 'west')] as const;
    const lost = { entityKind: 'Devices', entityId: 'a', stamps, fields: [], life: undefined };
    for (const { conflicts } of [east, north]) await conflicts.accept([lost]);
    expect(await verify([east, west, north])).toMatchObject({
      isEqual: false,
      differentCount: 0,
      journals: { differentCount: 1, differences: [{ entityId: 'a', behind: ['west'] }] },
    });
    await west.conflicts.accept([lost]);
    const equal = await verify([east, west, north]);
    expect(equal).toMatchObject({ isEqual: true, journals: { differences: [] } });
    expect(Object.fromEntries(equal.journals.recorded)).toEqual({ east: 1, west: 1, north: 1 });
  });

  test('I18: proves nothing of a conflict whose only record cannot be read when it is read again', async () => {
    const [east, west] = createThree();
    const stamps = [at(2_000), at(2_000, 'west')] as const;
    const only = { entityKind: 'Devices', entityId: 'a', stamps, fields: [], life: undefined };
    await east.conflicts.accept([only]);
    let isDamaged = false;
    const damageable: MemoryRecoveryRegion = {
      ...east,
      conflicts: {
        ...east.conflicts,
        async *scan(kind, bucket, onDamaged) {
          if (isDamaged) onDamaged?.();
          else yield* east.conflicts.scan(kind, bucket);
        },
      },
    };
    const onSleep = (): void => void (isDamaged = true);
    const report = await verify([damageable, west], { onSleep });
    expect(report).toMatchObject({
      isEqual: false,
      journals: { differentCount: 0, settledCount: 1, damagedCount: 1 },
    });
    // Nor where it was so from the beginning.
    const again = await verify([damageable, west]);
    expect(again).toMatchObject({ isEqual: false, journals: { damagedCount: 1 } });
  });

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

  test('compares with nothing what is torn in one region, and the others all the same', async () => {
    const [east, west, north] = createThree();
    for (const region of [east, west, north]) {
      region.put('torn', alive(2_000));
      region.put('same', alive(2_000));
    }
    north.put('torn', alive(3_000));
    // One alone has another row than both others, and it is the last.
    north.put('other', alive(2_000));
    east.damage('torn');
    const report = await verify([east, west, north]);
    expect(report.differences.map(({ entityId }) => entityId)).toEqual(['other']);
    expect(report).toMatchObject({ isEqual: false, differentCount: 1 });
    // It is torn only after the rows were scanned.
    const late = createThree();
    late[0].put('a', alive(2_000));
    const onSleep = (): void => late[2].damage('a');
    expect(await verify(late, { onSleep })).toMatchObject({ differentCount: 0, settledCount: 1 });
  });

  test('takes no failure of the store for a torn row', async () => {
    const [east, west] = createThree();
    east.put('a', alive(2_000));
    const torn = new TerminalError('ROW_MALFORMED', 'torn');
    for (const failures of [
      [new TransientError('TABLE_UNAVAILABLE', 'down')],
      [new Error('a bug')],
      [torn, new TransientError('TABLE_UNAVAILABLE', 'down')],
    ]) {
      const read: typeof west.replica.read = async (...asked) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return west.replica.read(...asked);
      };
      const last = failures.at(-1);
      await expect(verify([east, { ...west, replica: { ...west.replica, read } }])).rejects.toBe(
        last,
      );
    }
  });

  test('has the buckets in their order, tells of rows as it reads them, a hundred at a time', async () => {
    const [east, west] = createThree();
    for (let n = 0; n < 205; n += 1) east.put(`d${n}`, alive(2_000));
    const asked: number[] = [];
    const told: number[] = [];
    const replica: typeof east.replica = {
      ...east.replica,
      read: (bucket, ids) => {
        asked.push(ids.length);
        return east.replica.read(bucket, ids);
      },
    };
    // The first of them is the slowest.
    const scan = async function* (bucket: string) {
      const turns = bucket === '00' ? 50 : 0;
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      yield* bucket === '01' ? east.rows.scan(bucket) : [];
    };
    const report = await verifyRegions({
      regions: [
        { ...east, replica, rows: { scan } },
        { ...west, rows: { scan: () => west.rows.scan('none') } },
      ],
      buckets: ['00', '01', '02'],
      clock: createVirtualClock(1_000_000),
      createDigest: createTextDigest,
      tombstoneAgeMs: 1_000_000 - HORIZON_MS,
      recheckCountMax: 0,
      recheckDelayMs: 50,
      onRows: (count) => told.push(count),
    });
    expect(report.buckets.map(({ bucket }) => bucket)).toEqual(['00', '01', '02']);
    expect(report.differentCount).toBe(205);
    expect(asked).toEqual([100, 100, 5]);
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(205);
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
