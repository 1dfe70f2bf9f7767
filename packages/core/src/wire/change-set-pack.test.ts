import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunk } from '../concurrency/bounded.ts';
import { TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { formatStamp } from '../time/stamp.ts';
import { encodeChangeSet } from './change-set-bytes.ts';
import {
  PACK_BOUNDS,
  PACK_BYTES_MAX,
  PACK_SETS_MAX,
  packChangeSets,
  packMessageId,
  readableSetsIn,
  readChangeSets,
  unpackChangeSets,
} from './message-body.ts';
import { NEWEST_WIRE_VERSION } from './versions.ts';

function setOf(n: number, entityId = `e${n}`): ChangeSet {
  const stamp = formatStamp({ timeMs: 1_000 + n, counter: 0, region: 'east', writer: 'w' });
  const state = {
    fields: new Map([['name', { value: { type: 'String', value: `ä${n}` } as const, stamp }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  return {
    entityKind: 'Devices',
    bucket: '00',
    stamp,
    changes: [{ entityId, operation: 'create', state }],
  };
}

const THREE = [1, 2, 3].map((n) => encodeChangeSet(setOf(n)));

function codeOf(body: Uint8Array): string | undefined {
  try {
    unpackChangeSets(body);
    return undefined;
  } catch (error) {
    return error instanceof TerminalError ? error.code : 'another error';
  }
}

describe('a pack of change sets', () => {
  test('gives back the very bytes of each set, in their order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 2, maxLength: PACK_SETS_MAX }),
        (sets) => {
          expect(unpackChangeSets(packChangeSets(sets)).map((set) => [...set])).toEqual(
            sets.map((set) => [...set]),
          );
        },
      ),
    );
  });

  test('is JSON that names its wire version, so that an older build sets it aside as too new', () => {
    const json = JSON.parse(new TextDecoder().decode(packChangeSets(THREE)));
    expect(json).toMatchObject({ wire: 2, sets: [{ wire: 1 }, { wire: 1 }, { wire: 1 }] });
  });

  test('what is no pack is one set as it is', () => {
    for (const body of [THREE[0]!, new Uint8Array([255, 1]), new Uint8Array()]) {
      expect(unpackChangeSets(body)).toEqual([body]);
    }
  });

  test('that is damaged anywhere in its frame is refused, and never misread', () => {
    const pack = packChangeSets(THREE);
    expect(codeOf(pack.slice(0, -1))).toBe('CHANGE_UNDECODABLE');
    expect(codeOf(new Uint8Array([...pack, 32]))).toBe('CHANGE_UNDECODABLE');
    const text = new TextDecoder().decode(pack);
    for (const [from, to] of [
      [String(THREE[0]!.length), String(THREE[0]!.length - 1)],
      ['"lengths":[', '"lengths":[1,'],
      ['"lengths":[', '"lengths":[x'],
      ['"sets"', '"set"'],
    ] as const) {
      expect(codeOf(new TextEncoder().encode(text.replace(from, to)))).toBe('CHANGE_UNDECODABLE');
    }
  });

  test('stays within its bounds whatever is packed', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 70_000 }), { maxLength: 300 }), (lengths) => {
        const entries = lengths.map((length) => ({ encoded: new Uint8Array(length) }));
        for (const pack of chunk(entries, PACK_BOUNDS)) {
          expect(pack.length).toBeLessThanOrEqual(PACK_SETS_MAX);
          if (pack.length < 2) continue;
          const body = packChangeSets(pack.map(({ encoded }) => encoded));
          expect(body.length).toBeLessThanOrEqual(PACK_BYTES_MAX);
          expect(unpackChangeSets(body)).toHaveLength(pack.length);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('has an id that is the same for the same sets, another for others, and fits', () => {
    const stamps = Array.from(
      { length: PACK_SETS_MAX },
      (_, n) => `${setOf(n).stamp}${'x'.repeat(30)}`,
    );
    const [first = ''] = stamps;
    expect(packMessageId(stamps)).toBe(packMessageId([...stamps]));
    expect(packMessageId(stamps)).not.toBe(packMessageId([first, ...stamps.slice(1).toReversed()]));
    expect(packMessageId(stamps)).not.toBe(packMessageId(stamps.slice(0, -1)));
    expect(packMessageId(stamps.map((stamp) => stamp.padEnd(80, 'x'))).length).toBeLessThan(128);
  });
});

describe('the sets in a message', () => {
  test('are read one by one: one that cannot be read takes no other with it', () => {
    const bad = new TextEncoder().encode('{"wire":1}');
    const read = readChangeSets(packChangeSets([THREE[0]!, bad, THREE[2]!]));
    expect(read.map(({ kind }) => kind)).toEqual(['set', 'unreadable', 'set']);
    expect(read[1]).toMatchObject({ error: { code: 'CHANGE_UNDECODABLE' }, encoded: bad });
    expect(readableSetsIn(packChangeSets([bad, ...THREE]))).toEqual([setOf(1), setOf(2), setOf(3)]);
  });

  test('of one that is no pack are that one', () => {
    expect(readableSetsIn(THREE[0]!)).toEqual([setOf(1)]);
    expect(readChangeSets(new Uint8Array([1]))).toMatchObject([{ kind: 'unreadable' }]);
  });

  test('of a later version in a pack are set aside as too new', () => {
    const later = new TextEncoder().encode(`{"wire":${NEWEST_WIRE_VERSION + 1}}`);
    expect(readChangeSets(packChangeSets([later, ...THREE]))[0]).toMatchObject({
      error: { code: 'CHANGE_TOO_NEW' },
    });
  });
});
