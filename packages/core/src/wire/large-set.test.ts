import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalError } from '../errors.ts';
import type { ChangeSet, Fragment } from '../model/change-set.ts';
import { formatStamp } from '../time/stamp.ts';
import {
  decodeChangeSet,
  encodeChangeSet,
  inflateChangeSet,
  plainBytesOf,
} from './change-set-bytes.ts';
import {
  decodeFragment,
  decodeStoredFragment,
  encodeFragment,
  encodeFragmentHead,
  FRAGMENTS_PER_SET_MAX,
  fragmentCountOf,
  fragmentsOf,
  joinFragments,
  LARGE_SET_DEFLATED_BYTES_MAX,
  LARGE_SET_PLAIN_BYTES_MAX,
  setKeyOf,
} from './large-set.ts';
import { readChangeSets } from './message-body.ts';

const KIB = 1_024;

function setOf(texts: readonly string[], timeMs = 1_000): ChangeSet {
  const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });
  const changes = texts.map((text, nth) => ({
    entityId: `e${nth}`,
    operation: 'create' as const,
    state: {
      fields: new Map([['name', { value: { type: 'String', value: text } as const, stamp }]]),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['east', stamp]]),
    },
  }));
  return { entityKind: 'Devices', bucket: '00', stamp, changes };
}

const random = (bytes: number): string => randomBytes((bytes / 4) * 3).toString('base64');
/** Takes 1 MiB of what hardly deflates. */
const SET = setOf(Array.from({ length: 20 }, () => random(52 * KIB)));
const ENCODED = encodeChangeSet(SET);
const FRAGMENTS = fragmentsOf({ set: SET, encoded: ENCODED });

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TerminalError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a large change set', () => {
  test('says the same once it is encoded', () => {
    expect(decodeChangeSet(ENCODED)).toEqual(SET);
    expect(plainBytesOf(ENCODED)).toBe(inflateChangeSet(ENCODED).length);
  });

  test('that deflates to less than a message holds stays in one piece, and is read in one', () => {
    const set = setOf(Array.from({ length: 20 }, () => 'x'.repeat(50_000)));
    const encoded = encodeChangeSet(set);
    expect(encoded.length).toBeLessThan(20 * KIB);
    expect([fragmentCountOf(encoded), fragmentsOf({ set, encoded })]).toEqual([1, []]);
    expect(readChangeSets(encoded)).toMatchObject([{ kind: 'set', set }]);
  });

  test('tells an older build that it is too new, whole and in fragments', () => {
    for (const body of [
      ENCODED,
      ...FRAGMENTS.map(encodeFragment),
      ...FRAGMENTS.map(encodeFragmentHead),
    ]) {
      expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({ wire: 8 });
    }
  });

  test('is cut into fragments that each fit a message, and that make it in any order', () => {
    expect(FRAGMENTS.length).toBe(fragmentCountOf(ENCODED));
    const bodies = FRAGMENTS.map(encodeFragment);
    for (const body of bodies) expect(body.length).toBeLessThan(250 * KIB);
    const received = bodies.map(decodeFragment);
    expect(joinFragments(received.toReversed())).toEqual(ENCODED);
    const stored = FRAGMENTS.map((one) =>
      decodeStoredFragment(encodeFragmentHead(one), one.deflated),
    );
    expect(joinFragments(stored)).toEqual(ENCODED);
  });

  test('is cut alike by whoever has it', () => {
    const again = fragmentsOf({ set: SET, encoded: joinFragments(FRAGMENTS) });
    expect(again.map(encodeFragment)).toEqual(FRAGMENTS.map(encodeFragment));
  });

  test('of more than all regions take is refused with the figures', () => {
    const plain = setOf(
      Array.from({ length: 99 }, () => 'x'.repeat(LARGE_SET_PLAIN_BYTES_MAX / 98)),
    );
    expect(() => encodeChangeSet(plain)).toThrow(`the limit is ${LARGE_SET_PLAIN_BYTES_MAX}`);
    const dense = setOf(Array.from({ length: 99 }, () => random(52 * KIB)));
    expect(() => encodeChangeSet(dense)).toThrow(`the limit is ${LARGE_SET_DEFLATED_BYTES_MAX}`);
    expect(codeOf(() => encodeChangeSet(dense))).toBe('TABLE_LIMIT_EXCEEDED');
  });
});

describe('fragments that came from outside', () => {
  const [first, second, ...rest] = FRAGMENTS as [Fragment, Fragment, ...Fragment[]];
  const other = fragmentsOf(
    ((set) => ({ set, encoded: encodeChangeSet(set) }))(
      setOf(Array.from({ length: 20 }, () => random(52 * KIB))),
    ),
  );

  test.each([
    ['none', []],
    ['one missing', [first, ...rest]],
    ['the last one missing', FRAGMENTS.slice(0, -1)],
    ['one twice', [first, first, second, ...rest]],
    ['one of another set', [other[0]!, second, ...rest]],
    [
      'one whose bytes are of another set',
      [{ ...first, deflated: other[0]!.deflated }, second, ...rest],
    ],
    ['two in each other’s place', [{ ...first, index: 1 }, { ...second, index: 0 }, ...rest]],
  ])('make no set: %s', (_, fragments) => {
    expect(codeOf(() => joinFragments(fragments))).toBe('FRAGMENTS_DIFFER');
  });

  test('lie apart where they say different things of their set', () => {
    const keys = [first, { ...first, count: 3 }, { ...first, bytes: 1 }, other[0]!].map(setKeyOf);
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(FRAGMENTS.map(setKeyOf)).size).toBe(1);
  });

  const changed = (change: Partial<Record<string, unknown>>): Uint8Array => {
    const json = JSON.parse(new TextDecoder().decode(encodeFragment(first)));
    return new TextEncoder().encode(JSON.stringify({ ...json, ...change }));
  };

  test.each([
    ['the place of none', { fragment: FRAGMENTS.length }],
    ['more than any set has', { of: FRAGMENTS_PER_SET_MAX + 1 }],
    ['one of one', { fragment: 0, of: 1 }],
    ['a negative place', { fragment: -1 }],
    ['more bytes than any set takes', { bytes: LARGE_SET_PLAIN_BYTES_MAX + 1 }],
    ['a larger part than any', { part: 200 * KIB }],
    ['a part that Base64 cuts', { part: 1_000 }],
    ['another part than its bytes', { part: 3_000 }],
    ['no digest', { digest: 'x' }],
    ['no stamp', { stamp: 'x' }],
    ['no kind', { entityKind: '../x' }],
    ['no bucket', { bucket: 'zz' }],
    ['no Base64', { deflated: '*' }],
    ['nothing', { deflated: '' }],
  ])('are refused when they say %s', (_, change) => {
    expect(codeOf(() => decodeFragment(changed(change)))).toBe('CHANGE_UNDECODABLE');
  });

  test('are decoded as they are, or refused by name, whatever is changed in them', () => {
    const body = encodeFragment({ ...FRAGMENTS.at(-1)!, deflated: new Uint8Array(30) });
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(body);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        expect(['none', 'CHANGE_UNDECODABLE']).toContain(codeOf(() => decodeFragment(damaged)));
        expect(['none', 'CHANGE_UNDECODABLE']).toContain(
          codeOf(() => decodeFragment(body.slice(0, at))),
        );
      }),
      { numRuns: 300 },
    );
  });
});
