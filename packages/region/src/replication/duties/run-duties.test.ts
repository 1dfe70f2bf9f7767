import { TransientError } from '@tandem/core';
import { createSeededRandomness, createVirtualClock, type VirtualClock } from '@tandem/core/memory';
import { describe, expect, onTestFinished, test } from 'vitest';
import { recordLog } from '../../testing/record-log.ts';
import { type Duty, runDuties } from './run-duties.ts';

const START_MS = Date.UTC(2026, 0, 1);

function setUp(...duties: Partial<Duty>[]) {
  return setUpOn(createVirtualClock(START_MS), duties);
}

function setUpOn(clock: VirtualClock, duties: readonly Partial<Duty>[]) {
  const controller = new AbortController();
  const { logger, lines, of } = recordLog();
  const running = runDuties({
    duties: duties.map((duty) => ({
      name: 'sweep',
      turn: async () => undefined,
      intervalMs: () => 1_000,
      firstDelayMs: 0,
      isNeededForReady: true,
      stallMs: 5_000,
      ...duty,
    })),
    clock,
    randomness: createSeededRandomness(1),
    logger,
    signal: controller.signal,
  });
  onTestFinished(() => controller.abort());
  return { clock, controller, running, lines, of };
}

describe('running the duties', () => {
  test('turns at once and then at its interval, a fifth more or less', async () => {
    const turnsMs: number[] = [];
    const clock = createVirtualClock(START_MS);
    setUpOn(clock, [{ turn: async () => void turnsMs.push(clock.nowMs() - START_MS) }]);
    await clock.advance(60_000);
    expect(turnsMs[0]).toBe(0);
    const gapsMs = turnsMs.slice(1).map((ms, index) => ms - (turnsMs[index] ?? 0));
    expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...gapsMs)).toBeLessThanOrEqual(1_200);
    expect(new Set(gapsMs).size).toBeGreaterThan(10);
  });

  test('a success counts when the turn ends, not when the next begins', async () => {
    const { clock, running } = setUp({ intervalMs: () => 3_600_000 });
    await clock.advance(10);
    expect(running.health()[0]?.lastSuccessMs).toBe(START_MS);
  });

  test('a loop that fails goes on, and holds up no other', async () => {
    let sweeps = 0;
    let beats = 0;
    const { clock, running, of } = setUp(
      {
        name: 'sweep',
        turn: async () => {
          sweeps += 1;
          throw new TransientError('TABLE_UNAVAILABLE', 'The table does not answer.');
        },
      },
      { name: 'heartbeat', turn: async () => void (beats += 1) },
    );
    await clock.advance(20_000);
    expect(sweeps).toBeGreaterThan(3);
    expect(beats).toBeGreaterThan(15);
    expect(of('loop-failed').every(({ loop }) => loop === 'sweep')).toBe(true);
    const [sweep, heartbeat] = running.health();
    expect(sweep).toMatchObject({ failureCount: sweeps, lastSuccessMs: undefined });
    expect(heartbeat).toMatchObject({ failureCount: 0 });
  });

  test('reads the interval before each turn, so that a changed setting takes effect', async () => {
    let intervalMs = 1_000;
    let turns = 0;
    const { clock } = setUp({ intervalMs: () => intervalMs, turn: async () => void (turns += 1) });
    await clock.advance(10_000);
    intervalMs = 100;
    await clock.advance(1_200);
    turns = 0;
    await clock.advance(10_000);
    expect(turns).toBeGreaterThan(80);
  });

  test('ends every loop soon after an abort, also one that waits, which begins no turn', async () => {
    let turns = 0;
    const { clock, controller, running } = setUp(
      { firstDelayMs: 3_600_000, turn: async () => void (turns += 1) },
      { name: 'heartbeat' },
    );
    await clock.advance(100);
    controller.abort();
    await running.stopped;
    expect(running.health().map(({ isRunning }) => isRunning)).toEqual([false, false]);
    expect(turns).toBe(0);
  });
});
