import { describe, expect, test } from 'vitest';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import { publicETag, publicTimestamp } from './version-vector.ts';

const TIME_MS = Date.parse('2026-12-01T02:29:48.476Z');

function at(timeMs: number, counter: number, region = 'east', writer = 'w'): Stamp {
  return formatStamp({ timeMs, counter, region, writer });
}

describe('the public time of a row', () => {
  test.each([
    [TIME_MS, 7, '2026-12-01T02:29:48.4760007Z'],
    [TIME_MS, 7_000, '2026-12-01T02:29:48.4767Z'],
    [TIME_MS, 9_999, '2026-12-01T02:29:48.4769999Z'],
    [TIME_MS, 0xffff, '2026-12-01T02:29:48.4769999Z'],
    [Date.parse('2026-12-01T02:29:48Z'), 0, '2026-12-01T02:29:48Z'],
    [2 ** 47 - 1, 1, '6429-10-17T02:45:55.3270001Z'],
  ])('is the milliseconds and the counter: %d, %d', (timeMs, counter, text) => {
    expect(publicTimestamp(at(timeMs, counter))).toBe(text);
  });
});

describe('the ETag of a row', () => {
  const east = at(TIME_MS, 7_000);

  test('is the public time, as long as one region has written it', () => {
    const tag = `W/"datetime'2026-12-01T02%3A29%3A48.4767Z'"`;
    expect(publicETag(new Map([['east', east]]))).toBe(tag);
    const old = at(1, 0, 'old', '0');
    expect(
      publicETag(
        new Map([
          ['old', old],
          ['east', east],
        ]),
      ),
    ).toBe(tag);
  });

  test('tells what a merge changed without a newer stamp, and is the same in any order', () => {
    const [west, earlier] = [at(5, 0, 'west'), at(4, 0, 'west')];
    const tags = [
      new Map([['east', east]]),
      new Map([
        ['east', east],
        ['west', west],
      ]),
      new Map([
        ['west', west],
        ['east', east],
      ]),
      new Map([
        ['east', east],
        ['west', earlier],
      ]),
    ].map(publicETag);
    expect(tags[1]).toMatch(/^W\/"datetime'2026-12-01T02%3A29%3A48\.4767Z'~[\w-]{11}"$/);
    expect(tags[1]).toBe(tags[2]);
    expect(new Set(tags).size).toBe(3);
  });
});
