import { describe, expect, it } from 'vitest';
import { drawSchedule } from './draw-schedule.ts';

const MINUTE_MS = 60_000;

function countOf(seed: number, kind: string): number {
  return drawSchedule(seed, 10 * MINUTE_MS).filter((fault) => fault.kind === kind).length;
}

describe('the schedule of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(drawSchedule(7, MINUTE_MS)).toEqual(drawSchedule(7, MINUTE_MS));
    expect(drawSchedule(7, MINUTE_MS)).not.toEqual(drawSchedule(8, MINUTE_MS));
  });

  it('leaves nothing under way when the run ends', () => {
    for (const { atMs, durationMs } of drawSchedule(7, MINUTE_MS)) {
      expect(atMs + durationMs).toBeLessThan(MINUTE_MS);
    }
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('has all kinds of faults in ten minutes, seed %i', (seed) => {
    for (const kind of ['kill', 'pause', 'freeze', 'stop-tables', 'lose-region', 'wires']) {
      expect(countOf(seed, kind), kind).toBeGreaterThan(0);
    }
    // A lost region is three kills.
    expect(countOf(seed, 'kill') + 3 * countOf(seed, 'lose-region')).toBeGreaterThanOrEqual(66);
  });
});
