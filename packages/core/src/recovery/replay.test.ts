import { describe, expect, test } from 'vitest';
import { NO_HORIZONS } from '../model/horizons.ts';
import type { EntityState } from '../state/entity-state.ts';
import {
  alive,
  archiveOf,
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
import type { Difference } from './difference.ts';
import { countReplay, findArchiveStart, planReplay, type ReplayPlan } from './plan-replay.ts';
import { replayInPlace, replayInto } from './replay.ts';

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
      tombstones: NO_HORIZONS,
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
    expect(idsOf(await plan(east, { tombstones: { kindMs: 10, tables: new Map() } }))).toEqual([
      'young',
    ]);
    // A row that is there is joined, however old the deletion is.
    east.put('old', alive(5));
    expect(idsOf(await plan(east, { tombstones: { kindMs: 10, tables: new Map() } }))).toEqual([
      'old',
      'young',
    ]);
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

  test('a join is of all that was written, whatever was written since', async () => {
    const east = createMemoryRecoveryRegion('east');
    filledArchive(east, setOf(at(1), ['a', alive(1)]), setOf(at(2), ['gone', alive(2)]));
    east.put('a', alive(60));
    const found = await plan(east, { span: { beforeMs: 50 } });
    expect(idsOf(found)).toEqual(['gone']);
    expect(found).toMatchObject({ same: 1, unarchived: [] });
  });

  test('goes round a row that nobody can read, and a record where it is told to', async () => {
    const east = createMemoryRecoveryRegion('east');
    for (const id of ['a', 'kept']) east.put(id, alive(1, 'old'));
    east.damage('torn');
    const archive = archiveOf(
      setOf(at(5), ['a', alive(5)], ['torn', alive(5)]),
      'damaged',
      setOf(at(6), ['gone', alive(6)], ['kept', alive(1, 'old')]),
    );
    await expect(plan(east, { archive })).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    const damaged: string[] = [];
    const found = await plan(east, { archive, onDamaged: ({ rowKey }) => damaged.push(rowKey) });
    expect(idsOf(found)).toEqual(['a', 'gone']);
    expect([found.same, damaged]).toEqual([1, ['torn-1']]);
  });

  test('a restore plans nothing for a row that nobody can read, for it could not be written', async () => {
    const east = createMemoryRecoveryRegion('east');
    east.put('kept', alive(1, 'old'));
    east.damage('torn');
    filledArchive(
      east,
      setOf(at(1), ['kept', alive(1, 'old')]),
      setOf(at(5), ['gone', alive(5)], ['torn', alive(5)]),
    );
    const found = await plan(east, { mode: 'restore', span: { beforeMs: 50 } });
    expect(idsOf(found)).toEqual(['gone']);
  });

  test('reads more rows than go into one request', async () => {
    const east = createMemoryRecoveryRegion('east');
    const ids = Array.from({ length: 205 }, (_, n) => `d${n}`);
    for (const [n, id] of ids.entries()) filledArchive(east, setOf(at(n + 1), [id, alive(n + 1)]));
    const asked: number[] = [];
    const replica = {
      entityKind: SPAN.entityKind,
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
    const parts = { entityKind: SPAN.entityKind, buckets: [MEMORY_BUCKET] };
    expect(await findArchiveStart(archiveOf(), parts)).toBeUndefined();
    const sets = [setOf(at(7), ['a', alive(7)]), setOf(at(9), ['a', alive(9)])];
    expect(await findArchiveStart(archiveOf('damaged', ...sets), parts)).toBe(7);
    const buckets = ['00', '01', '02'];
    const starts: Readonly<Record<string, number>> = { '00': 9, '01': 4 };
    const byBucket = {
      ...archiveOf(),
      scan: ({ bucket }: { bucket: string }) => {
        const startMs = starts[bucket];
        return startMs === undefined
          ? archiveOf().scan()
          : archiveOf(setOf(at(startMs), ['a', alive(startMs)])).scan();
      },
    };
    expect(await findArchiveStart(byBucket, { entityKind: SPAN.entityKind, buckets })).toBe(4);
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

  test('in place leaves alone what nobody can read, and what it is not told to replay', async () => {
    const [east, west] = ['east', 'west'].map(createMemoryRecoveryRegion);
    const archive = archiveOf(
      setOf(at(1), ['a', alive(1)], ['torn', alive(1)], ['b', alive(1)]),
      'damaged',
    );
    const parts = {
      archive,
      source: 'east',
      target: east!,
      peers: [west!],
      horizonMs: 0,
      buckets: [MEMORY_BUCKET],
    };
    east!.damage('torn');
    await expect(replayInPlace({ ...parts, span: {} })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
    });
    const damaged: string[] = [];
    const replay = (entityId?: string) =>
      replayInPlace({
        ...parts,
        span: entityId === undefined ? {} : { entityId },
        onDamaged: ({ rowKey }) => damaged.push(rowKey),
      });
    for (const region of [east!, west!]) region.put('b', alive(1));
    expect(await replay('torn')).toMatchObject({ rowsWritten: 0 });
    expect(await replay('b')).toMatchObject({ rowsWritten: 0 });
    expect(east!.rowOf('a')).toBeUndefined();
    expect(await replay()).toEqual({ changeSets: 1, rowsWritten: 1, bucketsDone: 1 });
    for (const region of [east!, west!]) expect(region.rowOf('a')).toBeDefined();
    expect(west!.rowOf('torn')).toBeUndefined();
    expect(damaged).toEqual(['torn-1', 'torn-1', 'torn-1']);
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
