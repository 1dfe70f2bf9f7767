import { expect, test } from 'vitest';
import { bucketOf } from '@tandem/core';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions } from '../testing/two-regions.ts';

/** Two entities of one bucket, so that one transaction can carry both. */
function neighbours(): readonly string[] {
  const ids = Array.from({ length: 100 }, (_, index) => `device-${index}`);
  const bucket = bucketOf('device-0', MEMORY_BUCKET_COUNT);
  return ids.filter((id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucket).slice(0, 3);
}

test('I7: entities that conflict in the same two transactions are each recorded', async () => {
  const regions = await createTwoRegions(deviceKind);
  const { east, west } = regions;
  const ids = neighbours();
  for (const { table, region } of [east, west]) {
    const writes = ids.map((id) => table.put(id, { label: `${id} of ${region}` }));
    await regions.drive(Promise.all(writes));
  }
  await regions.settle();
  for (const { journal, table } of [east, west]) {
    const recorded = await journal.list(deviceKind.name, 10);
    const fields = recorded.flatMap((one) => one.fields.map((field) => [one.entityId, field]));
    expect(recorded.map(({ entityId }) => entityId).toSorted()).toEqual(ids);
    expect(new Set(recorded.map(({ stamps }) => stamps.join('~'))).size).toBeLessThan(ids.length);
    expect(fields).toHaveLength(ids.length);
    expect((await table.get(ids[0]!))?.entity.label).toContain(ids[0]);
  }
});
