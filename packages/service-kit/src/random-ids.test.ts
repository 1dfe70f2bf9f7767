import { expect, test } from 'vitest';
import { createRandomIds } from './system-clock.ts';

test('every id is 32 hex digits, and another one', () => {
  const next = createRandomIds();
  const ids = Array.from({ length: 1_000 }, next);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(ids).size).toBe(ids.length);
});
