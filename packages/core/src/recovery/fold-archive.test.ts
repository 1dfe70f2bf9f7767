import { describe, expect, test } from 'vitest';
import { CHANGES_PER_SET_MAX, type ChangeSet } from '../model/change-set.ts';
import type { EntityState, StoredState } from '../state/entity-state.ts';
import { alive, archiveOf, at, SPAN, setOf, stateWith } from '../testing/memory-recovery-region.ts';
import { proofOf } from './difference.ts';
import { joinChangeSets, restoredSet } from './repair-regions.ts';
import { foldArchive } from './replay.ts';

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
