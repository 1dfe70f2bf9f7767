import { TransientError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createLogger, type Logger, type LogLevel } from './logger.ts';

function capture(level: LogLevel = 'info') {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'customer-api',
    region: 'east',
    level,
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines, parsed: () => lines.map((line): unknown => JSON.parse(line)) };
}

describe('logger', () => {
  test('writes one JSON object a line, with time, level, service, region and event', () => {
    const { logger, parsed } = capture();
    const plain: Logger = logger;
    plain.info({ event: 'started', port: 8_080 }, 'The server listens.');
    expect(parsed()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        level: 'info',
        service: 'customer-api',
        region: 'east',
        event: 'started',
        port: 8_080,
        message: 'The server listens.',
      },
    ]);
  });

  test('B4: what others wrote ends no line, and commands no terminal', () => {
    const { logger, lines, parsed } = capture();
    const path = 'a\u0085b\u2028c\u2029d\u009B31me\u007Ff\n\u001B[2J';
    // The second goes the way of lines that are looked at for secrets.
    logger.info({ event: 'asked', path }, 'It was asked.');
    logger.info({ event: 'asked', path, token: 'x' }, 'It was asked.');
    expect(lines.join('')).not.toMatch(/(?!\n)[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(lines.join('').split('\n')).toHaveLength(3);
    expect(parsed()).toMatchObject([{ path }, { path }]);
  });

  test('writes nothing below its level', () => {
    const { logger, lines } = capture('warn');
    logger.info({ event: 'started' }, 'The server listens.');
    logger.warn({ event: 'slow' }, 'The server is slow.');
    expect(lines).toHaveLength(1);
  });

  test('personal data and secrets do not reach the log, by a child either', () => {
    const { logger, lines } = capture();
    logger
      .child({ customer: { email: 'ada@example.com' } })
      .error(
        { event: 'x', error: new Error('AccountKey=hunter2 was refused') },
        'A request failed.',
      );
    expect(lines.join('')).not.toMatch(/ada@|hunter2/);
  });

  test('an error is written with its code and its causes, without what libraries attach', () => {
    const { logger, parsed, lines } = capture();
    const cause = Object.assign(new Error('connect ECONNREFUSED'), {
      code: 'ECONNREFUSED',
      request: { headers: { 'x-secret': 'hunter2' } },
    });
    const error = new TransientError('BUS_UNAVAILABLE', 'The bus cannot be reached.', {
      cause,
      details: { peer: 'west' },
    });
    logger.error({ event: 'send-failed', error }, 'Sending failed.');
    expect(parsed()).toMatchObject([
      {
        error: {
          name: 'TransientError',
          code: 'BUS_UNAVAILABLE',
          retryable: true,
          details: { peer: 'west' },
          stack: expect.stringContaining('logger.test.ts'),
          cause: { message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
        },
      },
    ]);
    expect(lines.join('')).not.toContain('hunter2');
  });

  test('causes that go round in a circle end', () => {
    const { logger, lines } = capture();
    const error = new Error('round');
    error.cause = error;
    logger.error({ event: 'x', error }, 'A request failed.');
    expect(lines).toHaveLength(1);
  });

  test('what is thrown and is no error is written too', () => {
    const { logger, parsed } = capture();
    logger.error({ event: 'x', error: 'only text' }, 'A request failed.');
    expect(parsed()).toMatchObject([{ error: { name: 'string', message: 'only text' } }]);
  });
});
