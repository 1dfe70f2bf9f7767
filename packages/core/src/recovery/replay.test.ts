import { describe, expect, test } from 'vitest';
import type { ScannedArchiveRow } from '../ports/recovery-region.ts';
import {
  archivePartitionOf,
  type Change,
  type ChangeSet,
  CHANGES_PER_SET_MAX,
} from '../replication/change-set.ts';
import { encodeChangeSet } from '../replication/encode-change-set.ts';
import type { StoredState } from '../replication/decide-apply.ts';
import type { EntityState } from '../state/entity-state.ts';
import {
  createMemoryRecoveryRegion,
  MEMORY_BUCKET,
  type MemoryRecoveryRegion,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import type { Difference } from './difference.ts';
import { eraseEntity, eraseState, holdsValues, setHoldsValues } from './erase-entity.ts';
import { foldArchive } from './fold-archive.ts';
import { countReplay, findArchiveStart, planReplay, type ReplayPlan } from './plan-replay.ts';
import { proofOf } from './proof-of.ts';
import { replayInPlace } from './replay-in-place.ts';
import { replayInto } from './replay-into.ts';
import { joinChangeSets, restoredSet } from './restored-set.ts';

const KIND = 'Devices';
const SPAN = { entityKind: KIND, bucket: MEMORY_BUCKET };

function at(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

function alive(timeMs: number, label = 'x', region = 'east'): EntityState {
  return stateWith({ label: [at(timeMs, region), label] });
}

function dead(timeMs: number, region = 'east'): EntityState {
  const stamp = at(timeMs, region);
  return { ...alive(timeMs - 1, 'x', region), deleted: stamp, vector: new Map([[region, stamp]]) };
}

function setOf(stamp: Stamp, ...changes: readonly (readonly [string, EntityState])[]): ChangeSet {
  return {
    ...SPAN,
    stamp,
    changes: changes.map(
      ([entityId, state]): Change => ({ entityId, operation: 'replace', state }),
    ),
  };
}

/** Not as a literal: an object with a `then` is taken for a promise. */
function lives(
  now: string,
  then: string,
): readonly (readonly [string, { readonly life: string }])[] {
  return [
    ['now', { life: now }],
    ['then', { life: then }],
  ];
}

function archiveOf(...rows: readonly (ChangeSet | 'damaged')[]) {
  return {
    async *scan(): AsyncGenerator<ScannedArchiveRow> {
      for (const [n, row] of rows.entries()) {
        if (row === 'damaged') {
          const rowKey = `torn-${n}`;
          yield { kind: 'damaged', partitionKey: 'p', rowKey, problem: 'It is torn.', etag: '1' };
        } else {
          const partitionKey = archivePartitionOf(row);
          const encoded = encodeChangeSet(row);
          yield { kind: 'set', partitionKey, rowKey: row.stamp, set: row, encoded, etag: '1' };
        }
      }
    },
  };
}

function filledArchive(region: MemoryRecoveryRegion, ...sets: readonly ChangeSet[]): void {
  (region.sets as ChangeSet[]).push(...sets);
}

describe('folding an archive', () => {
  const fold = async (
    rows: readonly (ChangeSet | 'damaged')[],
    more: {
      readonly entityId?: string;
      readonly entitiesMax?: number;
      readonly leavesOut?: boolean;
    } = {},
  ) => {
    const { entityId, entitiesMax = 100, leavesOut = false } = more;
    const batches: ReadonlyMap<string, StoredState>[] = [];
    const damaged: string[] = [];
    let sets = 0;
    await foldArchive({
      archive: archiveOf(...rows),
      span: SPAN,
      region: 'east',
      entitiesMax,
      ...(entityId === undefined ? {} : { entityId }),
      onStates: async (states) => void batches.push(states),
      ...(leavesOut ? { onDamaged: ({ rowKey }) => damaged.push(rowKey) } : {}),
      onSet: () => void (sets += 1),
    });
    return { batches, damaged, sets };
  };

  test('joins what each entity was, and names the place of what came from elsewhere', async () => {
    const east = setOf(at(1), ['a', alive(1, 'one')], ['b', alive(1, 'b')]);
    const west = setOf(at(2, 'west'), ['a', stateWith({ other: [at(2, 'west'), 'two'] })]);
    const { batches, sets } = await fold([east, west]);
    expect({ batches: batches.length, sets }).toEqual({ batches: 1, sets: 2 });
    const [states] = batches;
    expect([...(states?.keys() ?? [])]).toEqual(['a', 'b']);
    expect([...(states?.get('a')?.state.fields.keys() ?? [])]).toEqual(['label', 'other']);
    expect(states?.get('a')?.referenceId).toBe(`Devices-00-19700101/${at(2, 'west')}/a`);
    expect(states?.get('b')?.referenceId).toBeUndefined();
  });

  test('takes one entity alone where it is told to', async () => {
    const { batches } = await fold([setOf(at(1), ['a', alive(1)], ['b', alive(1)])], {
      entityId: 'b',
    });
    expect([...(batches[0]?.keys() ?? [])]).toEqual(['b']);
    expect((await fold([setOf(at(1), ['a', alive(1)])], { entityId: 'b' })).batches).toEqual([]);
  });

  test('gives away as many as it may hold, and begins anew', async () => {
    const rows = [1, 2, 3, 4, 5].map((n) => setOf(at(n), [`d${n % 3}`, alive(n)]));
    const { batches } = await fold(rows, { entitiesMax: 2 });
    expect(batches.map((states) => [...states.keys()])).toEqual([
      ['d1', 'd2'],
      ['d0', 'd1'],
      ['d2'],
    ]);
    expect(batches[2]?.get('d2')?.state.fields.get('label')?.stamp).toBe(at(5));
  });

  test('ends at a damaged row, or leaves it out and tells of it', async () => {
    const rows = [setOf(at(1), ['a', alive(1)]), 'damaged', setOf(at(2), ['b', alive(2)])] as const;
    await expect(fold(rows)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining('p/torn-1'),
      details: { partitionKey: 'p', rowKey: 'torn-1' },
    });
    const { batches, damaged, sets } = await fold(rows, { leavesOut: true });
    expect({ ids: [...(batches[0]?.keys() ?? [])], damaged, sets }).toEqual({
      ids: ['a', 'b'],
      damaged: ['torn-1'],
      sets: 2,
    });
  });
});

describe('what tells how an entity was at a time', () => {
  const row = (state: EntityState) => ({ entityId: 'a', etag: '1', state, referenceId: undefined });
  const found = (state: EntityState): StoredState => ({ state, referenceId: undefined });
  const both = stateWith({ label: [at(100), 'new'], other: [at(5), 'old'] });

  test.each<[string, Parameters<typeof proofOf>, string]>([
    ['no row', [undefined, found(alive(1)), 50], 'archive'],
    ['neither', [undefined, undefined, 50], 'archive'],
    ['a row that was not written since', [row(alive(49)), undefined, 50], 'row'],
    ['a row that was written at that very time', [row(alive(50)), undefined, 50], 'archive'],
    [
      'a row that was written since, and its older write',
      [row(both), found(alive(5)), 50],
      'archive',
    ],
    [
      'a row that was written since, and a later one than its older write',
      [row(both), found(alive(7)), 50],
      'archive',
    ],
    ['a row that was written since, and an earlier one', [row(both), found(alive(4)), 50], 'none'],
    ['a row that was written since, and nothing', [row(both), undefined, 50], 'none'],
    [
      'a row whose older write another region made',
      [row(stateWith({ label: [at(100), 'n'], other: [at(5, 'west'), 'o'] })), found(alive(5)), 50],
      'none',
    ],
  ])('%s', (_, [stored, state, beforeMs], expected) => {
    expect(proofOf(stored, state, beforeMs)).toBe(expected);
  });
});

describe('planning a replay', () => {
  const plan = (
    region: MemoryRecoveryRegion,
    more: Partial<Parameters<typeof planReplay>[0]> = {},
  ): Promise<ReplayPlan> =>
    planReplay({
      archive: region.archive,
      region: region.region,
      rows: region.rows,
      replica: region.replica,
      buckets: [MEMORY_BUCKET],
      span: {},
      mode: 'join',
      horizonMs: 0,
      ...more,
    });
  const idsOf = ({ changes }: ReplayPlan): string[] =>
    changes.map(({ entityId }) => entityId).toSorted();

  test('a join brings back what is missing, and undoes nothing', async () => {
    const east = createMemoryRecoveryRegion('east');
    filledArchive(
      east,
      setOf(at(1), ['gone', alive(1)], ['same', alive(1)]),
      setOf(at(2), ['newer', alive(2)]),
    );
    east.put('same', alive(1));
    east.put('newer', alive(9));
    east.put('unarchived', alive(3));
    const found = await plan(east);
    expect(found).toMatchObject({ changeSets: 2, same: 2, unarchived: [] });
    expect(found.changes).toMatchObject([
      {
        entityId: 'gone',
        version: undefined,
        difference: { regions: Object.fromEntries(lives('absent', 'alive')) },
      },
    ]);
  });

  test('a join makes no tombstone again that may have been collected', async () => {
    const east = createMemoryRecoveryRegion('east');
    filledArchive(east, setOf(at(9), ['old', dead(9)]), setOf(at(10), ['young', dead(10)]));
    expect(idsOf(await plan(east, { horizonMs: 10 }))).toEqual(['young']);
    // A row that is there is joined, however old the deletion is.
    east.put('old', alive(5));
    expect(idsOf(await plan(east, { horizonMs: 10 }))).toEqual(['old', 'young']);
  });

  test('a restore takes away what was not there, and compares what is seen', async () => {
    const east = createMemoryRecoveryRegion('east');
    filledArchive(
      east,
      setOf(
        at(1),
        ['kept', alive(1, 'kept')],
        ['back', alive(1, 'back')],
        ['was deleted', dead(2)],
      ),
      setOf(at(3), ['changed', alive(3, 'then')]),
      setOf(at(60), ['changed', alive(60, 'now')]),
    );
    east.put('kept', stateWith({ label: [at(1), 'kept'], more: [at(70), null] }));
    east.put('changed', alive(60, 'now'));
    east.put('new', alive(70));
    east.put('back', { ...dead(80), vector: new Map([['east', at(80)]]) });
    east.put('was deleted', dead(90));
    east.damage('torn');
    const found = await plan(east, { mode: 'restore', span: { beforeMs: 50 } });
    expect(idsOf(found)).toEqual(['back', 'changed', 'new']);
    expect(found).toMatchObject({ same: 2, unarchived: [] });
    expect(countReplay(found.changes)).toEqual({ written: 2, changed: 1, deleted: 1 });
  });

  test('a restore leaves alone what nothing tells of, and what was not written since', async () => {
    const east = createMemoryRecoveryRegion('east');
    east.put('lost', stateWith({ label: [at(60), 'now'], other: [at(5), 'then'] }));
    east.put('quiet', alive(5));
    const found = await plan(east, { mode: 'restore', span: { beforeMs: 50 } });
    expect(found).toMatchObject({ unarchived: ['lost'], same: 1, changes: [] });
  });

  test('of one entity, or from a time on, is of what the archive names alone', async () => {
    const east = createMemoryRecoveryRegion('east');
    filledArchive(east, setOf(at(1), ['a', alive(1)]), setOf(at(20), ['b', alive(20)]));
    east.put('other', alive(60));
    const restore = { mode: 'restore' as const };
    const one = await plan(east, { ...restore, span: { beforeMs: 50, entityId: 'a' } });
    expect(idsOf(one)).toEqual(['a']);
    const late = await plan(east, { ...restore, span: { beforeMs: 50, fromMs: 10 } });
    expect(idsOf(late)).toEqual(['b']);
    const unknown = await plan(east, { ...restore, span: { beforeMs: 50, entityId: 'nobody' } });
    expect(unknown).toMatchObject({ same: 0, changes: [], unarchived: [] });
    const rowOnly = await plan(east, { ...restore, span: { beforeMs: 50, entityId: 'other' } });
    expect(countReplay(rowOnly.changes)).toEqual({ written: 0, changed: 0, deleted: 1 });
  });

  test('reads more rows than go into one request', async () => {
    const east = createMemoryRecoveryRegion('east');
    const ids = Array.from({ length: 205 }, (_, n) => `d${n}`);
    for (const [n, id] of ids.entries()) filledArchive(east, setOf(at(n + 1), [id, alive(n + 1)]));
    const asked: number[] = [];
    const replica = {
      entityKind: KIND,
      fit: (state: EntityState) => state,
      read: async (_: string, entityIds: readonly string[]) => {
        asked.push(entityIds.length);
        return new Map();
      },
    };
    expect(idsOf(await plan(east, { replica }))).toEqual(ids.toSorted());
    expect(asked).toEqual([100, 100, 5]);
  });

  test.each([
    ['nothing', 'absent', 'absent', { written: 0, changed: 0, deleted: 0 }],
    ['what comes back', 'deleted', 'alive', { written: 1, changed: 0, deleted: 0 }],
    ['what was never there', 'absent', 'alive', { written: 1, changed: 0, deleted: 0 }],
    ['what changes', 'alive', 'alive', { written: 1, changed: 1, deleted: 0 }],
    ['what goes', 'alive', 'deleted', { written: 0, changed: 0, deleted: 1 }],
    ['what goes without a trace', 'alive', 'absent', { written: 0, changed: 0, deleted: 1 }],
    ['what nobody sees', 'deleted', 'deleted', { written: 0, changed: 0, deleted: 0 }],
  ] as const)('counts %s', (_, now, then, expected) => {
    const regions = Object.fromEntries(lives(now, then));
    const difference = {
      bucket: '00',
      entityId: 'a',
      regions,
      fields: [],
    } as unknown as Difference;
    expect(countReplay([{ difference }])).toEqual(expected);
  });

  test('knows when an archive begins, whatever lies in front of it', async () => {
    const parts = { entityKind: KIND, buckets: [MEMORY_BUCKET] };
    expect(await findArchiveStart(archiveOf(), parts)).toBeUndefined();
    const sets = [setOf(at(7), ['a', alive(7)]), setOf(at(9), ['a', alive(9)])];
    expect(await findArchiveStart(archiveOf('damaged', ...sets), parts)).toBe(7);
    const buckets = ['00', '01', '02'];
    const starts: Readonly<Record<string, number>> = { '00': 9, '01': 4 };
    const byBucket = {
      scan: ({ bucket }: { bucket: string }) => {
        const startMs = starts[bucket];
        return startMs === undefined
          ? archiveOf().scan()
          : archiveOf(setOf(at(startMs), ['a', alive(startMs)])).scan();
      },
    };
    expect(await findArchiveStart(byBucket, { entityKind: KIND, buckets })).toBe(4);
  });
});

describe('replaying', () => {
  test('I5: in place brings back what is missing, in the target and its peers, and nothing twice', async () => {
    const [east, west] = ['east', 'west'].map(createMemoryRecoveryRegion);
    filledArchive(
      east!,
      setOf(at(1), ['a', alive(1)], ['kept', alive(1)]),
      setOf(at(2), ['old', dead(2)]),
    );
    for (const region of [east!, west!]) region.put('kept', alive(5, 'newer'));
    const told: number[] = [];
    const replay = () =>
      replayInPlace({
        archive: archiveOf(...east!.sets),
        source: 'east',
        target: east!,
        peers: [west!],
        buckets: [MEMORY_BUCKET],
        span: {},
        horizonMs: 100,
        onProgress: ({ changeSets }) => told.push(changeSets),
      });
    expect(await replay()).toEqual({ changeSets: 2, rowsWritten: 1, bucketsDone: 1 });
    for (const region of [east!, west!]) {
      expect(region.rowOf('a')?.state.fields.get('label')?.stamp).toBe(at(1));
      expect(region.rowOf('kept')?.state.fields.get('label')?.value?.value).toBe('newer');
      expect(region.rowOf('old')).toBeUndefined();
    }
    expect(told.length).toBeGreaterThan(2);
    filledArchive(east!, setOf(at(1), ['a', alive(1)]));
    expect(await replay()).toMatchObject({ rowsWritten: 0 });
  });

  test('in place writes the target last: interrupted before, a repetition finds the same', async () => {
    const [east, west] = ['east', 'west'].map(createMemoryRecoveryRegion);
    const archive = archiveOf(setOf(at(1), ['a', alive(1)]));
    const parts = {
      archive,
      source: 'east',
      target: east!,
      peers: [west!],
      horizonMs: 0,
      span: {},
    };
    east!.beforeWrite(() => {
      east!.beforeWrite(() => undefined);
      expect(west!.rowOf('a')).toBeDefined();
      throw new Error('cut off');
    });
    const buckets = [MEMORY_BUCKET];
    await expect(replayInPlace({ ...parts, buckets })).rejects.toThrow('cut off');
    expect(east!.rowOf('a')).toBeUndefined();
    expect(await replayInPlace({ ...parts, buckets })).toMatchObject({ rowsWritten: 1 });
  });

  test('in place stops when it is told to, and joins at most a hundred at a time', async () => {
    const [east, west] = ['east', 'west'].map(createMemoryRecoveryRegion);
    const sets = Array.from({ length: 150 }, (_, n) => setOf(at(n + 1), [`d${n}`, alive(n + 1)]));
    const parts = {
      archive: archiveOf(...sets),
      source: 'east',
      target: east!,
      peers: [west!],
      horizonMs: 0,
      span: {},
      buckets: [MEMORY_BUCKET],
    };
    await expect(replayInPlace({ ...parts, signal: AbortSignal.abort() })).rejects.toThrow(
      'aborted',
    );
    expect(east!.writes).toEqual([]);
    const stop = new AbortController();
    west!.beforeWrite(() => stop.abort());
    await expect(replayInPlace({ ...parts, signal: stop.signal })).rejects.toThrow('aborted');
    expect(east!.writes).toEqual([100]);
    expect(await replayInPlace(parts)).toMatchObject({ rowsWritten: 50, changeSets: 150 });
  });

  test('into a table says which buckets are done, what it wrote, and stops when it is told to', async () => {
    const into = createMemoryRecoveryRegion('east');
    const archive = archiveOf(
      setOf(at(1), ['a', alive(1)]),
      'damaged',
      setOf(at(2), ['b', alive(2)]),
    );
    const done: string[] = [];
    const damaged: string[] = [];
    const parts = {
      archive,
      region: 'east',
      into: into.replica,
      buckets: [MEMORY_BUCKET, '01'],
      span: {},
      onBucketDone: async (bucket: string) => void done.push(bucket),
    };
    await expect(replayInto(parts)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    expect(done).toEqual([]);
    const onDamaged = ({ rowKey }: { rowKey: string }): void => void damaged.push(rowKey);
    expect(await replayInto({ ...parts, onDamaged })).toEqual({
      changeSets: 4,
      rowsWritten: 2,
      bucketsDone: 2,
    });
    expect(done.toSorted()).toEqual([MEMORY_BUCKET, '01']);
    expect(damaged).toEqual(['torn-1', 'torn-1']);
    const stopped = replayInto({ ...parts, onDamaged, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow('aborted');
  });
});

describe('a restored change set', () => {
  test('has the stamp of the newest transaction of its state', () => {
    const state = stateWith({ label: [at(5), 'e'], other: [at(9, 'west'), 'w'] });
    expect(restoredSet({ ...SPAN, entityId: 'a', state })).toEqual({
      ...SPAN,
      stamp: at(9, 'west'),
      changes: [{ entityId: 'a', operation: 'replace', state }],
    });
  });

  test('joined with another of its stamp has every change of both, unless they are too many', () => {
    const ids = (from: number, count: number) =>
      Array.from({ length: count }, (_, n): readonly [string, EntityState] => [
        `d${from + n}`,
        alive(1),
      ]);
    const half = setOf(at(1), ...ids(0, 50));
    const rest = setOf(at(1), ...ids(50, CHANGES_PER_SET_MAX - 50));
    expect(joinChangeSets(half, rest)?.changes).toHaveLength(CHANGES_PER_SET_MAX);
    expect(
      joinChangeSets(half, setOf(at(1), ...ids(50, CHANGES_PER_SET_MAX - 49))),
    ).toBeUndefined();
    const a = setOf(at(2), ['a', alive(1, 'one')]);
    const b: ChangeSet = {
      ...setOf(at(2), ['a', stateWith({ other: [at(2, 'west'), 'two'] })]),
    };
    const joined = joinChangeSets(a, b);
    expect(joined?.changes).toHaveLength(1);
    expect([...(joined?.changes[0]?.state.fields.keys() ?? [])]).toEqual(['label', 'other']);
  });
});

describe('erasing', () => {
  const later = at(50);
  const state = stateWith({ label: [at(5), 'old'], phone: [later, 'later'], gone: [at(5), null] });

  test('leaves the stamps, and what was written after the deletion', () => {
    expect(eraseState(state)).toEqual({
      ...state,
      fields: new Map([...state.fields].map(([name, { stamp }]) => [name, { value: null, stamp }])),
    });
    const kept = eraseState(state, at(49));
    expect(kept.fields.get('label')).toEqual({ value: null, stamp: at(5) });
    expect(kept.fields.get('phone')?.value?.value).toBe('later');
    expect(eraseState(state, later).fields.get('phone')?.value).toBeNull();
    expect(holdsValues(kept)).toBe(true);
    expect(holdsValues(eraseState(state))).toBe(false);
    expect(setHoldsValues(setOf(at(1), ['a', state], ['b', eraseState(state)]), 'a')).toBe(true);
    expect(setHoldsValues(setOf(at(1), ['a', state], ['b', eraseState(state)]), 'b')).toBe(false);
    expect(setHoldsValues(setOf(at(1), ['a', state]), 'c')).toBe(false);
  });

  test('I19: goes over what was archived meanwhile again, and gives up in the end', async () => {
    const region = createMemoryRecoveryRegion('east');
    filledArchive(region, setOf(at(5), ['a', alive(5)], ['b', alive(5)]));
    const put: ChangeSet[][] = [];
    let refusals = 1;
    const contended = {
      ...region,
      archive: {
        ...region.archive,
        put: async (rows: Parameters<typeof region.archive.put>[0]) => {
          put.push(rows.map(({ set }) => set));
          refusals -= 1;
          return refusals >= 0 ? rows : [];
        },
      },
    };
    await eraseEntity(contended, 'a', at(9));
    expect(put).toHaveLength(2);
    const [set] = put[1] ?? [];
    expect(set && setHoldsValues(set, 'a')).toBe(false);
    expect(set && setHoldsValues(set, 'b')).toBe(true);
    refusals = 100;
    await expect(eraseEntity(contended, 'a', at(9))).rejects.toMatchObject({
      code: 'WRITE_CONTENDED',
    });
    expect(put).toHaveLength(7);
  });

  test('puts a hundred rows at a time, and none that holds nothing of it', async () => {
    const region = createMemoryRecoveryRegion('east');
    for (let n = 1; n <= 250; n += 1) filledArchive(region, setOf(at(n), ['a', alive(n)]));
    filledArchive(region, setOf(at(300), ['b', alive(300)]), setOf(at(301), ['a', alive(301)]));
    const sizes: number[] = [];
    const archive = {
      ...region.archive,
      put: async (rows: readonly unknown[]) => {
        sizes.push(rows.length);
        return [];
      },
    };
    // The last of them has the very stamp until which it is erased.
    await eraseEntity({ ...region, archive }, 'a', at(250));
    expect(sizes).toEqual([100, 100, 50]);
  });
});
