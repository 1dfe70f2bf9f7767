import { applyRepair, bucketOf, planRepair, repairJournals, type VerifyReport } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import {
  emptyTable,
  expectReplayable,
  MEMORY_TOMBSTONE_AGE_MS,
  purgeQueue,
  recoveryRegionsOf,
  verifyTwo,
} from '../testing/recovery-regions.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

async function planFor(regions: Regions, report: VerifyReport) {
  const nowMs = regions.clock.nowMs();
  return planRepair(report, { nowMs, tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS });
}

async function repair(regions: Regions): Promise<ReadonlyMap<string, number>> {
  const report = await verifyTwo(regions, deviceKind);
  const { repairs } = await planFor(regions, report);
  return regions.drive(applyRepair({ regions: recoveryRegionsOf(regions, deviceKind), repairs }));
}

describe('verify', () => {
  test('proves equal regions equal, bucket by bucket, and says as of when', async () => {
    const regions = await createTwoRegions(deviceKind);
    for (let n = 0; n < 20; n += 1) await regions.east.table.put(`e${n}`, { restarts: n });
    await regions.west.table.put('w', { label: 'west' });
    await regions.settle();
    await regions.east.table.remove('e3');
    await regions.settle();

    const nowMs = regions.clock.nowMs();
    const report = await verifyTwo(regions, deviceKind);
    expect(report).toMatchObject({ isEqual: true, asOfMs: nowMs, differentCount: 0 });
    expect(report.buckets).toHaveLength(MEMORY_BUCKET_COUNT);
    for (const { digests } of report.buckets) expect(digests.get('east')).toBe(digests.get('west'));
    const rows = report.buckets.reduce((sum, one) => sum + (one.rows.get('west') ?? 0), 0);
    expect(rows).toBe(21);
  });

  test('drills down to the keys and the fields that differ', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one', restarts: 1 });
    await regions.east.table.put('b', { label: 'two' });
    await regions.settle();
    await regions.east.table.patch('a', { restarts: 2 });
    await purgeQueue(regions, 'west');

    const report = await verifyTwo(regions, deviceKind);
    expect(report).toMatchObject({ isEqual: false, differentCount: 1 });
    const bucket = bucketOf('a', MEMORY_BUCKET_COUNT);
    expect(report.differences).toMatchObject([{ bucket, entityId: 'a' }]);
    const fields = report.differences[0]?.fields ?? [];
    expect(fields.map(({ name }) => name)).toEqual(['restarts']);
    expect(fields[0]?.values['east']?.value).toEqual(['Int32', 2]);
    expect(fields[0]?.values['west']?.value).toEqual(['Int32', 1]);
  });

  test('counts a write that arrives while it reads as settled, not as a difference', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one' });
    await regions.settle();
    await regions.east.table.put('late', { label: 'late' });
    const receiving = regions.clock
      .sleep(50)
      .then(() => regions.west.replicator.receiveOnce(new AbortController().signal));
    const report = await verifyTwo(regions, deviceKind);
    await regions.drive(receiving);
    expect(report).toMatchObject({ isEqual: true, settledCount: 1 });
  });

  test('does not call a collected tombstone a difference, and a young one it does', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('old', { label: 'old' });
    await regions.settle();
    await regions.east.table.remove('old');
    await regions.settle();
    await emptyTable(regions.west.store, deviceKind.name);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: false });
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
  });

  test('names a row that nobody can read, and goes on', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one' });
    await regions.settle();
    const partitionKey = bucketOf('a', MEMORY_BUCKET_COUNT);
    const properties = new Map([['_vector', { type: 'String' as const, value: 'nonsense' }]]);
    await regions.west.store.commit({
      table: deviceKind.name,
      partitionKey,
      operations: [{ kind: 'upsert', rowKey: 'a', properties }],
    });
    const report = await verifyTwo(regions, deviceKind);
    expect(report.isEqual).toBe(false);
    expect(report.damaged).toMatchObject([{ region: 'west', rowKey: 'a' }]);
  });

  test('proves nothing of a row that is damaged between the scan and the second look', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one' });
    await regions.settle();
    await regions.east.table.put('a', { label: 'late' });
    const partitionKey = bucketOf('a', MEMORY_BUCKET_COUNT);
    const properties = new Map([['_vector', { type: 'String' as const, value: 'nonsense' }]]);
    const damaging = regions.clock.sleep(50).then(() =>
      regions.west.store.commit({
        table: deviceKind.name,
        partitionKey,
        operations: [{ kind: 'upsert', rowKey: 'a', properties }],
      }),
    );
    const report = await verifyTwo(regions, deviceKind);
    await regions.drive(damaging);
    expect(report).toMatchObject({ isEqual: false, differentCount: 0 });
    expect(report.damaged).toMatchObject([{ region: 'west', rowKey: 'a' }]);
  });
});

describe('repair', () => {
  test('I2: makes regions equal after a purged queue, and the archive whole', async () => {
    const regions = await createTwoRegions(deviceKind);
    for (let n = 0; n < 30; n += 1) await regions.east.table.put(`e${n}`, { restarts: n });
    await regions.settle();
    for (let n = 0; n < 30; n += 3) await regions.east.table.patch(`e${n}`, { label: 'lost' });
    await regions.east.table.remove('e1');
    await regions.east.table.put('new', { label: 'never seen in west' });
    await purgeQueue(regions, 'west');
    await regions.settle();

    expect(await repair(regions)).toEqual(new Map([['west', 12]]));
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    expect(await repair(regions)).toEqual(new Map());
    await expectReplayable(regions.west, deviceKind);
  });

  test('overwrites nothing newer: what both changed is joined, and the conflict recorded', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'base', restarts: 0 });
    await regions.settle();
    await regions.east.table.patch('a', { label: 'east' });
    await purgeQueue(regions, 'west');
    await regions.west.table.patch('a', { restarts: 7 });

    await repair(regions);
    await regions.settle();
    for (const region of [regions.east, regions.west]) {
      expect((await region.table.get('a'))?.entity).toMatchObject({ label: 'east', restarts: 7 });
    }
    expect(await regions.west.journal.list(deviceKind.name, 10)).toHaveLength(1);
    await expectReplayable(regions.east, deviceKind);
    await expectReplayable(regions.west, deviceKind);
  });

  test('I18: joins journals of which one lost rows and one cannot read one, however long the ids', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west } = regions;
    const ids = ['a', 'b', `long ${'é'.repeat(60)}`, 'c'.repeat(200)];
    for (const id of ids) await east.table.put(id, { label: 'base' });
    await regions.settle();
    for (const label of ['east', 'again']) {
      for (const id of ids) await east.table.patch(id, { label });
    }
    for (const id of ids) await west.table.patch(id, { label: 'west' });
    await regions.settle();
    const recorded = async ({ journal }: typeof east) =>
      (await journal.list(deviceKind.name, 100)).map(({ entityId }) => entityId).toSorted();
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    const before = await recorded(east);
    expect(new Set(before)).toEqual(new Set(ids));
    const partitions = { from: deviceKind.name, before: `${deviceKind.name}~` };
    const { rows } = await west.store.query({ table: CONFLICTS_TABLE, partitions, limit: 100 });
    for (const [nth, { partitionKey, rowKey, properties }] of rows.entries()) {
      const payload0 = { type: 'Binary' as const, value: Buffer.from('torn') };
      const torn = {
        kind: 'upsert' as const,
        properties: new Map([...properties, ['payload0', payload0]]),
      };
      const operations = [nth === 0 ? { ...torn, rowKey } : { kind: 'delete' as const, rowKey }];
      await west.store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
    }
    const report = await verifyTwo(regions, deviceKind);
    expect(report).toMatchObject({
      isEqual: false,
      differentCount: 0,
      journals: { differentCount: rows.length },
    });
    const { conflicts } = await planFor(regions, report);
    const both = recoveryRegionsOf(regions, deviceKind);
    const written = await repairJournals({ regions: both, conflicts });
    expect(Object.fromEntries(written)).toEqual({ west: rows.length });
    expect(await recorded(west)).toEqual(before);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    // What nobody could read is kept beside it.
    const after = await west.store.query({ table: CONFLICTS_TABLE, partitions, limit: 100 });
    expect(after.rows.filter(({ rowKey }) => rowKey.startsWith('!'))).toHaveLength(1);
  });

  test('leaves alone what may have been deleted so long ago that its tombstone is gone', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one' });
    await regions.settle();
    await emptyTable(regions.west.store, deviceKind.name);
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    const report = await verifyTwo(regions, deviceKind);
    const plan = await planFor(regions, report);
    expect(plan.repairs).toEqual([]);
    expect(plan.doubtful).toMatchObject([{ entityId: 'a' }]);
  });

  test('two operators at once end in the same rows', async () => {
    const regions = await createTwoRegions(deviceKind);
    for (let n = 0; n < 20; n += 1) await regions.east.table.put(`e${n}`, { restarts: n });
    await purgeQueue(regions, 'west');
    const report = await verifyTwo(regions, deviceKind);
    const { repairs } = await planFor(regions, report);
    const run = () => applyRepair({ regions: recoveryRegionsOf(regions, deviceKind), repairs });
    await regions.drive(Promise.all([run(), run()]));
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
  });
});
