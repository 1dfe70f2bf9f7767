import { TerminalError, TransientError } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import type { LogFields, Logger } from '@tandem/service-kit';
import { describe, expect, test } from 'vitest';
import { retryOpening } from './prepare-region.ts';

const DOWN = new TransientError('TABLE_UNAVAILABLE', 'The table does not answer.');
const FORBIDDEN = new TerminalError('TABLE_FORBIDDEN', 'The identity has no right to the table.');
const INVALID = new TerminalError('CONFIGURATION_INVALID', 'A setting is missing.');

/** Fails with each of the failures once, then opens. */
function setUp(failures: readonly Error[]) {
  const clock = createVirtualClock(0);
  const controller = new AbortController();
  const lines: LogFields[] = [];
  const record = (fields: LogFields): void => void lines.push(fields);
  const logger: Logger = { debug: record, info: record, warn: record, error: record };
  let calls = 0;
  const opening = retryOpening(
    async () => {
      const failure = failures[calls];
      calls += 1;
      if (failure !== undefined) throw failure;
      return 'opened';
    },
    { clock, randomness: createSeededRandomness(1), logger, signal: controller.signal },
  );
  return { clock, controller, lines, opening, calls: () => calls };
}

describe('opening a region', () => {
  test('outlives a store that is down, and says that it waits', async () => {
    const { clock, lines, opening } = setUp([DOWN, DOWN]);
    await clock.advance(60_000);
    expect(await opening).toBe('opened');
    expect(lines).toMatchObject([
      { event: 'region-not-opened', attempt: 1, error: DOWN },
      { event: 'region-not-opened', attempt: 2 },
    ]);
  });

  test('waits for a right that is granted meanwhile', async () => {
    const { clock, opening } = setUp([FORBIDDEN]);
    await clock.advance(60_000);
    expect(await opening).toBe('opened');
  });

  test('never waits longer than five seconds, however long it has waited', async () => {
    const { clock, calls } = setUp(Array.from({ length: 100 }, () => DOWN));
    await clock.advance(500_000);
    expect(calls()).toBeGreaterThan(100);
  });

  test('gives up for settings that a person must mend', async () => {
    await expect(setUp([INVALID]).opening).rejects.toBe(INVALID);
  });

  test('ends without a result when it is told to stop', async () => {
    const { clock, controller, opening } = setUp([DOWN]);
    await clock.advance(1);
    controller.abort();
    expect(await opening).toBeUndefined();
  });
});
