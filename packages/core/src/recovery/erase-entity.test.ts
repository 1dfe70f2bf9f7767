import { describe, expect, test } from 'vitest';
import type { ChangeSet } from '../model/change-set.ts';
import { type Conflict, conflictHoldsValues, eraseConflict } from '../model/conflict.ts';
import type { OutboxEntry, OutboxPage, OutboxScan } from '../ports/outbox.ts';
import type { ArchiveRow } from '../ports/recovery-region.ts';
import {
  alive,
  archiveOf,
  at,
  createMemoryRecoveryRegion,
  filledArchive,
  SPAN,
  setOf,
  stateWith,
} from '../testing/memory-recovery-region.ts';
import { encodeChangeSet } from '../wire/change-set-bytes.ts';
import {
  countOutboxRows,
  eraseEntity,
  eraseState,
  findTraces,
  holdsValues,
  setHoldsValues,
} from './erase-entity.ts';

function conflictOf(entityId: string, timeMs: number): Conflict {
  return {
    entityKind: SPAN.entityKind,
    entityId,
    stamps: [at(timeMs), at(timeMs, 'west')],
    fields: [
      {
        name: 'label',
        winner: { stamp: at(timeMs, 'west'), value: { type: 'String', value: 'w' } },
        loser: { stamp: at(timeMs), value: { type: 'String', value: 'l' } },
      },
    ],
    life: undefined,
  };
}

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

  test('leaves each neighbour and each other conflict as it is, a hundred conflicts at a time', async () => {
    const region = createMemoryRecoveryRegion('east');
    const neighbours = setOf(at(5), ['a', alive(5)], ['b', alive(5, 'kept')]);
    const others = setOf(at(6), ['b', alive(6, 'kept')]);
    const erasedBefore = setOf(at(7), ['a', eraseState(alive(7))], ['b', alive(7, 'kept')]);
    filledArchive(region, neighbours, others, erasedBefore);
    const recorded = [
      conflictOf('b', 1),
      ...Array.from({ length: 205 }, (_, n) => conflictOf('a', n + 2)),
      eraseConflict(conflictOf('a', 300)),
    ];
    const accepted: Conflict[][] = [];
    const put: ChangeSet[] = [];
    const parts = {
      ...region,
      archive: {
        ...region.archive,
        put: async (rows: readonly ArchiveRow[]) => {
          put.push(...rows.map(({ set }) => set));
          return [];
        },
      },
      conflicts: {
        ...region.conflicts,
        accept: async (some: readonly Conflict[]) => void accepted.push([...some]),
        async *scan() {
          yield* recorded;
        },
      },
    };
    await eraseEntity(parts, 'a');
    expect(put.map(({ changes }) => changes.map(({ state }) => holdsValues(state)))).toEqual([
      [false, true],
    ]);
    expect(accepted.map(({ length }) => length)).toEqual([100, 100, 5]);
    const erased = new Set(accepted.flat().map(({ entityId }) => entityId));
    expect([...erased]).toEqual(['a']);
    expect(accepted.flat().some((one) => conflictHoldsValues(one, 'a'))).toBe(false);
  });

  test('finds what holds values of an entity, and what nobody can read', async () => {
    const region = createMemoryRecoveryRegion('east');
    const entryOf = (set: ChangeSet): OutboxEntry => ({
      set,
      encoded: encodeChangeSet(set),
      owed: ['west'],
      committedAfterMs: 0,
      parkedFor: undefined,
    });
    const own = setOf(at(5), ['a', alive(5)], ['b', alive(5)]);
    const other = setOf(at(6), ['b', alive(6)]);
    const pages: Readonly<Record<string, OutboxPage>> = {
      plain: { entries: [entryOf(own), entryOf(other)], unreadable: ['x'], aside: ['!y', '!z'] },
      west: { entries: [entryOf(own)], unreadable: [], aside: [] },
    };
    const nothing = { entries: [], unreadable: [], aside: [] };
    const parts = {
      ...region,
      archive: { ...region.archive, ...archiveOf(own, 'damaged', other, own) },
      outbox: {
        ...region.outbox,
        scan: async ({ parkedFor = 'plain' }: OutboxScan) => pages[parkedFor] ?? nothing,
      },
    };
    region.put('a', alive(5));
    region.put('c', eraseState(alive(5)));
    await region.conflicts.accept(['a', 'a', 'other'].map(conflictOf));
    const none = { rows: 0, archiveRows: 0, conflicts: 0, outboxRows: 0, unreadable: 4 };
    expect(await findTraces(parts, 'a', ['west', 'north'])).toEqual({
      ...none,
      region: 'east',
      rows: 1,
      archiveRows: 2,
      conflicts: 2,
      outboxRows: 2,
      isKnown: true,
    });
    // Of the archive alone, of a row without values, and of nobody.
    expect(await findTraces(parts, 'b', [])).toMatchObject({
      rows: 0,
      archiveRows: 3,
      outboxRows: 2,
      isKnown: true,
    });
    expect(await findTraces(parts, 'c', [])).toMatchObject({ ...none, isKnown: true });
    expect(await findTraces(parts, 'nobody', [])).toMatchObject({ ...none, isKnown: false });
    expect(await countOutboxRows(parts, 'a', ['north'])).toBe(1);
    const quiet = { ...parts, archive: { ...region.archive, ...archiveOf('damaged') } };
    expect(await findTraces(quiet, 'b', [])).toMatchObject({ isKnown: false });
  });
});
