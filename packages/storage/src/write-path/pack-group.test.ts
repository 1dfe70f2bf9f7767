import {
  CHANGE_SET_BYTES_MAX,
  CHANGES_PER_SET_MAX,
  DEFLATED_WIRE_VERSION,
  decodeChangeSet,
  findEntityFault,
  formatStamp,
  PACK_WIRE_VERSION,
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
  return { entityId, write: { kind: 'put', values }, operation, stored, goesAlone: false };
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
  writes.map(({ entityId }) => entityId);

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
    expect(group?.members).toHaveLength(CHANGES_PER_SET_MAX);
    expect(left).toEqual(writes.slice(CHANGES_PER_SET_MAX));
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
    expect(refused).toMatchObject([
      { write: { entityId: 'b' }, error: { code: 'TABLE_LIMIT_EXCEEDED' } },
    ]);
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
