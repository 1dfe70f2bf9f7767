import { randomBytes } from 'node:crypto';
import {
  BASE_WIRE_VERSION,
  CHANGE_SET_BYTES_MAX,
  CHANGES_WITH_OUTBOX_MAX,
  DEFLATED_WIRE_VERSION,
  decodeChangeSet,
  type FieldValue,
  findEntityFault,
  formatStamp,
  MARK_WIRE_VERSION,
  PACK_WIRE_VERSION,
  rowsKind,
  type Stamp,
  type StoredRow,
  stampTimeMs,
  WIRE_VERSION,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { type GroupWrite, packGroup } from './pack-group.ts';

const FAR_AHEAD_MS = 1_000_000;

function stampAt(timeMs: number): Stamp {
  return formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w1' });
}

function put(entityId: string, label = 'x', storedAtMs?: number): GroupWrite {
  const stamp = storedAtMs === undefined ? undefined : stampAt(storedAtMs);
  const stored: StoredRow | undefined = stamp && {
    entityId,
    etag: `"${entityId}"`,
    referenceId: undefined,
    state: {
      fields: new Map(),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['east', stamp]]),
    },
  };
  const values = new Map([['label', { type: 'String', value: label } as const]]);
  const operation = stored === undefined ? 'create' : 'replace';
  const basis = { operation, stored, isRemembered: false } as const;
  const change = { entityId, write: { kind: 'put', values }, basis } as const;
  return { changes: [change], trace: undefined, request: undefined, goesAlone: false };
}

function together(...writes: readonly GroupWrite[]): GroupWrite {
  return { ...put('none'), changes: writes.flatMap(({ changes }) => changes) };
}

function pack(writes: readonly GroupWrite[], wireVersion = WIRE_VERSION) {
  return packGroup(writes, {
    kind: deviceKind,
    replica: { faultOf: (id, state) => findEntityFault(deviceKind, id, state) },
    bucket: '00',
    wireVersion,
    tick: (floor) => stampAt(floor === undefined ? 100 : stampTimeMs(floor) + 1),
    isTooFarAhead: (stamp) => stampTimeMs(stamp) >= FAR_AHEAD_MS,
  });
}

const idsOf = (writes: readonly GroupWrite[] = []): string[] =>
  writes.flatMap(({ changes }) => changes.map(({ entityId }) => entityId));

describe('a group', () => {
  test('takes all that waits, under one stamp greater than every stamp it replaces', () => {
    const { group, left } = pack([put('a', 'x', 500), put('b'), put('c', 'x', 900)]);
    expect(idsOf(group?.members)).toEqual(['a', 'b', 'c']);
    expect(group?.set.stamp).toBe(stampAt(901));
    expect(decodeChangeSet(group!.encoded)).toEqual(group?.set);
    expect(group?.operations.map(({ kind }) => kind)).toEqual(['replace', 'insert', 'replace']);
    expect(left).toEqual([]);
  });

  test('is deflated only where every region reads that', () => {
    const writes = Array.from({ length: 20 }, (_, index) => put(`id${index}`));
    const plain = pack(writes, PACK_WIRE_VERSION).group!.encoded;
    const deflated = pack(writes, DEFLATED_WIRE_VERSION).group!.encoded;
    expect(deflated.length).toBeLessThan(plain.length / 2);
    expect(decodeChangeSet(deflated)).toEqual(decodeChangeSet(plain));
    expect(new TextDecoder().decode(plain)).toContain('"wire":1');
  });

  test('leaves one row of the transaction to the outbox', () => {
    const writes = Array.from({ length: 150 }, (_, index) => put(`id${index}`));
    const { group, left } = pack(writes);
    expect(group?.members).toHaveLength(CHANGES_WITH_OUTBOX_MAX);
    expect(left).toEqual(writes.slice(CHANGES_WITH_OUTBOX_MAX));
  });

  test('holds no more than a message, and what does not fit keeps its place', () => {
    const writes = 'abcdefghij'.split('').map((id) => put(id, 'x'.repeat(30_000)));
    const { group, left } = pack(writes);
    expect(idsOf(group?.members)).toEqual('abcdefgh'.split(''));
    expect(idsOf(left)).toEqual(['i', 'j']);
    expect(group?.encoded.length).toBeLessThanOrEqual(CHANGE_SET_BYTES_MAX);
  });

  test('goes without a write that fits no message, which is told so', () => {
    const { group, refused } = pack([put('a'), put('b', 'x'.repeat(CHANGE_SET_BYTES_MAX))]);
    expect(idsOf(group?.members)).toEqual(['a']);
    expect(idsOf(refused.map(({ write }) => write))).toEqual(['b']);
    expect(refused).toMatchObject([{ error: { code: 'TABLE_LIMIT_EXCEEDED' } }]);
  });

  test('is none when nothing fits', () => {
    const { group, refused } = pack([put('b', 'x'.repeat(CHANGE_SET_BYTES_MAX))]);
    expect(group).toBeUndefined();
    expect(refused).toHaveLength(1);
  });
});

describe('a write that is to go alone', () => {
  test('one whose row is far ahead of the clock does not push the others there', () => {
    const { group, left } = pack([put('a'), put('ahead', 'x', FAR_AHEAD_MS), put('c')]);
    expect(idsOf(group?.members)).toEqual(['a', 'c']);
    expect(group?.set.stamp).toBe(stampAt(100));
    expect(idsOf(left)).toEqual(['ahead']);
    const next = pack([...left, put('d')]);
    expect(idsOf(next.group?.members)).toEqual(['ahead']);
    expect(idsOf(next.left)).toEqual(['d']);
  });

  test('one of a group that was refused as a whole has no company', () => {
    const { group, left } = pack([{ ...put('a'), goesAlone: true }, put('b')]);
    expect(idsOf(group?.members)).toEqual(['a']);
    expect(idsOf(left)).toEqual(['b']);
  });
});

describe('a write of several entities', () => {
  test('goes whole, in the order of its changes', () => {
    const { group } = pack([put('a'), together(put('b', 'x', 900), put('c')), put('d')]);
    expect(group?.set.changes.map(({ entityId }) => entityId)).toEqual(['a', 'b', 'c', 'd']);
    expect(group?.members).toHaveLength(3);
    expect(group?.set.stamp).toBe(stampAt(901));
  });

  test('waits whole when some of it does not fit', () => {
    const large = (id: string) => put(id, 'x'.repeat(30_000));
    const fill = Array.from('abcdefg', large);
    const { group, left } = pack([...fill, together(large('y'), large('z'))]);
    expect(idsOf(group?.members)).toEqual(Array.from('abcdefg'));
    expect(idsOf(left)).toEqual(['y', 'z']);
    const many = Array.from({ length: CHANGES_WITH_OUTBOX_MAX - 1 }, (_, index) =>
      put(`id${index}`),
    );
    const rest = pack([...many, together(put('y'), put('z')), put('last')]);
    expect(idsOf(rest.left)).toEqual(['y', 'z']);
    expect(rest.group?.set.changes).toHaveLength(CHANGES_WITH_OUTBOX_MAX);
  });

  test('is refused whole for one of them, and goes alone for one that is far ahead', () => {
    const bad = together(put('a'), put('b', 'x'.repeat(CHANGE_SET_BYTES_MAX)));
    const { group, refused } = pack([bad, put('c')]);
    expect(idsOf(group?.members)).toEqual(['c']);
    expect(idsOf(refused.map(({ write }) => write))).toEqual(['a', 'b']);
    const ahead = together(put('d'), put('e', 'x', FAR_AHEAD_MS));
    expect(idsOf(pack([put('c'), ahead]).left)).toEqual(['d', 'e']);
  });
});

describe('a group of an open kind', () => {
  const ID = 'aaaaaaaap!0r';
  const packOpen = (
    values: ReadonlyMap<string, FieldValue | null>,
    stored?: StoredRow,
    wireVersion = BASE_WIRE_VERSION,
  ) => {
    const operation = stored === undefined ? 'create' : 'patch';
    const basis = { operation, stored, isRemembered: false } as const;
    const write = { kind: 'merge', values } as const;
    const change = { entityId: ID, write, basis, policy: 'field' } as const;
    return packGroup(
      [{ changes: [change], trace: undefined, request: undefined, goesAlone: false }],
      {
        kind: rowsKind,
        replica: { faultOf: (id, state) => findEntityFault(rowsKind, id, state) },
        bucket: '00',
        wireVersion,
        tick: () => stampAt(1_000),
        isTooFarAhead: () => false,
      },
    );
  };

  test('refuses a row that the store would take in no form, before anything is written', () => {
    const values = new Map(
      Array.from({ length: 16 }, (_, nth) => {
        const value = new Uint8Array(randomBytes(65_530));
        return [`n${nth}`, { type: 'Binary', value }] as const;
      }),
    );
    const { group, refused } = packOpen(values);
    expect(group).toBeUndefined();
    expect(refused[0]?.error).toMatchObject({ code: 'TABLE_LIMIT_EXCEEDED' });
  });

  test('bad input: has no name with a combining mark before every region takes one, but goes by that of a peer', () => {
    const marked = new Map([['नाम', { type: 'Boolean', value: true } as const]]);
    const before = packOpen(marked, undefined, MARK_WIRE_VERSION - 1);
    expect(before.refused[0]?.error).toMatchObject({
      code: 'TABLE_LIMIT_EXCEEDED',
      message: expect.stringContaining(`"नाम" has a combining mark in its name`) as unknown,
      details: { reason: 'FIELD_RESERVED' },
    });
    expect(packOpen(marked, undefined, MARK_WIRE_VERSION).refused).toEqual([]);
    const stamp = stampAt(1);
    const fields = new Map([['नाम', { value: null, stamp }]]);
    const state = { fields, alive: stamp, deleted: undefined, vector: new Map([['east', stamp]]) };
    const stored = { entityId: ID, state, etag: 'x', referenceId: undefined };
    const other = new Map([['name', { type: 'Boolean', value: true } as const]]);
    expect(packOpen(other, stored, MARK_WIRE_VERSION - 1).refused).toEqual([]);
  });

  test('bad input: has no 253rd property, and the error names the figures', () => {
    const some = (count: number) =>
      new Map(
        Array.from({ length: count }, (_, nth) => [
          `n${nth}`,
          { type: 'Boolean', value: true } as const,
        ]),
      );
    expect(packOpen(some(252)).refused).toEqual([]);
    expect(packOpen(some(253)).refused[0]?.error.message).toMatch(
      /253 properties, the limit is 252/,
    );
  });

  test('takes the base where names that were removed pile up, also by the policy field', () => {
    const stamp = stampAt(1);
    const names = Array.from({ length: 800 }, (_, nth) => `name${nth}`);
    const fields = new Map(names.map((name) => [name, { value: null, stamp }]));
    const vector = new Map([['east', stamp]]);
    const state = { fields, alive: stamp, deleted: undefined, vector };
    const stored = { entityId: ID, etag: '"1"', referenceId: undefined, state };
    const { group } = packOpen(new Map([['a', { type: 'Boolean', value: true }]]), stored);
    expect(group?.states[0]?.base).toBe(stampAt(1_000));
    expect([...(group?.states[0]?.fields.keys() ?? [])]).toEqual(['a']);
  });
});
