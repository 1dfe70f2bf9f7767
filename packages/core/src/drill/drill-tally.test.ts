import { expect, test } from 'vitest';
import type { DrillAnswer } from '../ports/drill-client.ts';
import { formatStamp } from '../time/stamp.ts';
import { createDrillTally } from './drill-tally.ts';

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
