import { tombstoneHorizonMs } from '@tandem/core';
import { expect, test } from 'vitest';
import { collectTombstones } from './retention/collect-tombstones.ts';
import { deviceKind } from './testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from './testing/memory-region.ts';
import { createTwoRegions } from './testing/two-regions.ts';

const AGE_MS = 3_600_000;

test('I2: what is created where a tombstone was collected owes nothing to the old life', async () => {
  const settings = { tombstoneAgeMs: AGE_MS };
  const regions = await createTwoRegions(deviceKind, { east: settings, west: settings });
  const { east, west, clock } = regions;
  await east.table.put('a', { label: 'old', restarts: 1 });
  await regions.settle();
  await west.table.patch('a', { restarts: 2 });
  await regions.settle();
  await east.table.remove('a');
  await regions.settle();
  await clock.advance(2 * AGE_MS);
  await regions.settle();

  // West keeps its tombstone a while longer: each region collects when it gets round to it.
  const horizonMs = tombstoneHorizonMs({
    driftMsMax: 60_000,
    nowMs: clock.nowMs(),
    ageMs: AGE_MS,
    passedMs: [],
  });
  const { store } = east;
  const kind = deviceKind;
  await collectTombstones({ store, kind, bucketCount: MEMORY_BUCKET_COUNT, horizonMs: horizonMs! });
  await east.table.put('a', { label: 'new' });
  await regions.settle();

  const entity = (await east.table.get('a'))?.entity;
  expect(entity).toMatchObject({ label: 'new', restarts: null });
  expect((await west.table.get('a'))?.entity).toEqual(entity);
});

test('I2, I4: what comes again of an older life does not come into the row that was made since', async () => {
  const settings = { tombstoneAgeMs: AGE_MS };
  const regions = await createTwoRegions(deviceKind, { east: settings, west: settings });
  const { east, west, clock, bus } = regions;
  await east.table.put('a', { label: 'old', restarts: 1 });
  const [created] = east.committed;
  await regions.settle();
  await west.table.remove('a');
  await regions.settle();
  await clock.advance(2 * AGE_MS);
  const horizonMs = clock.nowMs() - AGE_MS;
  for (const { store } of [east, west]) {
    const options = { store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT, horizonMs };
    expect(await collectTombstones(options)).toBe(1);
  }
  await west.table.put('a', { label: 'new' });
  await regions.settle();

  const again = { messageId: 'again', subject: 'change-set', body: created!.encoded } as const;
  await bus.publisherFor('west', 'west').publish([again]);
  await regions.settle();
  expect(bus.deadLettersOf('west')).toMatchObject([{ reason: 'CHANGE_TOO_OLD' }]);
  const [there, here] = [await east.table.get('a'), await west.table.get('a')];
  expect(here?.version).toEqual(there?.version);
  expect(here?.entity).toEqual(there?.entity);
});
