import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGatheredLines, createLogger, GATHER_LINES_MS } from './logger.ts';

function capture() {
  const written: string[] = [];
  const destination = createGatheredLines((text) => void written.push(text));
  const logger = createLogger({ service: 's', region: 'east', level: 'info', destination });
  const events = () => written.map((text) => text.match(/(?<="event":")\w+/g));
  return { logger, events, destination };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('the lines of some milliseconds are one write, at their end', () => {
  const { logger, events } = capture();
  logger.info({ event: 'a' }, 'First.');
  logger.info({ event: 'b' }, 'Second.');
  vi.advanceTimersByTime(GATHER_LINES_MS - 1);
  expect(events()).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(events()).toEqual([['a', 'b']]);
  logger.info({ event: 'c' }, 'Third.');
  vi.advanceTimersByTime(GATHER_LINES_MS);
  expect(events()).toEqual([['a', 'b'], ['c']]);
});

test('a warning is written at once, behind the lines before it', () => {
  const { logger, events } = capture();
  logger.info({ event: 'a' }, 'First.');
  logger.child({ requestId: 'r' }).warn({ event: 'b' }, 'Second.');
  expect(events()).toEqual([['a', 'b']]);
  vi.advanceTimersByTime(GATHER_LINES_MS);
  expect(events()).toEqual([['a', 'b']]);
});

test('many lines do not wait for that', () => {
  const { logger, events } = capture();
  for (let line = 0; line < 1_000; line += 1) logger.info({ event: 'a' }, 'One of many.');
  expect(events().length).toBeGreaterThan(0);
});

test('what waits is written when the process ends', () => {
  const { logger, events, destination } = capture();
  logger.info({ event: 'a' }, 'Last.');
  destination.flush();
  expect(events()).toEqual([['a']]);
});
