import { describe, expect, test } from 'vitest';
import { type ChangeSet } from '../replication/change-set.ts';
import {
  alive,
  at,
  createMemoryRecoveryRegion,
  filledArchive,
  setOf,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { eraseEntity, eraseState, holdsValues, setHoldsValues } from './erase-entity.ts';

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
