import { describe, expect, test } from 'vitest';
import { spreadOf } from './spread.ts';

describe('the spread of several rounds', () => {
  test('has the middle one, or the mean of the two in the middle', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, rounds: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4, rounds: 4 });
  });

  test('claims no more digits than it has', () => {
    expect(spreadOf([1.23456, 1234.56])).toMatchObject({ min: 1.23, max: 1230 });
  });
});
