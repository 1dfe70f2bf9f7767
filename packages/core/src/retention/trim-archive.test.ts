import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChangeSet } from '../model/change-set.ts';
import { stateText } from '../recovery/difference.ts';
import { foldArchive } from '../recovery/replay.ts';
import type { EntityState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { vectorWith } from '../state/version-vector.ts';
import {
  alive,
  at,
  createMemoryRecoveryRegion,
  dead,
  filledArchive,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  SPAN,
  setOf,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import {
  findFullBefore,
  findSuperseded,
  type TrimArchiveOptions,
  trimArchive,
} from './trim-archive.ts';

function regionOf(...sets: readonly ChangeSet[]): MemoryRecoveryRegion {
  const region = createMemoryRecoveryRegion('east');
  filledArchive(region, ...sets);
  return region;
}

interface Asked extends Partial<Omit<TrimArchiveOptions, 'archive' | 'tombstones'>> {
  readonly horizonMs: number;
  readonly tombstoneHorizonMs?: number;
}

const horizonsAt = (kindMs: number | undefined, tables: Readonly<Record<string, number>> = {}) => ({
  kindMs,
  tables: new Map(Object.entries(tables)),
});

function trim(
  { archive }: MemoryRecoveryRegion,
  { horizonMs, tombstoneHorizonMs, ...asked }: Asked,
) {
  return trimArchive({
    archive,
    entityKind: SPAN.entityKind,
    buckets: [MEMORY_BUCKET],
    isBusy: async () => false,
    pace: async () => undefined,
    rowsMax: 1_000,
    horizons: horizonsAt(horizonMs),
    tombstones: horizonsAt(tombstoneHorizonMs),
    ...asked,
  });
}

const timesOf = ({ sets }: MemoryRecoveryRegion): number[] =>
  sets.map(({ stamp }) => parseInt(stamp.slice(0, 12), 16)).toSorted((a, b) => a - b);

/** Every entity as a replay to that time has it. */
async function foldTo(
  { archive }: Pick<MemoryRecoveryRegion, 'archive'>,
  beforeMs: number,
  idPrefix?: string,
): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  await foldArchive({
    archive,
    region: 'east',
    span: { ...SPAN, beforeMs },
    ...(idPrefix === undefined ? {} : { idPrefix }),
    entitiesMax: 1_000,
    onStates: async (states) => {
      for (const [id, { state }] of states) texts[id] = stateText(state);
    },
  });
  return texts;
}

/** A set at that time that holds what its region knew of the entities after it wrote to each. */
interface Step {
  readonly isWest: boolean;
  readonly entities: readonly number[];
  readonly isDeletion: boolean;
  /** Whether the writer has seen all that the other region wrote. */
  readonly hasSeen: boolean;
}

/** What the ids of two tables begin with. */
const TABLES = ['aaaaaaaa', 'bbbbbbbb'] as const;

function historyOf(steps: readonly Step[]): ChangeSet[] {
  const known = [new Map<string, EntityState>(), new Map<string, EntityState>()] as const;
  return steps.map(({ isWest, entities, isDeletion, hasSeen }, nth) => {
    const [own, other] = isWest ? [known[1], known[0]] : [known[0], known[1]];
    const stamp = at(nth + 1, isWest ? 'west' : 'east');
    const changes = [...new Set(entities)].map((entity): readonly [string, EntityState] => {
      const id = `${TABLES[entity % 2]}${entity}`;
      const seen = hasSeen ? other.get(id) : undefined;
      const written = isDeletion
        ? stateWith({}, { deleted: stamp })
        : stateWith({ [`f${nth % 3}`]: [stamp, String(nth)] });
      const before = [own.get(id), seen].filter((state) => state !== undefined);
      const merged = before.reduce((all, state) => mergeStates(all, state), written);
      const state = { ...merged, vector: vectorWith(merged.vector, stamp) };
      own.set(id, state);
      return [id, state];
    });
    return setOf(stamp, ...changes);
  });
}

const steps = fc.array(
  fc.record({
    isWest: fc.boolean(),
    entities: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }),
    isDeletion: fc.boolean(),
    hasSeen: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

describe('I22: trimming an archive', () => {
  test('leaves every replay to the horizon or later as it was, wherever it is cut off', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(40), fc.nat(40), async (drawn, horizonMs, cut) => {
        const sets = historyOf(drawn);
        const region = regionOf(...sets);
        let left = cut;
        for await (const row of findSuperseded({
          ...SPAN,
          archive: region.archive,
          horizons: horizonsAt(horizonMs),
        })) {
          if (left === 0) break;
          left -= 1;
          if (row.kind === 'set') await region.archive.drop([row]);
        }
        const whole = regionOf(...sets);
        for (let beforeMs = horizonMs; beforeMs <= 42; beforeMs += 1) {
          expect(await foldTo(region, beforeMs)).toEqual(await foldTo(whole, beforeMs));
        }
      }),
    );
  });

  test('leaves of each table every replay to its own horizon or later as it was', async () => {
    const horizon = fc.option(fc.nat(40), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(steps, horizon, horizon, fc.nat(40), async (drawn, kindMs, ownMs, cut) => {
        const sets = historyOf(drawn);
        const region = regionOf(...sets);
        const [usual, other] = TABLES;
        const horizons = horizonsAt(kindMs, ownMs === undefined ? {} : { [other]: ownMs });
        let left = cut;
        for await (const row of findSuperseded({ ...SPAN, archive: region.archive, horizons })) {
          if (left === 0) break;
          left -= 1;
          if (row.kind === 'set') await region.archive.drop([row]);
        }
        const whole = regionOf(...sets);
        const since = [
          [usual, kindMs ?? 0],
          [other, ownMs ?? kindMs ?? 0],
        ] as const;
        for (const [table, fromMs] of since) {
          for (let beforeMs = fromMs; beforeMs <= 42; beforeMs += 1) {
            const left = await foldTo(region, beforeMs, table);
            expect(left).toEqual(await foldTo(whole, beforeMs, table));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('goes table by table: one that keeps less gives up what another one keeps', async () => {
    const [usual, other] = TABLES;
    const region = regionOf(
      ...[1, 2, 3, 4].flatMap((timeMs) => [
        setOf(at(timeMs), [`${usual}x`, alive(timeMs)]),
        setOf(at(timeMs, 'west'), [`${other}x`, alive(timeMs)]),
      ]),
    );
    await trim(region, { horizonMs: 3, horizons: horizonsAt(3, { [other]: 9 }) });
    expect(region.sets.map(({ stamp, changes }) => [stamp, changes[0]?.entityId])).toEqual([
      [at(2), `${usual}x`],
      [at(3), `${usual}x`],
      [at(4), `${usual}x`],
      [at(4, 'west'), `${other}x`],
    ]);
    expect(await region.archive.horizonMs(SPAN.entityKind, other)).toBe(9);
    expect(await region.archive.horizonMs(SPAN.entityKind, usual)).toBe(3);
    expect(await region.archive.horizonMs(SPAN.entityKind)).toBe(9);
  });

  test('drops no set of which a change is of a table that keeps it', async () => {
    const [usual, other] = TABLES;
    const both = (timeMs: number) =>
      setOf(at(timeMs), [`${usual}x`, alive(timeMs)], [`${other}x`, alive(timeMs)]);
    const region = regionOf(both(1), both(2), both(3));
    await trim(region, { horizonMs: 9, horizons: horizonsAt(9, { [other]: 2 }) });
    expect(timesOf(region)).toEqual([1, 2, 3]);
    await trim(region, { horizonMs: 9, horizons: horizonsAt(9, { [other]: 3 }) });
    expect(timesOf(region)).toEqual([2, 3]);
  });

  test('keeps of each entity below the horizon one row where every write had seen the one before', async () => {
    const region = regionOf(
      ...[1, 2, 3, 4, 5].map((timeMs) => setOf(at(timeMs), ['a', alive(timeMs)])),
      setOf(at(6), ['b', alive(6)]),
    );
    expect(await trim(region, { horizonMs: 5 })).toMatchObject({ rows: 3, isWhole: true });
    expect(timesOf(region)).toEqual([4, 5, 6]);
  });

  test('keeps a whole change set while one of its entities was not written again', async () => {
    const region = regionOf(
      setOf(at(1), ['a', alive(1)], ['b', alive(1)]),
      setOf(at(2), ['a', alive(2)]),
    );
    await trim(region, { horizonMs: 9 });
    expect(timesOf(region)).toEqual([1, 2]);
    filledArchive(region, setOf(at(3), ['b', alive(3)]));
    await trim(region, { horizonMs: 9 });
    expect(timesOf(region)).toEqual([2, 3]);
  });

  test('records how far back the archive goes before it takes anything away', async () => {
    const region = regionOf(setOf(at(1), ['a', alive(1)]), setOf(at(2), ['a', alive(2)]));
    await trim(region, { horizonMs: 9 });
    expect(region.done).toEqual(['horizon', 'drop']);
    expect(await region.archive.horizonMs(SPAN.entityKind)).toBe(9);
  });

  test('takes nothing away while someone recovers, and stops when someone begins to', async () => {
    const sets = Array.from({ length: 250 }, (_, n) => setOf(at(n + 1), ['a', alive(n + 1)]));
    const busy = regionOf(...sets);
    expect(await trim(busy, { horizonMs: 999, isBusy: async () => true })).toMatchObject({
      rows: 0,
      isWhole: false,
    });
    expect(busy.done).toEqual([]);
    const region = regionOf(...sets);
    let looks = 0;
    const isBusy = async (): Promise<boolean> => (looks += 1) > 2;
    const report = await trim(region, { horizonMs: 999, isBusy });
    expect(report).toMatchObject({ rows: 100, isWhole: false });
    expect(region.sets).toHaveLength(150);
  });

  test('goes on in the next turn where it was stopped by its bound', async () => {
    const region = regionOf(
      ...Array.from({ length: 250 }, (_, n) => setOf(at(n + 1), ['a', alive(n + 1)])),
    );
    const asked = { horizonMs: 999, rowsMax: 150 };
    expect(await trim(region, asked)).toMatchObject({ rows: 200, isWhole: false });
    expect(await trim(region, asked)).toMatchObject({ rows: 49, isWhole: true });
    expect(timesOf(region)).toEqual([250]);
  });

  test('keeps the rows of entities that do not fit into its memory', async () => {
    const region = regionOf(
      ...[1, 2].map((timeMs) => setOf(at(timeMs), ['a', alive(timeMs)])),
      ...[3, 4].map((timeMs) => setOf(at(timeMs), ['b', alive(timeMs)])),
    );
    await trim(region, { horizonMs: 9, entitiesMax: 1 });
    expect(timesOf(region)).toEqual([2, 3, 4]);
  });

  test('takes what stands for a lost change set for no proof of anything', async () => {
    const region = regionOf(setOf(at(1), ['a', alive(1)]), setOf(at(2), ['a', alive(2)]));
    const { archive } = region;
    const scan: typeof archive.scan = async function* (span) {
      for await (const row of archive.scan(span)) {
        yield row.kind === 'set' ? { ...row, isStandIn: row.rowKey === at(2) } : row;
      }
    };
    await trim({ ...region, archive: { ...archive, scan } }, { horizonMs: 9 });
    expect(timesOf(region)).toEqual([1, 2]);
  });

  test('keeps a row in which values were erased, since it keeps a late delivery of them out', async () => {
    const region = regionOf(setOf(at(1), ['a', alive(1)]), setOf(at(2), ['a', alive(2)]));
    const { archive } = region;
    const scan: typeof archive.scan = async function* (span) {
      for await (const row of archive.scan(span)) {
        yield row.kind === 'set' ? { ...row, isErased: row.rowKey === at(1) } : row;
      }
    };
    await trim({ ...region, archive: { ...archive, scan } }, { horizonMs: 9 });
    expect(timesOf(region)).toEqual([1, 2]);
  });

  test('forgets an old deletion only once nothing but it names the entity', async () => {
    const region = regionOf(
      setOf(at(1), ['a', alive(1)], ['b', alive(1)]),
      setOf(at(3), ['a', dead(3)]),
    );
    const asked = { horizonMs: 99, tombstoneHorizonMs: 50 };
    await trim(region, asked);
    expect(timesOf(region)).toEqual([1, 3]);
    filledArchive(region, setOf(at(4), ['b', alive(4)]));
    await trim(region, asked);
    expect(timesOf(region)).toEqual([3, 4]);
    await trim(region, { horizonMs: 99, tombstoneHorizonMs: 3 });
    expect(timesOf(region)).toEqual([3, 4]);
    await trim(region, asked);
    expect(timesOf(region)).toEqual([4]);
  });
});

describe('a replay of a trimmed archive', () => {
  test('I22: to a time before the horizon is refused, naming how far back it goes', async () => {
    const region = regionOf(setOf(at(1_000), ['a', alive(1_000)]));
    await region.archive.raiseHorizon(SPAN.entityKind, 5_000);
    await expect(foldTo(region, 4_999)).rejects.toMatchObject({
      code: 'RECOVERY_REFUSED',
      message: expect.stringContaining('1970-01-01T00:00:05.000Z') as unknown,
    });
    expect(Object.keys(await foldTo(region, 5_000))).toEqual(['a']);
  });

  test('I22: that was trimmed while it was read is refused at its end', async () => {
    const region = regionOf(
      setOf(at(1), ['a', alive(1)]),
      setOf(at(2), ['a', alive(2)]),
      setOf(at(3), ['a', alive(3)]),
    );
    const { archive } = region;
    const scan: typeof archive.scan = async function* (span) {
      await trim(region, { horizonMs: 3 });
      yield* archive.scan(span);
    };
    const reading = foldTo({ archive: { ...archive, scan } }, 2);
    await expect(reading).rejects.toMatchObject({ code: 'RECOVERY_REFUSED' });
  });
});

describe('what does not fit a size', () => {
  const sets = [10, 20, 30, 40].map((timeMs) => setOf(at(timeMs), ['a', alive(timeMs)]));
  const bytes = async (region: MemoryRecoveryRegion): Promise<number> => {
    for await (const row of region.archive.scan(SPAN)) {
      if (row.kind === 'set') return row.encoded.length;
    }
    return 0;
  };
  const fullBefore = async (region: MemoryRecoveryRegion, keepBytes: number) =>
    findFullBefore({
      ...SPAN,
      archive: region.archive,
      buckets: [MEMORY_BUCKET],
      nowMs: 45,
      keepBytes,
      stepMs: 10,
    });

  test('is what lies before the last steps that fit', async () => {
    const region = regionOf(...sets);
    const one = await bytes(region);
    expect(await fullBefore(region, one * 2)).toBe(30);
    expect(await fullBefore(region, one * 3)).toBe(20);
    expect(await fullBefore(region, one - 1)).toBe(50);
  });

  test('is nothing where all of it fits, or nothing is there', async () => {
    const region = regionOf(...sets);
    expect(await fullBefore(region, (await bytes(region)) * 4)).toBeUndefined();
    expect(await fullBefore(regionOf(), 0)).toBeUndefined();
  });

  test('counts what a clock that is ahead has stamped', async () => {
    const region = regionOf(setOf(at(9_999), ['a', alive(9_999)]));
    expect(await fullBefore(region, 0)).toBe(50);
  });
});
