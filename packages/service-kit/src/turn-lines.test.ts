import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { createTurnLines } from './turn-lines.ts';

function capture() {
  const written: string[] = [];
  const destination = createTurnLines((text) => void written.push(text));
  const logger = createLogger({ service: 's', region: 'east', level: 'info', destination });
  const events = () => written.map((text) => text.match(/(?<="event":")\w+/g));
  return { logger, events, destination };
}

test('the lines of one turn of the event loop are one write, at its end', async () => {
  const { logger, events } = capture();
  logger.info({ event: 'a' }, 'First.');
  logger.info({ event: 'b' }, 'Second.');
  expect(events()).toEqual([]);
  await nextTurn();
  expect(events()).toEqual([['a', 'b']]);
  logger.info({ event: 'c' }, 'Third.');
  await nextTurn();
  expect(events()).toEqual([['a', 'b'], ['c']]);
});

test('a warning is written at once, behind the lines before it', async () => {
  const { logger, events } = capture();
  logger.info({ event: 'a' }, 'First.');
  logger.child({ requestId: 'r' }).warn({ event: 'b' }, 'Second.');
  expect(events()).toEqual([['a', 'b']]);
  await nextTurn();
  expect(events()).toEqual([['a', 'b']]);
});

test('many lines do not wait for the end of the turn', () => {
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
