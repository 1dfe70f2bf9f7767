import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createVirtualClock, driveVirtualTime } from '../memory/virtual-clock.ts';
import { type Conflict, eraseConflict } from '../model/conflict.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import {
  at,
  createThree,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  SPAN,
} from '../testing/memory-recovery-region.ts';
import { encodeConflict } from '../wire/encode-conflict.ts';
import {
  type ConflictDifference,
  compareJournals,
  joinJournals,
  repairJournals,
  verifyJournals,
} from './journals.ts';

/** Of two transactions, in one of which each of the fields lost to the other. */
function conflictOf(timeMs: number, fields: readonly string[] = [], entityId = 'a'): Conflict {
  const [loser, winner] = [at(timeMs), at(timeMs, 'west')];
  return {
    entityKind: SPAN.entityKind,
    entityId,
    stamps: [loser, winner],
    fields: fields.map((name) => ({
      name,
      winner: { stamp: winner, value: { type: 'String', value: 'won' } },
      loser: { stamp: loser, value: { type: 'String', value: 'lost' } },
    })),
    life: undefined,
  };
}

async function differencesOf(
  regions: readonly RecoveryRegion[],
  keptFromMs?: number,
): Promise<ConflictDifference[]> {
  const found: ConflictDifference[] = [];
  await compareJournals(regions, {
    bucket: MEMORY_BUCKET,
    kept: { kindMs: keptFromMs, tables: new Map() },
    onDifferent: (difference) => void found.push(difference),
  });
  return found;
}

/** As each region has them, in the order of its journal. */
async function journalsOf(regions: readonly MemoryRecoveryRegion[]): Promise<string[]> {
  return Promise.all(
    regions.map(async ({ conflicts }) => {
      const texts: string[] = [];
      for await (const one of conflicts.scan(SPAN.entityKind, MEMORY_BUCKET)) {
        texts.push(new TextDecoder().decode(encodeConflict(one)));
      }
      return texts.join('\n');
    }),
  );
}

describe('comparing journals', () => {
  test('tells which region records less than all of them together, and counts what it read', async () => {
    const [east, west, north] = createThree();
    const regions = [east, west, north];
    for (const { conflicts } of regions) await conflicts.accept([conflictOf(1, ['same'])]);
    await east.conflicts.accept([conflictOf(2), conflictOf(3, ['one']), conflictOf(3, [], 'b')]);
    await west.conflicts.accept([conflictOf(3, ['two'])]);
    await north.conflicts.accept([conflictOf(3, ['one', 'two']), conflictOf(4)]);
    let read = 0;
    const found: ConflictDifference[] = [];
    const recorded = await compareJournals(regions, {
      bucket: MEMORY_BUCKET,
      onDifferent: (difference) => void found.push(difference),
      onConflicts: (count) => void (read += count),
    });
    const nameOf = (timeMs: number, entityId = 'a') => ({
      bucket: MEMORY_BUCKET,
      entityId,
      stamps: conflictOf(timeMs).stamps,
    });
    expect(found).toEqual([
      { ...nameOf(2), behind: ['west', 'north'] },
      { ...nameOf(3), behind: ['east', 'west'] },
      { ...nameOf(3, 'b'), behind: ['west', 'north'] },
      { ...nameOf(4), behind: ['east', 'west'] },
    ]);
    expect(Object.fromEntries(recorded)).toEqual({ east: 4, west: 2, north: 3 });
    expect(read).toBe(9);
  });

  test('finds nothing of the same content, in whatever order its fields were found', async () => {
    const [east, west] = createThree();
    await east.conflicts.accept([conflictOf(1, ['a']), conflictOf(1, ['b'])]);
    await west.conflicts.accept([conflictOf(1, ['b']), conflictOf(1, ['a'])]);
    expect(await differencesOf([east, west])).toEqual([]);
  });

  test('leaves out what a region may have trimmed: as old as the later transaction is', async () => {
    const [east, west] = createThree();
    await east.conflicts.accept([conflictOf(9), conflictOf(10)]);
    expect(await differencesOf([east, west], 10)).toMatchObject([{ stamps: [at(10), {}] }]);
    expect(await differencesOf([east, west], 11)).toEqual([]);
    const kept = { kindMs: 10, tables: new Map() };
    await joinJournals({ regions: [east, west], bucket: MEMORY_BUCKET, kept });
    expect(west.recorded).toEqual([conflictOf(10)]);
  });

  test('I22: asks each region how far back its journal goes, and goes by the newest, table by table', async () => {
    const [east, west] = createThree();
    const of = (kindMs: number, tableMs: number) => ({
      read: async () => ({ kindMs, tables: new Map([['ordersid', tableMs]]) }),
      raise: async () => undefined,
    });
    await east.conflicts.accept([8, 9, 10].map((timeMs) => conflictOf(timeMs)));
    await east.conflicts.accept([3, 4].map((timeMs) => conflictOf(timeMs, ['x'], 'ordersid-a')));
    const found: number[] = [];
    await compareJournals(
      [
        { ...east, conflictsFrom: of(9, 2) },
        { ...west, conflictsFrom: of(1, 4) },
      ],
      {
        bucket: MEMORY_BUCKET,
        onDifferent: ({ stamps }) => void found.push(parseInt(stamps[1].slice(0, 12), 16)),
      },
    );
    expect(found).toEqual([4, 9, 10]);
  });
});

describe('joining journals', () => {
  const arbitraryJournal = fc
    .uniqueArray(
      fc.record({
        timeMs: fc.integer({ min: 1, max: 4 }),
        entityId: fc.constantFrom('a', 'b'),
        fields: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
        isErased: fc.boolean(),
      }),
      { selector: ({ timeMs, entityId }) => `${timeMs} ${entityId}` },
    )
    .map((entries) =>
      entries.map(({ timeMs, entityId, fields, isErased }) => {
        const conflict = conflictOf(timeMs, fields, entityId);
        return isErased ? eraseConflict(conflict) : conflict;
      }),
    );

  test('I18: gives every region all that any had recorded, and nothing where all have it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(...Array(3).fill(arbitraryJournal)), async (journals) => {
        const regions = createThree();
        for (const [nth, region] of regions.entries()) {
          await region.conflicts.accept(journals[nth] as Conflict[]);
        }
        const planned = await differencesOf(regions);
        await repairJournals({ regions, conflicts: planned });
        expect(new Set(await journalsOf(regions)).size).toBe(1);
        const [{ recorded }] = regions;
        for (const one of journals.flat() as Conflict[]) {
          const own = recorded.find(
            ({ entityId, stamps }) => entityId === one.entityId && stamps[0] === one.stamps[0],
          );
          const names = one.fields.map(({ name }) => name);
          expect(own?.fields.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
          // What was erased anywhere is erased.
          const isErased = one.fields.every(({ loser }) => loser.value === null);
          const kept = own?.fields.filter(({ name }) => names.includes(name)) ?? [];
          const erased = kept.filter(({ loser }) => loser.value === null);
          expect(erased.length).toBeGreaterThanOrEqual(isErased ? names.length : 0);
        }
        expect(await repairJournals({ regions, conflicts: planned })).toEqual(new Map());
      }),
    );
  });

  test('I19: writes what was planned and no more, and says where', async () => {
    const [east, west, north] = createThree();
    await east.conflicts.accept([conflictOf(1), conflictOf(2)]);
    await west.conflicts.accept([conflictOf(2)]);
    const planned = await differencesOf([east, west, north]);
    await east.conflicts.accept([conflictOf(3)]);
    const told: number[] = [];
    const written = await repairJournals({
      regions: [east, west, north],
      conflicts: planned.slice(0, 2),
      onProgress: (done) => told.push(done),
    });
    expect(Object.fromEntries(written)).toEqual({ west: 1, north: 2 });
    expect(north.recorded).toEqual([conflictOf(1), conflictOf(2)]);
    expect(told).toEqual([2]);
  });

  test('keeps few in memory, in number and in length', async () => {
    const [east, west] = createThree();
    const many = Array.from({ length: 250 }, (_, n) => conflictOf(n));
    await east.conflicts.accept(many);
    const sizes: number[] = [];
    const counting = (region: MemoryRecoveryRegion): RecoveryRegion => ({
      ...region,
      conflicts: {
        ...region.conflicts,
        async accept(conflicts) {
          sizes.push(conflicts.length);
          await region.conflicts.accept(conflicts);
        },
      },
    });
    const regions = [east, counting(west)];
    const done: number[] = [];
    await joinJournals({ regions, bucket: MEMORY_BUCKET, onJoined: (count) => done.push(count) });
    expect([sizes, done]).toEqual([
      [100, 100, 50],
      [100, 100, 50],
    ]);
    const long = (timeMs: number): Conflict => {
      const [field] = conflictOf(timeMs, ['long']).fields;
      const value = { type: 'String' as const, value: 'x'.repeat(600_000) };
      const fields = [{ ...field!, loser: { ...field!.loser, value } }];
      return { ...conflictOf(timeMs), fields };
    };
    await east.conflicts.accept([long(1_000), long(1_001), long(1_002)]);
    sizes.splice(0);
    await joinJournals({ regions, bucket: MEMORY_BUCKET });
    expect(sizes).toEqual([2, 1]);
  });

  test('ends with the failure of a journal, and is done when it is repeated', async () => {
    const [east, west] = createThree();
    await east.conflicts.accept(Array.from({ length: 150 }, (_, n) => conflictOf(n)));
    let left = 1;
    const failing: RecoveryRegion = {
      ...west,
      conflicts: {
        ...west.conflicts,
        async accept(conflicts) {
          left -= 1;
          if (left < 0) throw new Error('cut off');
          await west.conflicts.accept(conflicts);
        },
      },
    };
    const joining = joinJournals({ regions: [east, failing], bucket: MEMORY_BUCKET });
    await expect(joining).rejects.toThrow('cut off');
    expect(west.recorded).toHaveLength(100);
    const rest = await joinJournals({ regions: [east, west], bucket: MEMORY_BUCKET });
    expect(Object.fromEntries(rest)).toEqual({ west: 50 });
  });
});

describe('verifying journals', () => {
  const verify = async (
    regions: readonly RecoveryRegion[],
    onSleep: (nth: number) => Promise<void> = async () => undefined,
  ) => {
    const clock = createVirtualClock(1_000);
    let slept = 0;
    return driveVirtualTime(
      clock,
      verifyJournals({
        regions,
        buckets: [MEMORY_BUCKET],
        clock: {
          ...clock,
          sleep: async (ms) => {
            slept += 1;
            await onSleep(slept);
            await clock.sleep(ms);
          },
        },
        recheckCountMax: 2,
        recheckDelayMs: 50,
      }),
    );
  };

  test('reads again what a region was being told of, and not what was found since', async () => {
    const [east, west] = createThree();
    await east.conflicts.accept([conflictOf(1), conflictOf(2)]);
    const report = await verify([east, west], async (nth) => {
      if (nth === 1) await west.conflicts.accept([conflictOf(1)]);
      if (nth === 2) await east.conflicts.accept([conflictOf(3)]);
    });
    expect(report).toMatchObject({
      settledCount: 1,
      differentCount: 1,
      differences: [{ stamps: conflictOf(2).stamps, behind: ['west'] }],
    });
    await west.conflicts.accept([conflictOf(2), conflictOf(3)]);
    expect(await verify([east, west])).toMatchObject({ differentCount: 0, settledCount: 0 });
  });

  test('names ten thousand, and counts the rest', async () => {
    const [east, west] = createThree();
    const many = Array.from({ length: 10_050 }, (_, n) => conflictOf(n));
    const full: RecoveryRegion = {
      ...east,
      conflicts: {
        ...east.conflicts,
        async *scan() {
          yield* many;
        },
      },
    };
    const { differences, differentCount } = await verify([full, west]);
    expect([differences.length, differentCount]).toEqual([10_000, 10_050]);
  });
});
