import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketNames, bucketOf } from './bucket.ts';

describe('the bucket of an entity', () => {
  test('is one of the table’s, whatever the id', () => {
    const id = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(id, fc.integer({ min: 1, max: 256 }), (entityId, count) => {
        expect(bucketNames(count)).toContain(bucketOf(entityId, count));
      }),
    );
  });

  // Rows lie where these say; a change of the hash would not find them again.
  test.each([
    ['00b479c9-f61f-451a-86d2-ee8cc047c181', '0e'],
    ['5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3', '02'],
    ['ü', '07'],
    ['device-ü', '05'],
  ])('of "%s" is %s for ever', (entityId, bucket) => {
    expect(bucketOf(entityId, 16)).toBe(bucket);
  });

  test('spreads GUIDs evenly', () => {
    const ids = fc.sample(fc.uuid(), { numRuns: 16_000, seed: 1 });
    const counts = Map.groupBy(ids, (entityId) => bucketOf(entityId, 16));
    for (const own of counts.values()) expect(Math.abs(own.length - 1_000)).toBeLessThan(200);
  });
});
