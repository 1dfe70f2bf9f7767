import { describe, expect, test } from 'vitest';
import type { Clock } from '../ports/clock.ts';

export interface ClockHarness {
  readonly clock: Clock;
  /** Lets time go by until `work` is done: advances a virtual clock, merely waits for a real one. */
  readonly drive: <T>(work: Promise<T>) => Promise<T>;
  /** By how much a sleep may end early by this clock: timers of the machine round. */
  readonly earlyMsMax: number;
}

const YEAR_2020_MS = Date.UTC(2020);
const YEAR_2200_MS = Date.UTC(2200);
/** Longer than any test may take, so that only an abort can end it in time. */
const HOUR_MS = 3_600_000;
/** The longest that a timer of the machine can wait for; one more than that fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function describeClockContract(name: string, createHarness: () => ClockHarness): void {
  describe(`clock contract: ${name}`, () => {
    test('tells milliseconds since the epoch', () => {
      const nowMs = createHarness().clock.nowMs();
      expect(nowMs).toBeGreaterThan(YEAR_2020_MS);
      expect(nowMs).toBeLessThan(YEAR_2200_MS);
    });

    test('a sleep lasts as long as asked', async () => {
      const { clock, drive, earlyMsMax } = createHarness();
      const startedMs = clock.nowMs();
      await drive(clock.sleep(20));
      expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(20 - earlyMsMax);
    });

    test('sleepers wake in the order in which they are due', async () => {
      const { clock, drive } = createHarness();
      const woken: string[] = [];
      const note = (what: string) => () => void woken.push(what);
      await drive(
        Promise.all([
          clock.sleep(60).then(note('third')),
          clock.sleep(5).then(note('first')),
          clock.sleep(30).then(note('second')),
        ]),
      );
      expect(woken).toEqual(['first', 'second', 'third']);
    });

    test.each([0, -1])('a sleep of %d ms resolves', async (durationMs) => {
      const { clock, drive } = createHarness();
      await expect(drive(clock.sleep(durationMs))).resolves.toBeUndefined();
    });

    test('an abort ends a sleep at once and without an error', async () => {
      const { clock } = createHarness();
      const controller = new AbortController();
      const sleep = clock.sleep(HOUR_MS, controller.signal);
      controller.abort(new Error('enough'));
      await expect(sleep).resolves.toBeUndefined();
    });

    test('a signal aborted before lets nobody fall asleep', async () => {
      const { clock } = createHarness();
      await expect(clock.sleep(HOUR_MS, AbortSignal.abort())).resolves.toBeUndefined();
    });

    test('an abort after the sleep has ended changes nothing', async () => {
      const { clock, drive } = createHarness();
      const controller = new AbortController();
      const sleep = clock.sleep(1, controller.signal);
      await drive(sleep);
      controller.abort();
      await expect(sleep).resolves.toBeUndefined();
    });

    test('a sleep longer than a timer can count does not end at once', async () => {
      const { clock, drive } = createHarness();
      const controller = new AbortController();
      let hasEnded = false;
      const sleep = clock.sleep(TIMER_MS_MAX + 1, controller.signal).finally(() => {
        hasEnded = true;
      });
      await drive(clock.sleep(20));
      expect(hasEnded).toBe(false);
      controller.abort();
      await sleep;
    });
  });
}
