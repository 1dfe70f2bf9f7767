import { expect, test } from 'vitest';
import { bucketOf, type Conflict, formatStamp } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions } from '../testing/two-regions.ts';
import { CONFLICTS_TABLE, createTableConflictJournal } from './table-conflict-journal.ts';

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

function conflictAt(timeMs: number): Conflict {
  const [east, west] = [
    formatStamp({ timeMs, counter: 0, region: 'east', writer: 'a' }),
    formatStamp({ timeMs, counter: 0, region: 'west', writer: 'b' }),
  ];
  return {
    entityKind: deviceKind.name,
    entityId: 'device-0',
    stamps: [east, west],
    fields: [],
    life: undefined,
  };
}

test('a scan gives every conflict of a bucket, and a list the newest, over many pages', async () => {
  const store = createMemoryTableStore();
  await store.createTable(CONFLICTS_TABLE);
  const bucketCount = MEMORY_BUCKET_COUNT;
  const journal = createTableConflictJournal({ store, kinds: [deviceKind], bucketCount });
  const conflicts = Array.from({ length: 1_201 }, (_, n) => conflictAt(1_000 + n));
  await journal.record(conflicts);
  const found: Conflict[] = [];
  for await (const one of journal.scan(deviceKind.name, bucketOf('device-0', bucketCount))) {
    found.push(one);
  }
  const stampsOf = (some: readonly Conflict[]) => some.map(({ stamps }) => stamps[1]);
  expect(stampsOf(found)).toEqual(stampsOf(conflicts));
  const newest = await journal.list(deviceKind.name, 7);
  expect(stampsOf(newest)).toEqual(stampsOf(conflicts).toReversed().slice(0, 7));
});
