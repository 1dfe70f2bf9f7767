import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EntityState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { newestStamp } from '../state/version-vector.ts';
import { writeEntity } from '../state/write-entity.ts';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import { type ApplyDecision, decideApply } from './decide-apply.ts';

function at(timeMs: number, region: string): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

function put(stored: EntityState | undefined, email: string, stamp: Stamp): EntityState {
  const values = new Map([['email', { type: 'String' as const, value: email }]]);
  return writeEntity({ kind: 'put', values }, { stored, stamp, policy: 'field' });
}

function apply(incoming: EntityState, stored: EntityState | undefined, nowMs = 100): ApplyDecision {
  return decideApply(
    {
      entityKind: 'Devices',
      entityId: 'a',
      state: incoming,
      referenceId: 'ref',
      stamp: newestStamp(incoming.vector)!,
    },
    {
      stored: stored && { state: stored, referenceId: undefined },
      nowMs,
      tombstoneAgeMs: 1_000,
    },
  );
}

const first = put(undefined, 'first', at(1, 'east'));
const second = put(first, 'second', at(2, 'east'));
const here = put(first, 'here', at(3, 'west'));

describe('a region that receives a change', () => {
  test('writes it where there is no row', () => {
    expect(apply(first, undefined)).toMatchObject({ kind: 'write', row: { referenceId: 'ref' } });
  });

  test('writes it over what it has seen', () => {
    expect(apply(second, first)).toMatchObject({ kind: 'write', row: { state: second } });
  });

  test('skips a duplicate, and an older one', () => {
    expect(apply(second, second)).toEqual({ kind: 'skip' });
    expect(apply(first, second)).toEqual({ kind: 'skip' });
  });

  test('I7: merges a concurrent one and names the losing value', () => {
    const decision = apply(second, here);
    expect(decision).toMatchObject({
      kind: 'merge',
      conflicts: [
        {
          stamps: [at(2, 'east'), at(3, 'west')],
          fields: [
            {
              name: 'email',
              winner: { value: { value: 'here' } },
              loser: { value: { value: 'second' } },
            },
          ],
        },
      ],
    });
  });

  test('I7: both regions record the same conflict', () => {
    const inWest = apply(second, here);
    const inEast = apply(here, second);
    expect(inWest.kind === 'merge' && inEast.kind === 'merge' && inWest.conflicts).toEqual(
      inEast.kind === 'merge' && inEast.conflicts,
    );
  });

  test('I7: a deletion against an edit it had not seen is a conflict over life', () => {
    const write = { kind: 'delete' } as const;
    const deleted = writeEntity(write, { stored: first, stamp: at(4, 'east'), policy: 'field' });
    expect(apply(deleted, here)).toMatchObject({
      kind: 'merge',
      conflicts: [
        {
          stamps: [at(3, 'west'), at(4, 'east')],
          fields: [{ name: 'email', loser: { value: { value: 'here' }, stamp: at(3, 'west') } }],
          life: { alive: at(3, 'west'), deleted: at(4, 'east'), survives: false },
        },
      ],
    });
    const later = put(first, 'later', at(5, 'west'));
    expect(apply(deleted, later)).toMatchObject({
      conflicts: [
        {
          stamps: [at(4, 'east'), at(5, 'west')],
          fields: [],
          life: { alive: at(5, 'west'), deleted: at(4, 'east'), survives: true },
        },
      ],
    });
  });

  test('I7, I23: names every value of a write that lost to one which owned the whole entity', () => {
    const own = (fields: Record<string, string>, stamp: Stamp): EntityState => {
      const values = new Map(
        Object.entries(fields).map(([name, value]) => [name, { type: 'String' as const, value }]),
      );
      const write = { kind: 'put', values } as const;
      return writeEntity(write, { stored: first, stamp, policy: 'row', mayTakeBase: true });
    };
    const lost = own({ email: 'lost', phone: '1', note: 'n' }, at(5, 'east'));
    const won = own({ email: 'won' }, at(6, 'west'));
    const conflict = {
      stamps: [at(5, 'east'), at(6, 'west')],
      fields: [
        { name: 'email', winner: { value: { value: 'won' } }, loser: { value: { value: 'lost' } } },
        {
          name: 'note',
          winner: { value: null, stamp: at(6, 'west') },
          loser: { value: { value: 'n' } },
        },
        {
          name: 'phone',
          winner: { value: null },
          loser: { value: { value: '1' }, stamp: at(5, 'east') },
        },
      ],
    };
    for (const decision of [apply(lost, won), apply(won, lost)]) {
      expect(decision).toMatchObject({ kind: 'merge', conflicts: [conflict] });
      expect(decision.kind === 'merge' && decision.row.state).toEqual(mergeStates(lost, won));
    }
    const gone = writeEntity(
      { kind: 'delete' },
      { stored: first, stamp: at(7, 'west'), policy: 'row', mayTakeBase: true },
    );
    const decision = apply(gone, lost);
    expect(decision.kind === 'merge' && decision.conflicts).toMatchObject([
      {
        stamps: [at(5, 'east'), at(7, 'west')],
        fields: [{ name: 'email' }, { name: 'note' }, { name: 'phone' }],
        life: { alive: at(5, 'east'), deleted: at(7, 'west'), survives: false },
      },
    ]);
  });

  test('I4: refuses what is left of an older life where a row was made since its tombstone went', () => {
    const refused = { kind: 'refuse', reason: 'older-than-tombstones' };
    const anew = put(undefined, 'anew', at(2_000, 'west'));
    expect(apply(first, anew, 1_001)).toMatchObject({ kind: 'merge' });
    expect(apply(first, anew, 1_002)).toEqual(refused);
    // Of one region the newer life covers the older, and only a field that it never had would come back.
    const note = new Map([['note', { type: 'String' as const, value: 'old' }]]);
    const older = writeEntity(
      { kind: 'put', values: note },
      { stored: undefined, stamp: at(1, 'west'), policy: 'field' },
    );
    expect(apply(older, anew, 1_001)).toMatchObject({ kind: 'write' });
    expect(apply(older, anew, 1_002)).toEqual(refused);
    expect(apply(put(undefined, 'old', at(1, 'west')), anew, 1_002)).toEqual({ kind: 'skip' });
    // A row that holds anything of that time has no such gap.
    const patched = writeEntity(
      { kind: 'patch', values: note },
      { stored: here, stamp: at(2_000, 'west'), policy: 'field' },
    );
    expect(apply(second, patched, 1_500)).toMatchObject({ kind: 'merge' });
  });

  test('I4: refuses one older than the tombstones where there is no row', () => {
    expect(apply(first, undefined, 1_001)).toMatchObject({ kind: 'write' });
    expect(apply(first, undefined, 1_002)).toEqual({
      kind: 'refuse',
      reason: 'older-than-tombstones',
    });
    expect(apply(second, first, 1_000_000)).toMatchObject({ kind: 'write' });
  });

  test('whatever it decides, what it keeps is the merge', () => {
    fc.assert(
      fc.property(arbitraryEntityState, arbitraryEntityState, (incoming, stored) => {
        // A vector that contains another's stamps contains its writes too; only such pairs occur.
        const merged = mergeStates(incoming, stored);
        const decision = apply(merged, stored, 0);
        const kept = decision.kind === 'write' ? decision.row.state : stored;
        expect(kept.vector).toEqual(merged.vector);
        expect(apply(stored, merged, 0)).toEqual({ kind: 'skip' });
      }),
    );
  });

  test('the reference belongs to the newest transaction, whichever was there first', () => {
    const inWest = apply(second, here);
    const inEast = apply(here, second);
    expect(inWest).toMatchObject({ row: { referenceId: undefined } });
    expect(inEast).toMatchObject({ row: { referenceId: 'ref' } });
  });
});
