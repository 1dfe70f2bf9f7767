import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './queue-description.ts';

describe('durations', () => {
  it.each([
    ['PT0S', 0],
    ['PT30S', 30_000],
    ['PT1M', 60_000],
    ['PT1M30S', 90_000],
    ['P1DT2H3M4.5S', 93_784_500],
    ['P14D', 14 * 86_400_000],
    ['P10675199DT2H48M5.4775807S', Number.POSITIVE_INFINITY],
  ])('%s is %d ms, both ways', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  it.each(['', 'P', 'PT', 'P1DT', '60', 'PT1X', '-PT1S', 'P1M'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
