import {
  bucketOf,
  type FillPhase,
  type FillReport,
  fillRegion,
  type TableStore,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { encodeRowKey } from '../rows/row-key.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import {
  createTestDigest,
  emptyTable,
  expectReplayable,
  MEMORY_TOMBSTONE_AGE_MS,
  purgeQueue,
  recoveryRegionsOf,
  verifyTwo,
} from '../testing/recovery-regions.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

interface FillHooks {
  readonly onPhase?: (phase: FillPhase) => void;
  readonly signal?: AbortSignal;
}

function fillWest(regions: Regions, { onPhase, signal }: FillHooks = {}): Promise<FillReport> {
  const [east, west] = recoveryRegionsOf(regions, deviceKind);
  return regions.drive(
    fillRegion({
      target: west,
      sources: [east],
      clock: regions.clock,
      createDigest: createTestDigest,
      tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS,
      recheckCountMax: 1,
      recheckDelayMs: 10,
      onProgress: ({ phase }) => onPhase?.(phase),
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

async function createHistory(): Promise<Regions> {
  const regions = await createTwoRegions(deviceKind);
  const { east, west } = regions;
  for (let n = 0; n < 40; n += 1) {
    await (n % 2 === 0 ? east : west).table.put(`d${n}`, { label: `first ${n}`, restarts: n });
  }
  await regions.settle();
  for (let n = 0; n < 40; n += 3) await east.table.patch(`d${n}`, { label: `east ${n}` });
  for (let n = 0; n < 40; n += 4) await west.table.patch(`d${n}`, { label: `west ${n}` });
  await east.table.remove('d5');
  await regions.settle();
  return regions;
}

async function deleteRow(store: TableStore, id: string): Promise<void> {
  const operations = [{ kind: 'delete' as const, rowKey: encodeRowKey(id) }];
  const partitionKey = bucketOf(id, MEMORY_BUCKET_COUNT);
  await store.commit({ table: deviceKind.name, partitionKey, operations });
}

const TABLES = [deviceKind.name, ARCHIVE_TABLE, CONFLICTS_TABLE];

describe('filling a region', () => {
  test('I2, I5: gives an emptied region rows, archive and conflicts of the others', async () => {
    const regions = await createHistory();
    const conflicts = await regions.west.journal.list(deviceKind.name, 100);
    expect(conflicts.length).toBeGreaterThan(0);
    for (const table of TABLES) await emptyTable(regions.west.store, table);

    const report = await fillWest(regions);
    expect(report.proof.isEqual).toBe(true);
    expect(report.rowsWritten).toBe(40);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    expect(await regions.west.journal.list(deviceKind.name, 100)).toEqual(conflicts);
    await expectReplayable(regions.west, deviceKind);
    expect(await fillWest(regions)).toMatchObject({ rowsWritten: 0, archiveRowsCopied: 0 });
  });

  test('I1: takes what only the lost region’s archive still holds, and gives it to the others', async () => {
    const regions = await createHistory();
    await regions.west.table.put('only', { label: 'archived in west, sent nowhere' });
    await regions.west.archive.append(regions.west.committed.slice(-1));
    await purgeQueue(regions, 'east');
    await emptyTable(regions.west.store, deviceKind.name);

    expect((await fillWest(regions)).proof.isEqual).toBe(true);
    expect(await regions.east.table.get('only')).toBeDefined();
    expect(await regions.west.table.get('only')).toBeDefined();
    await expectReplayable(regions.east, deviceKind);
    await expectReplayable(regions.west, deviceKind);
  });

  test('keeps states whose change sets no archive holds any more, so that a replay gives them', async () => {
    const regions = await createHistory();
    for (const table of TABLES) await emptyTable(regions.west.store, table);
    await emptyTable(regions.east.store, ARCHIVE_TABLE);

    expect((await fillWest(regions)).proof.isEqual).toBe(true);
    await expectReplayable(regions.west, deviceKind);
  });

  test('is equal in the end although others write and it receives meanwhile', async () => {
    const regions = await createHistory();
    for (const table of TABLES) await emptyTable(regions.west.store, table);
    const writes: Promise<unknown>[] = [];
    const seen = new Set<FillPhase>();
    const onPhase = (phase: FillPhase): void => {
      if (seen.has(phase)) return;
      seen.add(phase);
      writes.push(regions.east.table.patch('d2', { label: phase }));
      writes.push(regions.east.table.put(`new-${phase}`, { label: phase }));
      writes.push(regions.west.replicator.receiveOnce(new AbortController().signal));
    };
    await fillWest(regions, { onPhase });
    await regions.drive(Promise.all(writes));
    await regions.settle();
    expect(seen.size).toBeGreaterThanOrEqual(4);
    expect(await verifyTwo(regions, deviceKind)).toMatchObject({ isEqual: true });
    await expectReplayable(regions.west, deviceKind);
  });

  test('I4: revives nothing that was deleted so long ago that its tombstone is gone', async () => {
    const regions = await createHistory();
    const id = 'gone';
    await regions.east.table.put(id, { label: 'deleted while west was away' });
    await regions.settle();
    // East deleted it and collected the tombstone, and nothing of that is left in any archive.
    await deleteRow(regions.east.store, id);
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);

    const report = await fillWest(regions);
    expect(await regions.east.table.get(id)).toBeUndefined();
    expect(report.doubtful).toMatchObject([{ entityId: id }]);
    expect(report.proof).toMatchObject({ isEqual: false, differentCount: 1 });
  });

  test('goes on where it was interrupted', async () => {
    const regions = await createHistory();
    for (const table of TABLES) await emptyTable(regions.west.store, table);
    for (const last of ['archive', 'rows', 'replay', 'conflicts'] as const) {
      const stop = new AbortController();
      const onPhase = (phase: FillPhase): void => {
        if (phase === last) stop.abort();
      };
      await fillWest(regions, { onPhase, signal: stop.signal }).catch(() => undefined);
    }
    expect((await fillWest(regions)).proof.isEqual).toBe(true);
    await expectReplayable(regions.west, deviceKind);
  });

  test('goes round a damaged archive row, names it, and loses no state for it', async () => {
    const regions = await createHistory();
    for (const table of TABLES) await emptyTable(regions.west.store, table);
    const { rows } = await regions.east.store.query({
      table: ARCHIVE_TABLE,
      partitions: { from: '!', before: '~~' },
      limit: 1,
    });
    const { partitionKey = '', rowKey = '' } = rows[0] ?? {};
    const properties = new Map([['origin', { type: 'String' as const, value: 'east' }]]);
    const operations = [{ kind: 'upsert' as const, rowKey, properties }];
    await regions.east.store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });

    const report = await fillWest(regions);
    expect(report.damagedArchiveRows).toMatchObject([{ region: 'east', rowKey }]);
    expect(report.proof.isEqual).toBe(true);
    await expectReplayable(regions.west, deviceKind);
  });
});
