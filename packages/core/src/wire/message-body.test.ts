import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { slicesOf } from '../inbound/inbound.ts';
import {
  inflatedBytesOf,
  MESSAGE_PLAIN_BYTES_MAX,
  packChangeSets,
  readChangeSets,
} from './message-body.ts';

const KIB = 1_024;
const BATCH_BYTES_MAX = 4 * KIB * KIB;

/** A deflated set that says to take so many bytes, and does. */
function bomb(bytes: number): Uint8Array {
  const deflated = deflateSync(new Uint8Array(bytes).fill(0x20)).toString('base64');
  return new TextEncoder().encode(`{"wire":3,"bytes":${bytes},"deflated":"${deflated}"}`);
}

const reasonOf = (body: Uint8Array): string[] =>
  readChangeSets(body).map((one) => (one.kind === 'set' ? 'set' : one.error.code));

describe('A6: a message that is small and takes much once it is inflated', () => {
  const pack = packChangeSets(Array.from({ length: 100 }, () => bomb(960 * KIB)));

  test('is refused whole and by name before anything of it is inflated', () => {
    expect(pack.length).toBeLessThan(MESSAGE_PLAIN_BYTES_MAX);
    const before = process.memoryUsage().arrayBuffers;
    expect(reasonOf(pack)).toEqual(['CHANGE_TOO_LARGE']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * KIB * KIB);
    expect(inflatedBytesOf(pack)).toBe(pack.length);
  });

  test('is refused by the bytes that there are, whatever its head says', () => {
    const liar = bomb(960 * KIB);
    const text = new TextDecoder().decode(liar).replace(/"bytes":\d+/, '"bytes":100');
    expect(reasonOf(new TextEncoder().encode(text))).toEqual(['CHANGE_UNDECODABLE']);
    expect(reasonOf(bomb(257 * KIB))).toEqual(['CHANGE_TOO_LARGE']);
    expect(reasonOf(new Uint8Array(257 * KIB).fill(0x5b))).toEqual(['CHANGE_TOO_LARGE']);
  });

  test('at its bound, many of them are decoded a part at a time', () => {
    const largest = bomb(200 * KIB);
    const messages = Array.from({ length: 200 }, (_, index) => ({
      messageId: String(index),
      subject: 'change-set',
      body: largest,
      sequenceNumber: BigInt(index),
      deliveryCount: 1,
    }));
    const slices = slicesOf(messages);
    expect(slices.flat()).toEqual(messages);
    for (const slice of slices) {
      const bytes = slice.reduce((sum, { body }) => sum + inflatedBytesOf(body), 0);
      expect(bytes).toBeLessThanOrEqual(BATCH_BYTES_MAX);
    }
  });
});
