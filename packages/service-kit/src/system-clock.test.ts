import { getEventListeners } from 'node:events';
import { describeClockContract } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { createSystemClock } from './system-clock.ts';

describeClockContract('system', () => ({
  clock: createSystemClock(),
  drive: (work) => work,
  earlyMsMax: 2,
}));

describe('system clock', () => {
  test('a sleep that has ended leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    await createSystemClock().sleep(1, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
