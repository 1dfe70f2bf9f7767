import { expect, it } from 'vitest';
import { createOutageMeter } from '../run/run-demo.ts';

function play(events: readonly [atMs: number, event: 'fault' | 'acknowledged'][]): number {
  let nowMs = 0;
  const meter = createOutageMeter(() => nowMs);
  for (const [atMs, event] of events) {
    nowMs = atMs;
    if (event === 'fault') meter.begin();
    else meter.acknowledged();
  }
  return meter.longestMs();
}

it('measures the longest time without an acknowledgement from the fault on', () => {
  const outageMs = play([
    [0, 'acknowledged'],
    [900, 'acknowledged'],
    [1_000, 'fault'],
    [1_010, 'acknowledged'],
    [4_000, 'acknowledged'],
    [4_100, 'acknowledged'],
  ]);
  expect(outageMs).toBe(2_990);
});

it('measures nothing before the fault', () => {
  expect(
    play([
      [0, 'acknowledged'],
      [5_000, 'acknowledged'],
    ]),
  ).toBe(0);
});
