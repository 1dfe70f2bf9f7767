import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createShutdown, type ShutdownStep } from './shutdown.ts';
import { recordLog } from './testing/record-log.ts';

const DEADLINE_MS = 1_000;

function setUp(
  createSteps: (done: string[]) => ShutdownStep[],
  createClosing: (done: string[]) => ShutdownStep[] = () => [],
) {
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const done: string[] = [];
  const { logger, lines } = recordLog();
  const drain = createSteps(done);
  const close = createClosing(done);
  const shutdown = createShutdown({ logger, clock, deadlineMs: DEADLINE_MS, drain, close });
  return { clock, done, lines, shutdown };
}

describe('shutdown', () => {
  test('runs the steps one after the other, in order', async () => {
    const { clock, done, shutdown } = setUp((done) => [
      {
        name: 'slow',
        run: async () => {
          done.push('slow begins');
          await clock.sleep(300);
          done.push('slow ends');
        },
      },
      { name: 'quick', run: () => void done.push('quick') },
    ]);
    await expect(driveVirtualTime(clock, shutdown.run('SIGTERM'))).resolves.toBe(0);
    expect(done).toEqual(['slow begins', 'slow ends', 'quick']);
  });

  test('runs once, however often it is asked to', async () => {
    const { done, shutdown } = setUp((done) => [
      { name: 'only', run: () => void done.push('only') },
    ]);
    const codes = await Promise.all([shutdown.run('SIGTERM'), shutdown.run('SIGINT')]);
    expect(codes).toEqual([0, 0]);
    expect(done).toEqual(['only']);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('stuck'))],
    [
      'throws',
      () => {
        throw new Error('stuck');
      },
    ],
  ])('a step that %s does not keep the next from running', async (_, run) => {
    const { done, lines, shutdown } = setUp((done) => [
      { name: 'broken', run },
      { name: 'next', run: () => void done.push('next') },
    ]);
    await expect(shutdown.run('SIGTERM')).resolves.toBe(1);
    expect(done).toEqual(['next']);
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'shutdown-step-failed', step: 'broken' }),
    );
  });

  test('a step that exceeds its deadline is left behind, and may fail afterwards', async () => {
    const { clock, done, lines, shutdown } = setUp((done) => [
      {
        name: 'endless',
        run: async () => {
          await clock.sleep(10_000);
          throw new Error('too late to matter');
        },
      },
      { name: 'next', run: () => void done.push('next') },
    ]);
    await expect(driveVirtualTime(clock, shutdown.run('SIGTERM'))).resolves.toBe(1);
    expect(done).toEqual(['next']);
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'shutdown-step-late', step: 'endless' }),
    );
    expect(lines.at(-1)).toMatchObject({ event: 'shutdown-finished', failedSteps: 1 });
    await clock.advance(20_000);
  });

  test('a stop takes no longer than its deadline, however many steps hang', async () => {
    const hang = (name: string): ShutdownStep => ({
      name,
      run: () => new Promise(() => undefined),
    });
    const { clock, lines, shutdown } = setUp(
      () => ['requests', 'relay'].map(hang),
      () => ['senders', 'telemetry', 'log'].map(hang),
    );
    const startedMs = clock.nowMs();
    await driveVirtualTime(clock, shutdown.run('SIGTERM'));
    const late = lines.filter(({ event }) => event === 'shutdown-step-late');
    expect(late.map(({ step }) => step)).toEqual([
      'requests',
      'relay',
      'senders',
      'telemetry',
      'log',
    ]);
    expect(clock.nowMs() - startedMs).toBeLessThanOrEqual(DEADLINE_MS);
  });

  test('a step has the time that those before it did not need, but for a fifth to close', async () => {
    const told: number[] = [];
    const step = (name: string): ShutdownStep => ({
      name,
      run: (deadlineMs) => void told.push(deadlineMs),
    });
    const { shutdown } = setUp(
      () => ['red', 'requests', 'relay'].map(step),
      () => ['senders', 'log'].map(step),
    );
    await shutdown.run('SIGTERM');
    expect(told).toEqual([266, 400, 800, 500, 1_000]);
  });

  test('no timer is left behind', async () => {
    const { clock, shutdown } = setUp(() => [{ name: 'quick', run: () => undefined }]);
    await shutdown.run('SIGTERM');
    expect(clock.nextWakeMs()).toBeUndefined();
  });
});
