import { expect, test } from 'vitest';
import { DRILL_MS_MAX, isOutForDrill } from './drill-order.ts';

const NOW_MS = 1_000_000;

test.each([
  ['no order', undefined, false],
  ['an order that runs', { id: 'a', untilMs: NOW_MS + 1 }, true],
  ['an order that is over', { id: 'a', untilMs: NOW_MS }, false],
  ['the longest order', { id: 'a', untilMs: NOW_MS + DRILL_MS_MAX }, true],
  ['an order of a wrong clock', { id: 'a', untilMs: NOW_MS + DRILL_MS_MAX + 1 }, false],
])('%s takes a region out: %s', (_, order, expected) => {
  expect(isOutForDrill(order, NOW_MS)).toBe(expected);
});
