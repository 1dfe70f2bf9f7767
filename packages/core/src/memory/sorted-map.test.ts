import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSortedMap } from './memory-table-store.ts';

const key = fc.string({ maxLength: 2 });
const step = fc.record({ key, remove: fc.boolean() });

test('any sets and deletes leave the keys in order, each once', () => {
  fc.assert(
    fc.property(fc.array(step), key, (steps, from) => {
      const sorted = createSortedMap<string>();
      const plain = new Map<string, string>();
      for (const { key, remove } of steps) {
        if (remove) {
          sorted.delete(key);
          plain.delete(key);
        } else {
          sorted.set(key, `value of ${key}`);
          plain.set(key, `value of ${key}`);
        }
      }
      const expected = [...plain]
        .filter(([key]) => key >= from)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      expect([...sorted.entriesFrom(from)]).toEqual(expected);
      expect(sorted.size).toBe(plain.size);
    }),
  );
});
