import { expect, it } from 'vitest';
import { createLines } from './progress.ts';

it('writes a plain line every five seconds and at the end, not one for each customer', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const progress = createLines(
    (line) => lines.push(line),
    () => nowMs,
  );
  progress.end();
  progress.say('Starting.');
  progress.begin('Writing', 100);
  for (let value = 1; value <= 100; value += 1) {
    nowMs += 100;
    progress.update(value);
  }
  progress.end();
  progress.end();
  expect(lines).toEqual(['Starting.', 'Writing 50/100', 'Writing 100/100']);
});
