import { createSeededRandomness } from '@tandem/core/memory';
import { isWriterId } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { createWriterId } from './system-clock.ts';

const IDS = 10_000;

describe('writer id', () => {
  test('is ten lower-case letters and digits that fit a stamp', () => {
    const randomness = createSeededRandomness(1);
    const ids = Array.from({ length: IDS }, () => createWriterId(randomness));
    expect(ids.filter((id) => !/^[a-z0-9]{10}$/.test(id) || !isWriterId(id))).toEqual([]);
  });

  test('does not repeat', () => {
    const randomness = createSeededRandomness(2);
    const ids = new Set(Array.from({ length: IDS }, () => createWriterId(randomness)));
    expect(ids.size).toBe(IDS);
  });

  test('is filled up where the random number is small', () => {
    const uuid = (): string => '00000000-0000-4000-8000-000000000001';
    expect(createWriterId({ fraction: () => 0, uuid })).toBe('0000000001');
  });
});
