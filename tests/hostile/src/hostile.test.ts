import { expect, test } from 'vitest';
import { hasHeld, readMemoryLimitMiB, runHostile } from './run-hostile.ts';

const MESSAGES = 10_000;

test('I15: ten thousand forged messages end no process, hold up nothing and deceive nobody (I17)', async () => {
  const report = await runHostile({ messages: MESSAGES, seed: 1 });
  expect(report).toMatchObject({ invariants: 'held', processesEnded: 0 });
  expect(hasHeld(report)).toBe(true);
  // Both happened in earnest.
  expect(report.refused).toBeGreaterThan(MESSAGES / 3);
  expect(report.applied).toBeGreaterThan(MESSAGES / 20);
  expect(report.heapMiBMax).toBeLessThan(await readMemoryLimitMiB());
});
