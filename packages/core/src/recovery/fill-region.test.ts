import { describe, expect, test } from 'vitest';
import { TerminalError, TransientError } from '../errors.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import type { Conflict } from '../model/conflict.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import {
  alive,
  archiveOf,
  at,
  createTextDigest,
  createThree,
  dead,
  filledArchive,
  MEMORY_BUCKET,
  SPAN,
  setOf,
} from '../testing/memory-recovery-region.ts';
import { type FillOptions, type FillProgress, fillRegion, planFill } from './fill-region.ts';

const NOW_MS = 1_000_000;
/** What was stamped before counts as old. */
const HORIZON_MS = 1_000;

function conflictAt(timeMs: number): Conflict {
  const stamps = [at(timeMs), at(timeMs, 'west')] as const;
  return { entityKind: SPAN.entityKind, entityId: 'a', stamps, fields: [], life: undefined };
}

async function fill(
  [target, ...sources]: readonly RecoveryRegion[],
  more: Partial<FillOptions> = {},
) {
  const progress: FillProgress[] = [];
  const report = await fillRegion({
    target: target!,
    sources,
    clock: createVirtualClock(NOW_MS),
    createDigest: createTextDigest,
    tombstoneAgeMs: NOW_MS - HORIZON_MS,
    recheckCountMax: 0,
    recheckDelayMs: 50,
    onProgress: (one) => progress.push(one),
    ...more,
  });
  const doneIn = (phase: string) =>
    progress.filter((one) => one.phase === phase).map(({ done }) => done);
  return { report, doneIn };
}

describe('filling a region', () => {
  test('gives it all that the others have, and them what only it still holds', async () => {
    const [east, west, north] = createThree();
    const sets = [2_000, 2_001, 2_002].map((n) => setOf(at(n), [`d${n}`, alive(n)]));
    filledArchive(west, ...sets);
    filledArchive(north, ...sets.slice(0, 2));
    for (const region of [west, north]) {
      for (const n of [2_000, 2_001, 2_002]) region.put(`d${n}`, alive(n));
    }
    const kept = setOf(at(3_000), ['kept', alive(3_000)]);
    filledArchive(east, kept, setOf(at(3_001), ['kept', alive(3_001)]));
    await west.conflicts.accept([conflictAt(1), conflictAt(2)]);
    await east.conflicts.accept([conflictAt(3)]);
    const { report, doneIn } = await fill([east, west, north]);
    expect(report).toMatchObject({
      archiveRowsCopied: 3,
      rowsWritten: 3,
      conflictsCopied: 2,
      damagedArchiveRows: [],
      doubtful: [],
      proof: { isEqual: true, differentCount: 0 },
    });
    for (const region of [east, west, north]) {
      expect(region.rowOf('kept')?.state.fields.get('label')?.stamp).toBe(at(3_001));
      expect(region.rowOf('d2002')).toBeDefined();
      expect(region.sets).toContainEqual(kept);
      expect(region.recorded).toContainEqual(conflictAt(3));
      expect(region.recorded).toContainEqual(conflictAt(2));
    }
    expect(doneIn('archive')).toEqual([3]);
    expect(doneIn('rows')).toEqual([3]);
    expect(doneIn('replay').at(-1)).toBe(5);
    // Of the three, none was in every journal.
    expect(doneIn('conflicts')).toEqual([3]);
    // West lacks two sets of the region, north three.
    expect(doneIn('give-back')).toEqual([2, 5]);
    // One round finds what only the region had, the next that all have it.
    expect(doneIn('prove').at(-1)).toBe(12);
    const quiet = await fillRegion({
      target: east,
      sources: [west, north],
      clock: createVirtualClock(NOW_MS),
      createDigest: createTextDigest,
      tombstoneAgeMs: NOW_MS - HORIZON_MS,
      recheckCountMax: 0,
      recheckDelayMs: 50,
    });
    expect(quiet).toMatchObject({ archiveRowsCopied: 0, rowsWritten: 0, proof: { isEqual: true } });
  });

  test('I18: joins what journals are given while it is filled, until all have the same', async () => {
    const [east, west, north] = createThree();
    west.put('a', alive(2_000));
    const { report } = await fill([east, west, north], {
      // Once the phase of conflicts is over.
      onProgress({ phase }) {
        if (phase === 'prove') void west.conflicts.accept([conflictAt(8)]);
      },
    });
    expect(report).toMatchObject({
      conflictsCopied: 1,
      proof: { isEqual: true, journals: { differentCount: 0 } },
    });
    for (const { recorded } of [east, north]) expect(recorded).toEqual([conflictAt(8)]);
  });

  test('names a torn record of its archive once, with the region, however often it is met', async () => {
    const [east, west, north] = createThree();
    const torn = (region: RecoveryRegion) => ({
      ...region,
      archive: { ...region.archive, ...archiveOf('damaged') },
    });
    const { report } = await fill([torn(east), torn(west), north]);
    expect(
      report.damagedArchiveRows.map(({ region, rowKey }) => `${region} ${rowKey}`).toSorted(),
    ).toEqual(['east torn-0', 'west torn-0']);
  });

  test('leaves alone what may have been deleted long ago, and says so', async () => {
    const [east, west, north] = createThree();
    west.put('old', alive(HORIZON_MS - 1));
    west.put('young', alive(HORIZON_MS));
    const { report } = await fill([east, west, north]);
    expect(report.doubtful.map(({ entityId }) => entityId)).toEqual(['old']);
    expect(report.proof).toMatchObject({ isEqual: false, differentCount: 1 });
    expect([north.rowOf('old'), north.rowOf('young') !== undefined]).toEqual([undefined, true]);
  });

  test('is proven five times at most, where something is lost on the way each time', async () => {
    const [east, west] = createThree();
    west.put('d0', alive(2_000));
    let lost = 0;
    east.beforeWrite(() => {
      lost += 1;
      west.put(`d${lost}`, alive(2_000 + lost));
    });
    const { report } = await fill([east, west]);
    // Once by the copy of the rows, and once by each round.
    expect(lost).toBe(6);
    expect(report.rowsWritten).toBe(6);
    expect(report.proof).toMatchObject({ isEqual: false, differentCount: 1 });
  });

  test.each(['archive', 'rows', 'replay', 'prove'])('stops in its phase %s', async (phase) => {
    const [east, west] = createThree();
    filledArchive(east, setOf(at(2_000), ['a', alive(2_000)]));
    filledArchive(west, setOf(at(2_001), ['b', alive(2_001)]));
    west.put('b', alive(2_001));
    const stop = new AbortController();
    const seen: string[] = [];
    const filling = fill([east, west], {
      signal: stop.signal,
      onProgress: (one) => {
        seen.push(one.phase);
        if (one.phase === phase) stop.abort();
      },
    });
    await expect(filling).rejects.toMatchObject({ name: 'AbortError' });
    // What was under way ends; nothing that follows is begun.
    expect(seen.at(-1)).toBe(phase);
  });
});

describe('planning to fill a region', () => {
  const plan = (regions: readonly RecoveryRegion[], onRows?: (count: number) => void) =>
    planFill({
      target: regions[0]!,
      sources: regions.slice(1),
      clock: createVirtualClock(NOW_MS),
      createDigest: createTextDigest,
      tombstoneAgeMs: NOW_MS - HORIZON_MS,
      ...(onRows === undefined ? {} : { onRows }),
    });

  test('counts the rows of each, what differs and what is torn, and writes nothing', async () => {
    const [east, west, north] = createThree();
    for (const region of [west, north]) region.put('same', alive(2_000));
    west.put('only', alive(2_000));
    west.put('collectable', dead(HORIZON_MS - 1));
    north.damage('torn');
    const told: number[] = [];
    // Two buckets, of which the second holds the same in each.
    const regions = [east, west, north].map((region) => ({
      ...region,
      buckets: [MEMORY_BUCKET, '01'],
    }));
    const found = await plan(regions, (count) => told.push(count));
    expect(found).toMatchObject({ different: 4, damaged: [{ region: 'north' }, { bucket: '01' }] });
    expect(Object.fromEntries(found.rows)).toEqual({ east: 0, west: 4, north: 2 });
    expect(told.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(5);
    expect(await plan(regions)).toEqual(found);
    expect([east, west, north].flatMap(({ writes }) => writes)).toEqual([]);
  });

  test('takes a table that is gone for one without rows, and no other failure', async () => {
    const [east, west] = createThree();
    west.put('a', alive(2_000));
    const failing = (error: Error): RecoveryRegion => ({
      ...east,
      rows: {
        // eslint-disable-next-line require-yield
        async *scan() {
          throw error;
        },
      },
    });
    const gone = new TerminalError('TABLE_MISSING', 'gone');
    expect(await plan([failing(gone), west])).toMatchObject({ different: 1, damaged: [] });
    for (const error of [new TransientError('TABLE_UNAVAILABLE', 'down'), new Error('a bug')]) {
      await expect(plan([failing(error), west])).rejects.toBe(error);
    }
  });
});
