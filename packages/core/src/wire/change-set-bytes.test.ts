import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { adoptedStamp, adoptedState } from '../state/adopted-state.ts';
import { type EntityState, fieldsSince, fingerprintOf } from '../state/entity-state.ts';
import { vectorWith } from '../state/version-vector.ts';
import {
  arbitraryEntityState,
  arbitraryFieldValue,
  arbitraryStamp,
} from '../testing/arbitrary-entity-state.ts';
import { formatStamp } from '../time/stamp.ts';
import { decodeChangeSet, encodeChangeSet } from './change-set-bytes.ts';
import { MARK_WIRE_VERSION, NEWEST_WIRE_VERSION } from './versions.ts';
import { decodeWatermark, encodeWatermark } from './watermark.ts';

const changeSet: fc.Arbitrary<ChangeSet> = fc
  .record({
    stamp: arbitraryStamp,
    bucket: fc.constantFrom('00', '0f', 'ff'),
    ids: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 4 }),
    state: arbitraryEntityState,
    value: arbitraryFieldValue,
    operation: fc.constantFrom('create', 'replace', 'patch', 'delete'),
  })
  .map(({ stamp, bucket, ids, state, value, operation }) => ({
    entityKind: 'Devices',
    bucket,
    stamp,
    changes: ids.map((entityId) => ({
      entityId,
      operation,
      state: {
        ...state,
        fields: fieldsSince(state.base, new Map([...state.fields, ['any', { value, stamp }]])),
        vector: vectorWith(state.vector, stamp),
      } satisfies EntityState,
    })),
  }));

function bytesOf(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TerminalError) return error.code;
    throw error;
  }
  return 'none';
}

describe('the encoding of a change set', () => {
  const setWith = (state: Partial<EntityState>): ChangeSet => {
    const stamp = formatStamp({ timeMs: 9, counter: 0, region: 'east', writer: 'w' });
    const value = { type: 'String', value: 'x' } as const;
    const base = { alive: stamp, deleted: undefined, vector: new Map([['east', stamp]]) };
    const whole = { fields: new Map([['any', { value, stamp }]]), ...base, ...state };
    const changes = [{ entityId: 'a', operation: 'create' as const, state: whole }];
    return { entityKind: 'Devices', bucket: '00', stamp, changes };
  };
  const wireOf = (set: ChangeSet): unknown =>
    (JSON.parse(new TextDecoder().decode(encodeChangeSet(set))) as { wire: unknown }).wire;
  const STAMP = setWith({}).stamp;

  test('is of the first version where that says all, and of the fourth with a base or an open name', () => {
    const field = { value: null, stamp: STAMP };
    expect(wireOf(setWith({}))).toBe(1);
    expect(wireOf(setWith({ base: STAMP }))).toBe(4);
    for (const name of ['_vector', 'größe', '名前', '__proto__', 'n'.repeat(255)]) {
      expect(wireOf(setWith({ fields: new Map([[name, field]]) }))).toBe(4);
    }
  });

  test('is of the fifth with a hundred changes, which no older one takes', () => {
    const { changes, ...head } = setWith({});
    const setOf = (count: number): ChangeSet => ({
      ...head,
      changes: Array.from({ length: count }, (_, index) => ({
        ...changes[0]!,
        entityId: `${index}`,
      })),
    });
    expect([99, 100].map((count) => wireOf(setOf(count)))).toEqual([1, 5]);
    const full = setOf(100);
    expect(decodeChangeSet(encodeChangeSet(full))).toEqual(full);
    expect(decodeChangeSet(encodeChangeSet({ ...full, whole: true })).whole).toBe(true);
    const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(full)));
    for (const wire of [1, 4]) {
      expect(codeOf(() => decodeChangeSet(bytesOf({ ...json, wire })))).toBe('CHANGE_UNDECODABLE');
    }
    expect(codeOf(() => decodeChangeSet(encodeChangeSet(setOf(101))))).toBe('CHANGE_UNDECODABLE');
  });

  test('I24: is of the sixth with an adopted state, and no older one takes a state of another transaction', () => {
    const old = adoptedStamp('a', '1999-12-31T23:59:59.9999999Z')!;
    const value = { type: 'String', value: 'x' } as const;
    const adopted = adoptedState(old, new Map([['größe', value]]));
    const plain = setWith({});
    const set = { ...plain, changes: [{ ...plain.changes[0]!, state: adopted }] };
    expect(wireOf(set)).toBe(6);
    expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
    const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set)));
    for (const wire of [1, 4, 5]) {
      expect(codeOf(() => decodeChangeSet(bytesOf({ ...json, wire })))).toBe('CHANGE_UNDECODABLE');
    }
    const west = formatStamp({ timeMs: 1, counter: 0, region: 'west', writer: 'w' });
    const states: EntityState[] = [
      { ...adopted, deleted: old },
      { ...adopted, vector: vectorWith(adopted.vector, west) },
      { ...setWith({}).changes[0]!.state, vector: new Map([['west', west]]) },
    ];
    for (const state of states) {
      const other = { ...set, changes: [{ ...set.changes[0]!, state }] };
      expect(codeOf(() => decodeChangeSet(encodeChangeSet(other)))).toBe('CHANGE_UNDECODABLE');
    }
    // One that was written on it is of the transaction that wrote.
    const written = { ...adopted, alive: STAMP, vector: vectorWith(adopted.vector, STAMP) };
    expect(wireOf(setWith(written))).toBe(4);
  });

  test('is of the seventh where a state says which request wrote it, which means nothing in an older one', () => {
    const request = fingerprintOf(['a request']);
    const set = setWith({ base: STAMP, request });
    expect(wireOf(set)).toBe(7);
    expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
    const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set)));
    const older = decodeChangeSet(bytesOf({ ...json, wire: 6 }));
    expect(older).toEqual(setWith({ base: STAMP }));
    for (const one of ['', 'short', 1, null, `${request}x`]) {
      json.changes[0].state.request = one;
      expect(codeOf(() => decodeChangeSet(bytesOf(json)))).toBe('CHANGE_UNDECODABLE');
    }
  });

  test('keeps names of any script, and those that every object has', () => {
    const names = ['_x0', 'größe', '名前', '__proto__', 'constructor', 'toString', 'referenceId'];
    const fields = new Map(names.map((name) => [name, { value: null, stamp: STAMP }]));
    const set = setWith({ fields });
    expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
  });

  test('refuses a base that is no stamp, a field of before it, and names that no service takes', () => {
    const jsonOf = (state: object): Uint8Array => {
      const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(setWith({ base: STAMP }))));
      Object.assign(json.changes[0].state, state);
      return bytesOf(json);
    };
    const later = formatStamp({ timeMs: 10, counter: 0, region: 'east', writer: 'w' });
    expect(codeOf(() => decodeChangeSet(jsonOf({})))).toBe('none');
    for (const base of ['x', 1, null, later]) {
      expect(codeOf(() => decodeChangeSet(jsonOf({ base })))).toBe('CHANGE_UNDECODABLE');
    }
    for (const name of ['', '1a', 'a b', 'a-b', 'n'.repeat(256), '\u{1f600}']) {
      const fields = { [name]: [STAMP, null] };
      expect(codeOf(() => decodeChangeSet(jsonOf({ fields })))).toBe('CHANGE_UNDECODABLE');
    }
  });

  test('a name with a combining mark raises the wire version, and is none in an older one, as older builds have it', () => {
    for (const name of ['नाम', 'ชื่อ', 'e\u0301tat']) {
      const set = setWith({ fields: new Map([[name, { value: null, stamp: STAMP }]]) });
      const encoded = encodeChangeSet(set);
      expect(decodeChangeSet(encoded)).toEqual(set);
      const json = JSON.parse(new TextDecoder().decode(encoded));
      expect(json.wire).toBe(MARK_WIRE_VERSION);
      const older = bytesOf({ ...json, wire: MARK_WIRE_VERSION - 2 });
      expect(codeOf(() => decodeChangeSet(older))).toBe('CHANGE_UNDECODABLE');
    }
    const first = setWith({ fields: new Map([['\u0301a', { value: null, stamp: STAMP }]]) });
    expect(codeOf(() => decodeChangeSet(encodeChangeSet(first)))).toBe('CHANGE_UNDECODABLE');
  });

  test('a set of the first version has no base, whatever it says: an older build reads over it', () => {
    const set = setWith({});
    const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set)));
    json.changes[0].state.base = STAMP;
    expect(decodeChangeSet(bytesOf(json)).changes[0]?.state.base).toBeUndefined();
  });

  test('I12: every value of every Edm type reads back as it was written', () => {
    fc.assert(
      fc.property(changeSet, (set) => {
        expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
      }),
      { numRuns: 300 },
    );
  });

  test('any bytes at all are decoded or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => decodeChangeSet(bytes))).toBe('CHANGE_UNDECODABLE');
      }),
    );
  });

  test('one damaged place is refused or still decodes, never anything else', () => {
    const damaged = fc.tuple(changeSet, fc.nat(), fc.jsonValue());
    fc.assert(
      fc.property(damaged, ([set, where, junk]) => {
        const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set)));
        const paths = Object.keys(json);
        json[paths[where % paths.length] ?? ''] = junk;
        expect(['none', 'CHANGE_UNDECODABLE', 'CHANGE_TOO_NEW']).toContain(
          codeOf(() => decodeChangeSet(bytesOf(json))),
        );
      }),
    );
  });

  test('a byte order mark is none, so that the archive is read alike by everybody', () => {
    const [set] = fc.sample(changeSet, 1);
    const marked = Buffer.concat([Buffer.from('\ufeff'), encodeChangeSet(set!)]);
    expect(codeOf(() => decodeChangeSet(marked))).toBe('CHANGE_UNDECODABLE');
    const watermark = encodeWatermark({ from: 'west', timeMs: 1 });
    expect(codeOf(() => decodeWatermark(Buffer.concat([Buffer.from('\ufeff'), watermark])))).toBe(
      'CHANGE_UNDECODABLE',
    );
  });

  test('a newer wire version is refused as such', () => {
    expect(
      codeOf(() => decodeChangeSet(bytesOf({ wire: NEWEST_WIRE_VERSION + 1, what: 'ever' }))),
    ).toBe('CHANGE_TOO_NEW');
  });

  test('a state that does not contain its own stamp is refused', () => {
    const [set] = fc.sample(changeSet, 1);
    const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set as ChangeSet)));
    const forged = bytesOf({ ...json, stamp: '0fffffffffff-0000-south-w' });
    expect(codeOf(() => decodeChangeSet(forged))).toBe('CHANGE_UNDECODABLE');
  });

  test('a field name that would change a prototype is refused', () => {
    const stamp = '0199a1b2c3d4-0003-east-w';
    const text =
      `{"wire":1,"entityKind":"Devices","bucket":"00","stamp":"${stamp}","changes":[{"entityId":"a",` +
      `"operation":"create","state":{"fields":{"__proto__":["${stamp}",null]},"vector":["${stamp}"]}}]}`;
    expect(codeOf(() => decodeChangeSet(new TextEncoder().encode(text)))).toBe(
      'CHANGE_UNDECODABLE',
    );
  });
});
