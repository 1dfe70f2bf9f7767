import { TransientError } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import type { LogFields, Logger } from '@tandem/service-kit';
import { describe, expect, test } from 'vitest';
import { createQuietLogger } from './quiet-logger.ts';

const WINDOW_MS = 60_000;

function setUp() {
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const lines: LogFields[] = [];
  const record = (fields: LogFields): void => void lines.push(fields);
  const inner: Logger = { debug: record, info: record, warn: record, error: record };
  const logger = createQuietLogger({
    logger: inner,
    clock,
    windowMs: WINDOW_MS,
    linesPerEventMax: 3,
  });
  return { clock, lines, logger };
}

const failure = (attempt: number): LogFields => ({
  event: 'loop-failed',
  loop: 'sweep',
  attempt,
  error: new TransientError('TABLE_UNAVAILABLE', `Try ${attempt} failed.`),
});

describe('quiet logger', () => {
  test('says once what repeats, and later how often it was held back', async () => {
    const { clock, lines, logger } = setUp();
    for (let attempt = 1; attempt <= 5; attempt += 1) logger.warn(failure(attempt), 'It failed.');
    expect(lines).toHaveLength(1);
    await clock.advance(WINDOW_MS);
    logger.warn(failure(6), 'It failed.');
    expect(lines[1]).toMatchObject({ attempt: 6, heldBack: 4 });
  });

  test('tells apart what differs in more than its count', () => {
    const { lines, logger } = setUp();
    logger.warn(failure(1), 'It failed.');
    logger.warn({ ...failure(2), loop: 'receive' }, 'It failed.');
    logger.warn({ ...failure(3), error: new Error('something else') }, 'It failed.');
    expect(lines).toHaveLength(3);
  });

  test('lets no event fill the log, however its lines differ', async () => {
    const { clock, lines, logger } = setUp();
    for (let id = 0; id < 10; id += 1) {
      logger.info({ event: 'conflict-recorded', entityId: String(id) }, 'A conflict.');
    }
    logger.info({ event: 'peer-up', peer: 'west' }, 'A peer is back.');
    expect(lines.map(({ event }) => event)).toEqual([
      'conflict-recorded',
      'conflict-recorded',
      'conflict-recorded',
      'peer-up',
    ]);
    await clock.advance(WINDOW_MS);
    logger.info({ event: 'conflict-recorded', entityId: '11' }, 'A conflict.');
    expect(lines.at(-1)).toMatchObject({ entityId: '11', heldBack: 7 });
  });
});
