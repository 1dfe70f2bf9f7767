import { once } from 'node:events';
import { TransientError } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { superviseLoop } from './supervise.ts';
import { recordLog } from './testing/record-log.ts';

const START_MS = Date.UTC(2026, 0, 1);
const POLICY = { delayMsMin: 100, delayMsMax: 2_000 };

function setUp(round: (count: number, signal: AbortSignal) => Promise<void>) {
  const clock = createVirtualClock(START_MS);
  const controller = new AbortController();
  const { logger, lines } = recordLog();
  const startedMs: number[] = [];
  const loop = superviseLoop({
    name: 'relay',
    work: async (signal) => {
      startedMs.push(clock.nowMs() - START_MS);
      await round(startedMs.length, signal);
      await clock.sleep(1_000, signal);
    },
    clock,
    randomness: createSeededRandomness(1),
    logger,
    signal: controller.signal,
    policy: POLICY,
  });
  return { clock, controller, lines, startedMs, loop };
}

function failing(error: unknown = new Error('broken')): () => Promise<void> {
  return async () => {
    throw error;
  };
}

describe('supervised loop', () => {
  test('runs round after round until it is told to stop', async () => {
    const { clock, controller, startedMs, loop, lines } = setUp(async () => undefined);
    await clock.advance(3_500);
    expect(startedMs).toEqual([0, 1_000, 2_000, 3_000]);
    expect(loop.health()).toMatchObject({
      isRunning: true,
      lastSuccessMs: START_MS + 3_000,
      lastError: undefined,
      failureCount: 0,
    });
    controller.abort();
    await loop.stopped;
    expect(loop.health().isRunning).toBe(false);
    expect(lines).toContainEqual(expect.objectContaining({ event: 'loop-stopped', loop: 'relay' }));
  });

  test('goes on after a failure, and says so when it has recovered', async () => {
    const error = new TransientError('BUS_UNAVAILABLE', 'The bus cannot be reached.');
    const { clock, loop, lines } = setUp(async (count) => {
      if (count <= 2) throw error;
    });
    await clock.advance(0);
    expect(loop.health()).toMatchObject({
      lastError: error,
      lastFailureMs: START_MS,
      consecutiveFailureCount: 1,
      lastSuccessMs: undefined,
    });
    await clock.advance(5_000);
    expect(loop.health()).toMatchObject({
      lastError: error,
      failureCount: 2,
      consecutiveFailureCount: 0,
      lastSuccessMs: expect.any(Number),
    });
    expect(lines.map((line) => [line.level, line.event, line['failures']])).toEqual([
      ['warn', 'loop-failed', 1],
      ['warn', 'loop-failed', 2],
      ['info', 'loop-recovered', 2],
    ]);
  });

  test('waits longer the more failures follow on each other, and never longer than the limit', async () => {
    const { clock, startedMs, lines } = setUp(failing());
    await clock.advance(60_000);
    const waitsMs = startedMs.slice(1).map((ms, index) => ms - (startedMs[index] ?? 0));
    expect(waitsMs).toEqual(lines.slice(0, waitsMs.length).map((line) => line['delayMs']));
    expect(Math.max(...waitsMs)).toBeLessThanOrEqual(POLICY.delayMsMax);
    expect(Math.max(...waitsMs)).toBeGreaterThan(POLICY.delayMsMin * 4);
    expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(POLICY.delayMsMin / 2);
    expect(waitsMs[0]).toBeLessThanOrEqual(POLICY.delayMsMin);
  });

  test('a failure after a success is the first again', async () => {
    const { clock, loop, lines } = setUp(async (count) => {
      if (count % 2 === 1) throw new Error('broken');
    });
    await clock.advance(10_000);
    expect(loop.health().failureCount).toBeGreaterThan(3);
    const failed = lines.filter((line) => line.event === 'loop-failed');
    expect(new Set(failed.map((line) => line['failures']))).toEqual(new Set([1]));
  });

  test('waits as long as the service asked for, up to the limit', async () => {
    const asking = (retryAfterMs: number) =>
      new TransientError('BUS_THROTTLED', 'Too many requests.', { retryAfterMs });
    const modest = setUp(failing(asking(1_500)));
    await modest.clock.advance(1_600);
    expect(modest.startedMs).toEqual([0, 1_500]);
    const greedy = setUp(failing(asking(3_600_000)));
    await greedy.clock.advance(2_100);
    expect(greedy.startedMs).toEqual([0, 2_000]);
  });

  test('what no retry will cure is logged as an error', async () => {
    const { clock, lines } = setUp(failing());
    await clock.advance(0);
    expect(lines).toMatchObject([{ level: 'error', event: 'loop-failed' }]);
  });

  test('an abort ends the wait after a failure', async () => {
    const { clock, controller, loop } = setUp(failing());
    await clock.advance(0);
    controller.abort();
    await loop.stopped;
    expect(clock.nextWakeMs()).toBeUndefined();
  });

  test('what fails because it was told to stop is no failure', async () => {
    const { clock, controller, loop } = setUp(async (_, signal) => {
      await once(signal, 'abort');
      throw new Error('aborted');
    });
    await clock.advance(0);
    controller.abort();
    await loop.stopped;
    expect(loop.health().failureCount).toBe(0);
  });

  test('work that throws before it returns a promise does not end the loop', async () => {
    const clock = createVirtualClock(START_MS);
    const { logger, lines } = recordLog();
    const controller = new AbortController();
    const loop = superviseLoop({
      name: 'relay',
      work: () => {
        throw new Error('at once');
      },
      clock,
      randomness: createSeededRandomness(1),
      logger,
      signal: controller.signal,
      policy: POLICY,
    });
    await clock.advance(10);
    expect(lines).toMatchObject([{ event: 'loop-failed' }]);
    controller.abort();
    await loop.stopped;
  });
});
