import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunk } from '../concurrency/bounded.ts';
import { TerminalError } from '../errors.ts';
import { countLike, isRoomFor, loadOf } from '../inbound/inbound.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { InboundMessage } from '../ports/change-receiver.ts';
import { formatStamp } from '../time/stamp.ts';
import {
  decodeChangeSet,
  deflateChangeSet,
  encodeChangeSet,
  inflateChangeSet,
  plainBytesOf,
} from './change-set-bytes.ts';
import { PACK_BOUNDS, PACK_BYTES_MAX, packChangeSets, readChangeSets } from './message-body.ts';

const MEBIBYTE = 1_024 * 1_024;

function setOf(count: number, text = 'Ä-'): ChangeSet {
  const stamp = formatStamp({ timeMs: 1_000, counter: 0, region: 'east', writer: 'w' });
  const changes = Array.from({ length: count }, (_, nth) => ({
    entityId: `e${nth}`,
    operation: 'create' as const,
    state: {
      fields: new Map([
        ['name', { value: { type: 'String', value: `${text}${nth}` } as const, stamp }],
      ]),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['east', stamp]]),
    },
  }));
  return { entityKind: 'Devices', bucket: '00', stamp, changes };
}

const PLAIN = encodeChangeSet(setOf(20));
const DEFLATED = deflateChangeSet(PLAIN);

function codeOf(encoded: Uint8Array): string {
  try {
    decodeChangeSet(encoded);
    return 'none';
  } catch (error) {
    if (error instanceof TerminalError) return error.code;
    throw error;
  }
}

function deflatedAs(bytes: number, plain: Uint8Array): Uint8Array {
  const text = deflateSync(plain).toString('base64');
  return Buffer.from(`{"wire":3,"bytes":${bytes},"deflated":"${text}"}`);
}

describe('a deflated change set', () => {
  test('I12: reads as the set that it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.string(), (count, text) => {
        const set = setOf(count, text);
        const encoded = deflateChangeSet(encodeChangeSet(set));
        expect(decodeChangeSet(encoded)).toEqual(set);
        expect(inflateChangeSet(encoded)).toEqual(encodeChangeSet(set));
        expect(plainBytesOf(encoded)).toBe(encodeChangeSet(set).length);
      }),
    );
  });

  test('takes a small part of the bytes, and never more than the plain one', () => {
    expect(DEFLATED.length).toBeLessThan(PLAIN.length / 4);
    const small = Buffer.from('{"wire":1}');
    expect(deflateChangeSet(small)).toBe(small);
  });

  test('is JSON that names its wire version, so that an older build sets it aside as too new', () => {
    expect(JSON.parse(new TextDecoder().decode(DEFLATED))).toMatchObject({
      wire: 3,
      bytes: PLAIN.length,
    });
  });

  test('with one damaged byte is refused, or still the same', () => {
    fc.assert(
      fc.property(fc.nat(DEFLATED.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(DEFLATED);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        const code = codeOf(damaged);
        const outcome = code === 'none' ? decodeChangeSet(damaged) : code;
        expect([
          setOf(20),
          'CHANGE_UNDECODABLE',
          'CHANGE_TOO_NEW',
          'CHANGE_TOO_LARGE',
        ]).toContainEqual(outcome);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['fewer bytes than it says', deflatedAs(PLAIN.length + 1, PLAIN)],
    ['more bytes than it says', deflatedAs(PLAIN.length - 1, PLAIN)],
    ['a small head before a large body', deflatedAs(100, new Uint8Array(64 * MEBIBYTE))],
    ['nothing after its head', Buffer.from('{"wire":3,"bytes":10,"deflated":"')],
    ['another head', Buffer.from('{"wire":3,"what":"ever"}')],
  ])('that has %s is refused', (_, encoded) => {
    expect(codeOf(encoded)).toBe('CHANGE_UNDECODABLE');
  });

  test('that says to take more bytes than any set does is refused by that name', () => {
    const large = deflatedAs(2 * MEBIBYTE, new Uint8Array(2 * MEBIBYTE));
    expect(codeOf(large)).toBe('CHANGE_TOO_LARGE');
  });

  test('I10: that is damaged takes none of its pack with it', () => {
    const pack = packChangeSets([DEFLATED, deflatedAs(1, PLAIN), PLAIN]);
    expect(readChangeSets(pack).map(({ kind }) => kind)).toEqual(['set', 'unreadable', 'set']);
  });
});

describe('what deflated change sets take once they are inflated', () => {
  const large = deflateChangeSet(encodeChangeSet(setOf(99, 'x'.repeat(1_000))));
  const plainBytes = plainBytesOf(large);
  const message = (body: Uint8Array): InboundMessage => ({
    messageId: 'm',
    subject: 'change-set',
    body,
    sequenceNumber: 1n,
    deliveryCount: 1,
  });

  test('bounds a pack', () => {
    const packs = chunk(
      Array.from({ length: 50 }, () => ({ encoded: large })),
      PACK_BOUNDS,
    );
    for (const pack of packs) {
      expect(pack.length * plainBytes).toBeLessThanOrEqual(2 * PACK_BYTES_MAX);
    }
  });

  test('bounds what is held at once, and how many are received', () => {
    const load = loadOf([message(packChangeSets([large, large, PLAIN]))]);
    expect(load).toEqual({ count: 1, bytes: 2 * plainBytes + PLAIN.length });
    const held = Array.from({ length: Math.ceil((16 * MEBIBYTE) / load.bytes) }, () => load);
    expect(isRoomFor(20, held)).toBe(false);
    expect(isRoomFor(20, held.slice(1))).toBe(true);
    expect(countLike(load)).toBe(Math.max(20, Math.floor((4 * MEBIBYTE) / load.bytes)));
  });

  test('is what it has where it is no pack and no set', () => {
    const damaged = Buffer.from('{"wire":2,"lengths":[');
    expect(loadOf([message(damaged), message(PLAIN)])).toEqual({
      count: 2,
      bytes: damaged.length + PLAIN.length,
    });
  });
});
