import { expect, test } from 'vitest';
import type { DrillAnswer } from '../ports/drill.ts';
import { formatStamp } from '../time/stamp.ts';
import { createDrillTally } from './run-drill.ts';

const stampOf = (region: string, timeMs: number) =>
  formatStamp({ timeMs, counter: 0, region, writer: '0000000a' });

function answered(region: string, count: number, stamps: readonly [string, number][]): DrillAnswer {
  const version = new Map(stamps.map(([from, timeMs]) => [from, stampOf(from, timeMs)]));
  return { kind: 'answered', region, version, count };
}

test('a read that shows less than was acknowledged is stale', () => {
  const tally = createDrillTally();
  tally.noteWrite(answered('west', 1, [['west', 10]]), 10);
  tally.noteRead(answered('east', 0, []), 20);
  expect(tally.counts()).toMatchObject({ reads: 1, stale: 1 });
});

test('a write onto less than was acknowledged is stale, though later reads show it', () => {
  const tally = createDrillTally();
  tally.noteWrite(answered('west', 1, [['west', 10]]), 10);
  tally.noteWrite(answered('east', 2, [['east', 20]]), 20);
  tally.noteRead(answered('east', 2, [['east', 20]]), 30);
  expect(tally.counts()).toMatchObject({ writes: 2, stale: 1 });
});

test('what contains all that was acknowledged is not stale', () => {
  const tally = createDrillTally();
  tally.noteWrite(answered('west', 1, [['west', 10]]), 10);
  const both: [string, number][] = [
    ['east', 20],
    ['west', 10],
  ];
  tally.noteWrite(answered('east', 2, both), 20);
  tally.noteRead(answered('west', 2, both), 30);
  expect(tally.counts()).toMatchObject({ writes: 2, reads: 1, stale: 0 });
});

test('a write whose answer was lost may show, and nothing is stale by that', () => {
  const tally = createDrillTally();
  expect([tally.nextCount(), tally.nextCount()]).toEqual([1, 2]);
  tally.noteWrite(answered('west', 1, [['west', 10]]), 10);
  tally.noteWrite({ kind: 'failed' }, 20);
  tally.noteRead(answered('west', 2, [['west', 20]]), 30);
  tally.noteRead(answered('west', 1, [['west', 10]]), 40);
  expect(tally.counts()).toEqual({ writes: 2, reads: 2, failed: 1, refused: 0, stale: 0 });
});

test('what it has seen is the join of all that it was shown, and nothing that was stale', () => {
  const tally = createDrillTally();
  expect(tally.version()).toBeUndefined();
  tally.noteRead(answered('east', 0, []), 5);
  expect(tally.version()).toBeUndefined();
  tally.noteWrite(answered('west', 1, [['west', 10]]), 10);
  tally.noteRead(answered('east', 1, [['east', 20]]), 20);
  expect(tally.version()).toEqual(
    new Map([
      ['west', stampOf('west', 10)],
      ['east', stampOf('east', 20)],
    ]),
  );
  tally.noteRead(answered('east', 0, [['east', 99]]), 30);
  expect(tally.version()?.get('east')).toBe(stampOf('east', 20));
});

test('the region is the one that answered last, since it first did; a failure is of none', () => {
  const tally = createDrillTally();
  expect([tally.region(), tally.sinceMs()]).toEqual([undefined, 0]);
  tally.noteRead(answered('east', 0, []), 10);
  tally.noteRead(answered('east', 0, []), 20);
  tally.noteWrite({ kind: 'failed' }, 25);
  expect([tally.region(), tally.sinceMs()]).toEqual(['east', 10]);
  tally.noteRead({ kind: 'refused', region: 'west' }, 30);
  expect([tally.region(), tally.sinceMs()]).toEqual(['west', 30]);
  tally.noteWrite(answered('east', 1, []), 40);
  expect([tally.region(), tally.sinceMs()]).toEqual(['east', 40]);
  expect(tally.counts()).toEqual({ writes: 2, reads: 3, failed: 1, refused: 1, stale: 0 });
});
