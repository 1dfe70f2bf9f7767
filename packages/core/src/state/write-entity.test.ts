import { describe, expect, test } from 'vitest';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import type { NullableFieldValue } from '../values/field-value.ts';
import { type EntityState, isAlive } from './entity-state.ts';
import { mergeStates } from './merge.ts';
import {
  type FieldValues,
  type MergePolicy,
  NULL_UNITS_MAX,
  type Write,
  writeEntity,
} from './write-entity.ts';

function at(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

function values(entries: Record<string, string | null>): FieldValues {
  return new Map(
    Object.entries(entries).map(([name, value]): [string, NullableFieldValue] => [
      name,
      value === null ? null : { type: 'String', value },
    ]),
  );
}

function write(
  stored: EntityState | undefined,
  one: Write,
  stamp: Stamp,
  policy: MergePolicy = 'field',
): EntityState {
  return writeEntity(one, { stored, stamp, policy });
}

function shown(state: EntityState): Record<string, unknown> {
  return Object.fromEntries([...state.fields].map(([name, field]) => [name, field.value?.value]));
}

const created = write(
  undefined,
  { kind: 'put', values: values({ email: 'a', phone: '1' }) },
  at(1),
);

describe('a write', () => {
  test('stamps only the fields whose value it changes', () => {
    const put = { kind: 'put', values: values({ email: 'b', phone: '1' }) } as const;
    const { fields } = write(created, put, at(2));
    expect(fields.get('email')?.stamp).toBe(at(2));
    expect(fields.get('phone')?.stamp).toBe(at(1));
  });

  test('a put sets to null what it does not name', () => {
    const replaced = write(created, { kind: 'put', values: values({ email: 'a' }) }, at(2));
    expect(replaced.fields.get('phone')).toEqual({ value: null, stamp: at(2) });
  });

  test('a patch leaves alone what it does not name', () => {
    const patched = write(created, { kind: 'patch', values: values({ phone: null }) }, at(2));
    expect(shown(patched)).toEqual({ email: 'a', phone: undefined });
  });

  test('concurrent edits of different fields both survive', () => {
    const east = write(created, { kind: 'patch', values: values({ email: 'e' }) }, at(2));
    const west = write(created, { kind: 'patch', values: values({ phone: 'w' }) }, at(3, 'west'));
    expect(shown(mergeStates(east, west))).toEqual({ email: 'e', phone: 'w' });
  });

  test('with the row policy the later of two concurrent edits wins whole', () => {
    const east = write(created, { kind: 'patch', values: values({ email: 'e' }) }, at(2), 'row');
    const west = write(
      created,
      { kind: 'patch', values: values({ phone: 'w' }) },
      at(3, 'west'),
      'row',
    );
    expect(shown(mergeStates(east, west))).toEqual({ email: 'a', phone: 'w' });
  });

  test('I4: a deletion keeps the fields and outlives every write that came before it', () => {
    const deleted = write(created, { kind: 'delete' }, at(5));
    const older = write(created, { kind: 'patch', values: values({ phone: 'w' }) }, at(3, 'west'));
    expect(isAlive(mergeStates(deleted, older))).toBe(false);
    expect(deleted.fields).toEqual(created.fields);
  });

  test('I4: a later write revives what was deleted, and no old edit shows through', () => {
    const deleted = write(created, { kind: 'delete' }, at(5));
    const revived = write(deleted, { kind: 'put', values: values({ email: 'a' }) }, at(6));
    const oldEdit = write(
      created,
      { kind: 'patch', values: values({ email: 'x' }) },
      at(4, 'west'),
    );
    const merged = mergeStates(revived, oldEdit);
    expect(isAlive(merged)).toBe(true);
    expect(shown(merged)).toEqual({ email: 'a', phone: undefined });
  });

  test('refuses a stamp that does not exceed the row', () => {
    expect(() => write(created, { kind: 'delete' }, at(1))).toThrow('Broken invariant');
  });
});

describe('a write that owns the whole entity', () => {
  function own(stored: EntityState | undefined, one: Write, stamp: Stamp): EntityState {
    return writeEntity(one, { stored, stamp, policy: 'row', mayTakeBase: true });
  }
  const patch = (entries: Record<string, string | null>): Write => ({
    kind: 'patch',
    values: values(entries),
  });

  test('I23: leaves nothing of a concurrent one that is earlier, be it a field that only that has', () => {
    const east = own(created, patch({ nickname: 'e' }), at(2));
    const west = own(created, { kind: 'put', values: values({ email: 'w' }) }, at(3, 'west'));
    const merged = mergeStates(east, west);
    expect(shown(merged)).toEqual({ email: 'w' });
    expect(merged).toEqual(mergeStates(west, east));
    expect(merged.base).toBe(at(3, 'west'));
    expect(merged.vector).toEqual(mergeStates(east, west).vector);
  });

  test('without a base a field that only the earlier one has survives, as every build knows it', () => {
    const east = write(created, patch({ nickname: 'e' }), at(2), 'row');
    const west = write(created, patch({ email: 'w' }), at(3, 'west'), 'row');
    expect(shown(mergeStates(east, west))).toEqual({ email: 'w', phone: '1', nickname: 'e' });
    expect(mergeStates(east, west).base).toBeUndefined();
  });

  test('keeps what it does not change, under its own stamp, and no null', () => {
    const patched = own(created, patch({ email: 'b', phone: null }), at(2));
    expect([...patched.fields]).toEqual([
      ['email', { value: { type: 'String', value: 'b' }, stamp: at(2) }],
    ]);
    const kept = own(
      created,
      { kind: 'put', values: values({ email: 'c' }), keeps: new Set(['phone']) },
      at(3),
    );
    expect(shown(kept)).toEqual({ email: 'c', phone: '1' });
    expect(kept.fields.get('phone')?.stamp).toBe(at(3));
  });

  test('leaves no value in a tombstone, and a new life begins with none', () => {
    const deleted = own(created, { kind: 'delete' }, at(2));
    expect(deleted).toMatchObject({ deleted: at(2), base: at(2), fields: new Map() });
    const again = own(deleted, { kind: 'put', values: values({ phone: '2' }) }, at(3));
    expect(shown(again)).toEqual({ phone: '2' });
    expect(isAlive(again)).toBe(true);
  });

  test('a forgetting leaves a null of every field, by which it is told from a deletion', () => {
    const forgotten = own(created, { kind: 'forget' }, at(2));
    expect(shown(forgotten)).toEqual({ email: undefined, phone: undefined });
    expect(forgotten.base).toBe(at(2));
  });

  test('a base stays under a write that owns no more than its fields', () => {
    const owned = own(created, patch({ email: 'b' }), at(2));
    const edited = write(owned, patch({ phone: '3' }), at(4));
    expect(edited.base).toBe(at(2));
    const late = write(created, patch({ nickname: 'old' }), at(1, 'west'));
    expect(shown(mergeStates(edited, late))).toEqual({ email: 'b', phone: '3' });
  });
});

describe('I25: the request of a write', () => {
  test.each(['field', 'row'] as const)(
    'is that of its row until the next write, which has its own or none: %s',
    (policy) => {
      const put = { kind: 'put', values: values({ email: 'b' }) } as const;
      const context = { policy, mayTakeBase: true };
      const asked = writeEntity(put, { ...context, stored: created, stamp: at(2), request: 'r' });
      expect(asked.request).toBe('r');
      for (const write of [put, { kind: 'delete' }] as const) {
        const later = { ...context, stored: asked, stamp: at(3) };
        expect(writeEntity(write, later).request).toBeUndefined();
        expect(writeEntity(write, { ...later, request: 's' }).request).toBe('s');
      }
    },
  );
});

describe('a merge', () => {
  const merge = (entries: Record<string, string | null>): Write => ({
    kind: 'merge',
    values: values(entries),
  });

  test.each(['field', 'row'] as const)(
    'is a patch of what is there, by the policy %s',
    (policy) => {
      const context = { stored: created, stamp: at(2), policy, mayTakeBase: true };
      const merged = writeEntity(merge({ email: 'b', phone: null }), context);
      const patched = writeEntity(
        { kind: 'patch', values: values({ email: 'b', phone: null }) },
        context,
      );
      expect(merged).toEqual(patched);
      expect(shown(merged)).toEqual(
        policy === 'row' ? { email: 'b' } : { email: 'b', phone: undefined },
      );
    },
  );

  test.each(['field', 'row'] as const)('makes what is not there, by the policy %s', (policy) => {
    const fresh = { stored: undefined, stamp: at(2), policy, mayTakeBase: true };
    expect(writeEntity(merge({ email: 'b' }), fresh)).toMatchObject({ alive: at(2) });
    const stored = write(created, { kind: 'delete' }, at(3));
    const again = writeEntity(merge({ phone: '2' }), { ...fresh, stored, stamp: at(4) });
    expect(isAlive(again)).toBe(true);
    // Nothing of the life before shows through.
    expect(again.fields.get('email')?.value ?? null).toBeNull();
  });
});

describe('removed names', () => {
  test('pile up to the bound, and then a write owns the whole entity', () => {
    let state = created;
    let longest = 0;
    const bases = new Set<Stamp | undefined>();
    for (let nth = 0; nth < 3_000; nth += 1) {
      const one = {
        kind: 'patch',
        values: values({ [`n${nth}`]: 'x', [`n${nth - 1}`]: null }),
      } as const;
      state = writeEntity(one, {
        stored: state,
        stamp: at(10 + nth),
        policy: 'field',
        mayTakeBase: true,
        nullUnitsMax: NULL_UNITS_MAX,
      });
      bases.add(state.base);
      longest = Math.max(longest, state.fields.size);
      const living = [...state.fields].filter(([, { value }]) => value !== null);
      expect(living.map(([name]) => name).sort()).toEqual(['email', `n${nth}`, 'phone']);
    }
    expect(longest).toBeLessThan(1_000);
    expect(bases.size).toBeGreaterThan(2);
    expect(bases.size).toBeLessThan(8);
  });

  test('stay where some region does not read a base, and where a kind declares its fields', () => {
    const gone = Object.fromEntries(Array.from({ length: 1_000 }, (_, nth) => [`n${nth}`, null]));
    const one = { kind: 'patch', values: values(gone) } as const;
    const given = { ...created, fields: new Map(created.fields) };
    for (const name of Object.keys(gone))
      given.fields.set(name, { value: { type: 'Boolean', value: true }, stamp: at(1) });
    const context = { stored: given, stamp: at(2), policy: 'field' } as const;
    expect(writeEntity(one, { ...context, mayTakeBase: true }).base).toBeUndefined();
    expect(writeEntity(one, { ...context, nullUnitsMax: 100 }).base).toBeUndefined();
    const owned = writeEntity(one, { ...context, mayTakeBase: true, nullUnitsMax: NULL_UNITS_MAX });
    expect([...owned.fields.keys()]).toEqual(['email', 'phone']);
  });
});
