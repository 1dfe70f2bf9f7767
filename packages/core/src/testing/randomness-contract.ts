import { describe, expect, test } from 'vitest';
import type { Randomness } from '../ports/randomness.ts';

const DRAWS = 10_000;
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function describeRandomnessContract(name: string, createRandomness: () => Randomness): void {
  describe(`randomness contract: ${name}`, () => {
    test('fractions are at least 0 and less than 1', () => {
      const randomness = createRandomness();
      const fractions = Array.from({ length: DRAWS }, () => randomness.fraction());
      expect(fractions.filter((one) => !(one >= 0 && one < 1))).toEqual([]);
    });

    test('every tenth of the range gets about a tenth of the fractions', () => {
      const randomness = createRandomness();
      const counts = Array.from({ length: 10 }, () => 0);
      for (let draw = 0; draw < DRAWS; draw += 1) {
        const tenth = Math.floor(randomness.fraction() * 10);
        counts[tenth] = (counts[tenth] ?? 0) + 1;
      }
      // The standard deviation is 30: a fair generator fails this once in ten billion runs.
      expect(counts.filter((count) => count < 800 || count > 1_200)).toEqual([]);
    });

    test('uuids are version 4, in lower case', () => {
      const randomness = createRandomness();
      const uuids = Array.from({ length: 100 }, () => randomness.uuid());
      expect(uuids.filter((uuid) => !UUID_V4.test(uuid))).toEqual([]);
    });

    test('uuids do not repeat', () => {
      const randomness = createRandomness();
      const uuids = new Set(Array.from({ length: DRAWS }, () => randomness.uuid()));
      expect(uuids.size).toBe(DRAWS);
    });
  });
}
