import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { readEntry } from '../admin/atom.ts';
import { readBatch, readMessage } from './message-codec.ts';
import { DecodeError } from './sections.ts';

const ROUNDS = 5_000;
const CHANGES_MAX = 6;

/** The same numbers in every run (a linear congruential generator), each below the limit. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % limit;
  };
}

/** Bytes of the original with some changed, and perhaps cut off. */
function damage(original: Buffer, random: (limit: number) => number): Buffer {
  const bytes = Buffer.from(original);
  for (let change = random(CHANGES_MAX); change >= 0; change -= 1) {
    bytes.writeUInt8(random(256), random(bytes.length));
  }
  return random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}

const message = Buffer.from(
  rhea.message.encode({
    message_id: 'id',
    group_id: 'session',
    ttl: 1_000,
    message_annotations: { 'x-opt-partition-key': 'p', number: rhea.types.wrap_long(7) },
    application_properties: { text: 'text', yes: true },
    body: { nested: [1, 'two', null] },
  }),
);

describe('damaged messages', () => {
  it.each([
    ['messages', readMessage],
    ['batches', readBatch],
  ])('are read or refused as undecodable, never otherwise: %s', (_, read) => {
    const random = createRandom(20_261_122);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = damage(message, random);
      try {
        read(bytes);
      } catch (error) {
        if (!(error instanceof DecodeError))
          throw new Error(bytes.toString('hex'), { cause: error });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe('damaged Atom documents', () => {
  const entry = Buffer.from(
    '<?xml version="1.0"?><entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">' +
      '<QueueDescription><LockDuration>PT1M</LockDuration></QueueDescription></content></entry>',
  );

  it('are read or refused, never otherwise', () => {
    const random = createRandom(8);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      if (readEntry(damage(entry, random).toString('utf8')) === undefined) refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
  });
});
