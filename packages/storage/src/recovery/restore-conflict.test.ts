import {
  type Conflict,
  type ContestedField,
  type EntityState,
  encodeVector,
  type FieldValue,
  formatStamp,
  type Replica,
  type Stamp,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import type { ReplicatedTable, WriteOutcome } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { restoreConflict, restoringTyped } from './restore.ts';

const ID = 'device-1';

const at = (timeMs: number, region = 'east'): Stamp =>
  formatStamp({ timeMs, counter: 0, region, writer: 'w' });
/** In order: what lost, what won over it, what won over that elsewhere, what someone wrote since. */
const [LOST, WON, NORTH, SINCE] = [at(1), at(2, 'west'), at(3, 'north'), at(9)];

const text = (value: string): FieldValue => ({ type: 'String', value });

function stateOf(
  fields: Readonly<Record<string, readonly [Stamp, string]>>,
  more: Partial<EntityState> = {},
): EntityState {
  return {
    fields: new Map(
      Object.entries(fields).map(([name, [stamp, value]]) => [name, { stamp, value: text(value) }]),
    ),
    alive: LOST,
    deleted: undefined,
    vector: new Map([['east', SINCE]]),
    ...more,
  };
}

function lost(name: string, more: Partial<ContestedField> = {}): ContestedField {
  const loser = { stamp: LOST, value: text(`${name} lost`) };
  return { name, loser, winner: { stamp: WON, value: text('won') }, ...more };
}

function conflictOf(fields: readonly ContestedField[], more: Partial<Conflict> = {}): Conflict {
  const stamps = [LOST, WON] as const;
  const entityKind = deviceKind.name;
  return { entityKind, entityId: ID, stamps, fields, life: undefined, ...more };
}

interface Case {
  readonly state?: EntityState | undefined;
  readonly conflict: Conflict;
  readonly recorded?: readonly Conflict[];
  readonly isForced?: boolean;
  readonly isPlanned?: boolean;
  readonly outcome?: string;
}

/** What is done: the plan and each write, or the message of the refusal. */
async function restore({ state, conflict, isForced = false, ...more }: Case) {
  const { recorded = [], isPlanned = false, outcome = 'written' } = more;
  const calls: unknown[] = [];
  const answer =
    (what: string) =>
    async (...args: readonly unknown[]) => {
      calls.push([what, ...args]);
      return { kind: outcome } as WriteOutcome<typeof deviceKind>;
    };
  const table = { put: answer('put'), patch: answer('patch'), remove: answer('remove') };
  const row = state && { entityId: ID, etag: '1', state, referenceId: undefined };
  const replica = {
    bucketOf: () => '00',
    read: async () => new Map(row === undefined ? [] : [[ID, row]]),
  };
  const plan = await restoreConflict({
    conflict,
    recorded,
    chosen: conflict.fields,
    isForced,
    recovery: { replica: replica as unknown as Replica },
    ...(isPlanned
      ? {}
      : {
          openTable: async () =>
            restoringTyped(deviceKind, table as unknown as ReplicatedTable<typeof deviceKind>),
        }),
  }).catch((error: Error) => error.message);
  return { plan, calls };
}

const IF_UNCHANGED = { kind: 'version', versions: [encodeVector(new Map([['east', SINCE]]))] };

describe('restoring values that lost', () => {
  test('sets them where what won is there still, if nobody writes meanwhile', async () => {
    const state = stateOf({ label: [WON, 'won'], ownerId: [WON, 'won'], firmware: [SINCE, 'x'] });
    const nothing = { stamp: LOST, value: null };
    const conflict = conflictOf([lost('label'), lost('ownerId', { loser: nothing })]);
    expect(await restore({ state, conflict })).toEqual({
      plan: { kind: 'set', fields: ['label', 'ownerId'] },
      calls: [['patch', ID, { label: 'label lost', ownerId: null }, IF_UNCHANGED]],
    });
    expect(await restore({ state, conflict, isPlanned: true })).toMatchObject({
      plan: { kind: 'set' },
      calls: [],
    });
    for (const outcome of ['condition-failed', 'not-found']) {
      const { plan } = await restore({ state, conflict, outcome });
      expect(plan).toContain('was written meanwhile');
    }
  });

  test('sets only those that are not there', async () => {
    const conflict = conflictOf([lost('label'), lost('ownerId')]);
    const half = stateOf({ label: [LOST, 'label lost'], ownerId: [WON, 'won'] });
    expect(await restore({ state: half, conflict })).toEqual({
      plan: { kind: 'set', fields: ['ownerId'] },
      calls: [['patch', ID, { ownerId: 'ownerId lost' }, IF_UNCHANGED]],
    });
    const all = stateOf({ label: [LOST, 'label lost'], ownerId: [LOST, 'ownerId lost'] });
    expect(await restore({ state: all, conflict })).toEqual({
      plan: { kind: 'none', fields: [] },
      calls: [],
    });
    // A field that is not there at all was written by nobody since.
    expect(await restore({ state: stateOf({}), conflict })).toMatchObject({
      plan: { kind: 'set', fields: ['label', 'ownerId'] },
    });
  });

  test('I19: overwrites what was written since only by force, and then whatever comes', async () => {
    const state = stateOf({ label: [SINCE, 'new'], ownerId: [WON, 'won'] });
    const conflict = conflictOf([lost('label'), lost('ownerId')]);
    const refusedOf = await restore({ state, conflict });
    expect(refusedOf.plan).toContain('since the conflict: label. --force');
    expect(refusedOf.calls).toEqual([]);
    expect(await restore({ state, conflict, isForced: true })).toEqual({
      plan: { kind: 'set', fields: ['label', 'ownerId'] },
      calls: [['patch', ID, { label: 'label lost', ownerId: 'ownerId lost' }, undefined]],
    });
  });

  const further = (from: Stamp, to: Stamp, name = 'label', more: Partial<Conflict> = {}) =>
    conflictOf(
      [
        lost(name, {
          loser: { stamp: from, value: text('a') },
          winner: { stamp: to, value: text('b') },
        }),
      ],
      more,
    );
  const LATER = at(4, 'south');

  test.each<[string, readonly Conflict[], Stamp, boolean]>([
    ['by another conflict', [further(WON, NORTH)], NORTH, true],
    ['by two, in whatever order', [further(NORTH, LATER), further(WON, NORTH)], LATER, true],
    ['by none', [], NORTH, false],
    ['by that of another field', [further(WON, NORTH, 'ownerId')], NORTH, false],
    [
      'by that of another entity',
      [further(WON, NORTH, 'label', { entityId: 'other' })],
      NORTH,
      false,
    ],
    ['the other way round', [further(NORTH, WON)], NORTH, false],
    ['by one that has nothing to do with it', [further(LATER, NORTH)], NORTH, false],
  ])('takes what won over the winner %s for no later write: %#', async (_, recorded, now, isIt) => {
    const state = stateOf({ label: [now, 'north'] });
    const { plan } = await restore({ state, conflict: conflictOf([lost('label')]), recorded });
    expect(typeof plan).toBe(isIt ? 'object' : 'string');
  });
});

describe('restoring what was lost to a deletion', () => {
  const life = { alive: LOST, deleted: WON, survives: false };
  const dead = { alive: LOST, deleted: WON };
  const conflict = conflictOf([lost('label')], { life });

  test('makes the entity alive with it and all that the tombstone keeps', async () => {
    const nothing = { stamp: WON, value: null };
    const state = stateOf({ label: [WON, 'gone'], ownerId: [LOST, 'kept'] }, dead);
    const fields = new Map([...state.fields, ['firmware', nothing]]);
    expect(await restore({ state: { ...state, fields }, conflict })).toEqual({
      plan: { kind: 'revive', fields: ['label'] },
      calls: [
        ['put', ID, { label: 'label lost', ownerId: 'kept', firmware: null }, { kind: 'absent' }],
      ],
    });
    expect(await restore({ state: undefined, conflict })).toEqual({
      plan: { kind: 'revive', fields: ['label'] },
      calls: [['put', ID, { label: 'label lost' }, { kind: 'absent' }]],
    });
  });

  test('I19: refuses what lived again since, or was deleted for another reason, without force', async () => {
    const again = stateOf({ label: [SINCE, 'x'] }, { alive: SINCE, deleted: at(10) });
    expect((await restore({ state: again, conflict })).plan).toContain(
      'since the conflict: label, the entity as such. --force',
    );
    const forced = await restore({ state: again, conflict, isForced: true });
    expect(forced.plan).toMatchObject({ kind: 'revive' });
    const late = conflictOf([lost('label')]);
    for (const state of [stateOf({ label: [WON, 'won'] }, dead), undefined]) {
      expect((await restore({ state, conflict: late })).plan).toContain('deleted since');
      expect((await restore({ state, conflict: late, isForced: true })).plan).toMatchObject({
        kind: 'revive',
      });
    }
    // A row that never lived tells of no later life.
    const never = stateOf({}, { alive: undefined, deleted: WON });
    expect((await restore({ state: never, conflict })).plan).toMatchObject({ kind: 'revive' });
  });
});

describe('restoring a deletion that lost', () => {
  const life = { alive: WON, deleted: LOST, survives: true };
  const conflict = conflictOf([], { life });
  const none = { kind: 'none', fields: [] };

  test('deletes again what lives still, if nobody writes meanwhile', async () => {
    const state = stateOf({}, { alive: WON });
    expect(await restore({ state, conflict })).toEqual({
      plan: { kind: 'delete', fields: [] },
      calls: [['remove', ID, IF_UNCHANGED]],
    });
    expect(await restore({ state: undefined, conflict })).toEqual({ plan: none, calls: [] });
    const dead = stateOf({}, { alive: WON, deleted: SINCE });
    expect(await restore({ state: dead, conflict })).toEqual({ plan: none, calls: [] });
  });

  test('I19: refuses what was made alive since by one who knew, without force', async () => {
    const state = stateOf({}, { alive: SINCE });
    expect((await restore({ state, conflict })).plan).toContain('the entity as such');
    expect(await restore({ state, conflict, isForced: true })).toEqual({
      plan: { kind: 'delete', fields: [] },
      calls: [['remove', ID, undefined]],
    });
  });

  test('I18: takes another write to which it lost elsewhere for no later one', async () => {
    const state = stateOf({}, { alive: NORTH });
    const elsewhere = conflictOf([], { life: { ...life, alive: NORTH } });
    expect((await restore({ state, conflict, recorded: [elsewhere] })).plan).toMatchObject({
      kind: 'delete',
    });
    const unrelated = conflictOf([], { life: { ...life, alive: NORTH, deleted: at(5) } });
    const recorded = [unrelated, conflictOf([lost('label')])];
    expect((await restore({ state, conflict, recorded })).plan).toContain('the entity as such');
  });
});
