import { createVirtualClock } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createProgress, describeProgress } from './progress.ts';

test.each([
  [
    'nothing known of the end',
    { done: 500, total: undefined, passedMs: 1_000 },
    'rows 500 · 500/s',
  ],
  ['half of it done', { done: 500, total: 1_000, passedMs: 2_000 }, '250/s · 00:02 left'],
  ['the very beginning', { done: 0, total: 1_000, passedMs: 0 }, '0/s · ? left'],
  ['minutes to go', { done: 10, total: 1_510, passedMs: 1_000 }, '02:30 left'],
])('progress tells rate and time left: %s', (_, at, text) => {
  expect(describeProgress('rows', at)).toContain(text);
});

test.each([
  ['nothing', { done: 0, total: 8 }, '░'.repeat(24)],
  ['a part', { done: 3, total: 8 }, '█'.repeat(9) + '░'.repeat(15)],
  ['more than there was', { done: 9, total: 8 }, '█'.repeat(24)],
])('progress draws %s of a bar', (_, at, bar) => {
  const text = describeProgress('rows', { ...at, passedMs: 1_000 });
  expect(text.replace(/[^█░]/g, '')).toBe(bar);
  expect(text).toContain(`rows ${at.done}/8 `);
});

test('progress beyond its end has no time left', () => {
  expect(describeProgress('rows', { done: 9, total: 8, passedMs: 1_000 })).toContain('00:00 left');
});

test('progress of an empty whole has no bar', () => {
  const text = describeProgress('rows', { done: 0, total: 0, passedMs: 1_000 });
  expect(text).toBe('rows 0 · 0/s');
});

test('progress is shown now and then, anew for each work, and taken away once', async () => {
  const clock = createVirtualClock(1_000_000);
  const shown: string[] = [];
  const err = (text: string): void => void shown.push(text.replace('\r\u001B[K', '|'));
  const progress = createProgress({ err, isTerminal: true, clock });
  progress.end();
  progress.update('reading', 0);
  await clock.advance(199);
  progress.update('reading', 10);
  await clock.advance(1);
  progress.update('reading', 20);
  progress.update('writing', 5);
  await clock.advance(1_000);
  progress.update('writing', 50, 100);
  progress.end();
  progress.end();
  expect(shown.map((text) => text.replace(/ [█░]+/, ''))).toEqual([
    '|reading 0 · 0/s',
    '|reading 20 · 100/s',
    '|writing 5 · 0/s',
    '|writing 50/100 50/s · 00:01 left',
    '|',
  ]);
  const piped = createProgress({ err, isTerminal: false, clock });
  piped.update('reading', 1);
  piped.end();
  expect(shown).toHaveLength(5);
});

test('who runs a command within itself is told what a terminal would show', async () => {
  const clock = createVirtualClock(1_000_000);
  const told: string[] = [];
  const written: string[] = [];
  const progress = createProgress({
    err: (text) => void written.push(text),
    isTerminal: false,
    clock,
    onProgress: (text) => void told.push(text),
  });
  await clock.advance(1_000);
  progress.update('repaired', 3, 8);
  progress.update('repaired', 4, 8);
  progress.end();
  expect(told).toEqual([describeProgress('repaired', { done: 3, total: 8, passedMs: 0 })]);
  expect(written).toEqual([]);
});
