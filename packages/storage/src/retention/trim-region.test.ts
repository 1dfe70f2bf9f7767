import { fillRegion, type RecoveryRegion } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { foldArchive, stateText } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, type MemoryRegion } from '../testing/memory-region.ts';
import {
  createTestDigest,
  emptyTable,
  MEMORY_TOMBSTONE_AGE_MS,
  recoveryRegionOf,
} from '../testing/recovery-regions.ts';
import {
  describeRetention,
  describeTableRetention,
  RETENTION,
  trimAll,
} from '../testing/retention-contract.ts';
import { createMemoryRegions, type MemoryRegions } from '../testing/two-regions.ts';
import { HORIZON_PARTITION } from './horizon-rows.ts';
import type { TrimRegionOptions } from './trim-region.ts';

describeRetention('memory', async () => createMemoryTableStore());
describeTableRetention('memory', async () => createMemoryTableStore());

const DAY_MS = 86_400_000;
const KIND = deviceKind.name;
const NAMES = ['east', 'west', 'north'];

type Region = MemoryRegion<typeof deviceKind>;
type Regions = MemoryRegions<typeof deviceKind>;

async function setUp(): Promise<Regions> {
  return createMemoryRegions(deviceKind, { east: {}, west: {}, north: {} });
}

function trim(
  { drive, clock }: Regions,
  { region, store, status }: Region,
  more: Partial<TrimRegionOptions> = {},
) {
  return drive(
    trimAll({
      store,
      kinds: [deviceKind],
      bucketCountOf: () => MEMORY_BUCKET_COUNT,
      clock,
      status,
      peers: NAMES.filter((name) => name !== region),
      settings: RETENTION,
      ...more,
    }),
  );
}

/** A year of work in little: each device is written again and again, in every region. */
async function work(regions: Regions, days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) {
    for (const { table, region } of regions.regions) {
      await regions.drive(table.put('shared', { label: `${region} ${day}` }));
      await regions.drive(table.put(`of-${region}`, { label: String(day) }));
    }
    await regions.settle();
    await regions.clock.advance(DAY_MS);
  }
  // Each region hears what the others have applied.
  for (let round = 0; round < 3; round += 1) await regions.settle();
}

function recoveryOf(region: Region): RecoveryRegion {
  return recoveryRegionOf(region, deviceKind, NAMES);
}

/** The change sets that were committed; what recoveries record beside them is left out. */
async function archived(region: Region): Promise<readonly string[]> {
  const { archive, buckets } = recoveryOf(region);
  const keys: string[] = [];
  for (const bucket of buckets) {
    for await (const row of archive.scan({ entityKind: KIND, bucket })) {
      if (!row.rowKey.includes('~')) keys.push(row.rowKey);
    }
  }
  return keys;
}

async function foldTo(region: Region, beforeMs: number): Promise<Record<string, string>> {
  const { archive, buckets } = recoveryOf(region);
  const texts: Record<string, string> = {};
  for (const bucket of buckets) {
    await foldArchive({
      archive,
      region: region.region,
      span: { entityKind: KIND, bucket, beforeMs },
      entitiesMax: 1_000,
      onStates: async (states) => {
        for (const [id, { state }] of states) texts[id] = stateText(state);
      },
    });
  }
  return texts;
}

describe('I22: what is trimmed was proven elsewhere first', () => {
  test('a region trims what every region has, and replays to later times stay as they were', async () => {
    const regions = await setUp();
    const [east, west] = regions.regions as [Region, Region];
    await work(regions, 5);
    const before = await archived(east);
    const [trimmed] = await trim(regions, east);
    expect(trimmed).toMatchObject({ isWhole: true });
    expect(trimmed?.rows).toBeGreaterThan(10);
    expect(await archived(east)).toHaveLength(before.length - (trimmed?.rows ?? 0));
    const horizonMs = trimmed?.horizonMs ?? 0;
    for (let hours = 0; hours <= 24; hours += 1) {
      const timeMs = horizonMs + hours * 3_600_000;
      expect(await foldTo(east, timeMs)).toEqual(await foldTo(west, timeMs));
    }
    expect(Object.keys(await foldTo(east, horizonMs)).sort()).toEqual([
      'of-east',
      'of-north',
      'of-west',
      'shared',
    ]);
  });

  test('nothing goes that a peer has not said to have, of whatever region it is', async () => {
    const regions = await setUp();
    const [east, west, north] = regions.regions as [Region, Region, Region];
    await work(regions, 3);
    regions.bus.setDown('north', true);
    const cutMs = regions.clock.nowMs();
    for (let day = 0; day < 4; day += 1) {
      await regions.drive(west.table.put('of-west', { label: `cut ${day}` }));
      for (const region of [east, west]) {
        await regions.drive(region.replicator.sweepOnce());
        await regions.drive(region.replicator.receiveOnce(new AbortController().signal));
        await regions.drive(region.replicator.beatOnce());
      }
      await regions.clock.advance(DAY_MS);
    }
    // East has all of it, and north nothing.
    const [trimmed] = await trim(regions, east);
    expect(trimmed?.horizonMs).toBeLessThanOrEqual(cutMs - DAY_MS);
    regions.bus.setDown('north', false);
    await regions.clock.advance(60_000);
    for (let round = 0; round < 4; round += 1) await regions.settle();
    const [later] = await trim(regions, east);
    expect(later?.horizonMs).toBeGreaterThan(cutMs);
    expect(await foldTo(north, later?.horizonMs ?? 0)).toEqual(
      await foldTo(east, later?.horizonMs ?? 0),
    );
  });

  test('nothing goes before every peer has said what it has', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    await regions.drive(east.table.put('a', { label: 'one' }));
    await regions.drive(east.table.put('a', { label: 'two' }));
    await regions.clock.advance(9 * DAY_MS);
    expect(await trim(regions, east)).toEqual([
      {
        entityKind: KIND,
        table: 'Archive',
        horizonMs: undefined,
        rows: 0,
        bytes: 0,
        isWhole: true,
      },
    ]);
  });

  test('each peer counts by its own word, wherever it is told', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    const nowMs = regions.clock.nowMs();
    const told = (peer: string, allAppliedMs: number) => ({
      peer,
      passedMs: nowMs,
      isReachable: true,
      allAppliedMs,
    });
    const peers = [told('west', nowMs), told('north', nowMs - 3 * DAY_MS)];
    const base = { heartbeatMs: nowMs, catchingUpSinceMs: undefined, hasBacklog: false };
    for (const ordered of [peers, peers.toReversed()]) {
      const status = { read: async () => ({ ...base, peers: ordered }) };
      expect(await trim(regions, east, { status })).toMatchObject([
        { horizonMs: nowMs - 4 * DAY_MS },
      ]);
    }
    const alone = { peers: [], status: { read: () => Promise.reject(new Error('is not asked')) } };
    expect(await trim(regions, east, alone)).toMatchObject([{ horizonMs: nowMs - DAY_MS }]);
  });

  test('a turn that is told to stop goes no further than it is', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    await work(regions, 5);
    const count = (await archived(east)).length;
    expect(await trim(regions, east, { signal: AbortSignal.abort() })).toEqual([]);
    expect(await archived(east)).toHaveLength(count);
    const stopping = new AbortController();
    const paced: number[] = [];
    const clock = {
      ...regions.clock,
      sleep: async (durationMs: number) => {
        paced.push(durationMs);
        stopping.abort();
      },
    };
    const [cut] = await trim(regions, east, { signal: stopping.signal, clock });
    expect(cut).toMatchObject({ isWhole: false });
    expect(paced).toEqual([50]);
    const [rest] = await trim(regions, east, { signal: new AbortController().signal });
    expect(rest).toMatchObject({ isWhole: true });
    expect(await archived(east)).toHaveLength(count - (cut?.rows ?? 0) - (rest?.rows ?? 0));
    expect(rest?.rows).toBeGreaterThan(0);
  });

  test('a size trims what is younger, but not what is promised', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    await work(regions, 5);
    const settings = { ...RETENTION, archive: { keepMs: undefined, keepBytes: 1 } };
    const nowMs = regions.clock.nowMs();
    const [trimmed] = await trim(regions, east, { settings });
    expect(trimmed?.rows).toBeGreaterThan(10);
    const promisedMs = nowMs - RETENTION.promiseMs;
    expect(trimmed?.horizonMs).toBeGreaterThan(promisedMs - 120_000);
    expect(trimmed?.horizonMs).toBeLessThanOrEqual(promisedMs);
  });

  test('a row that says how far back it goes and that nobody can read stops trimming and replays', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    await work(regions, 3);
    const operations = [{ kind: 'upsert' as const, rowKey: KIND, properties: new Map() }];
    await east.store.commit({ table: ARCHIVE_TABLE, partitionKey: HORIZON_PARTITION, operations });
    const count = (await archived(east)).length;
    await expect(trim(regions, east)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    await expect(foldTo(east, regions.clock.nowMs())).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
    });
    expect(await archived(east)).toHaveLength(count);
  });
});

describe('I22: recovering beside archives that go back differently', () => {
  const fill = async (regions: Regions, target: Region) => {
    const sources = regions.regions.filter((one) => one !== target);
    return regions.drive(
      fillRegion({
        target: recoveryOf(target),
        sources: sources.map(recoveryOf),
        clock: regions.clock,
        createDigest: createTestDigest,
        tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS,
        recheckCountMax: 2,
        recheckDelayMs: 100,
      }),
    );
  };

  test('a rebuild proves regions equal, and fills no trimmed archive again', async () => {
    const regions = await setUp();
    const [east, west, north] = regions.regions as [Region, Region, Region];
    await work(regions, 5);
    await trim(regions, east);
    const trimmed = await archived(east);
    await emptyTable(north.store, KIND);
    await emptyTable(north.store, ARCHIVE_TABLE);
    const report = await fill(regions, north);
    expect(report.proof.isEqual).toBe(true);
    expect(await archived(east)).toEqual(trimmed);
    // West has never trimmed anything, so north has all of it again.
    expect(await archived(north)).toEqual(await archived(west));
    expect(await recoveryOf(north).archive.horizonMs(KIND)).toBeUndefined();
  });

  test('a region that is filled from trimmed ones goes back as far as they do', async () => {
    const regions = await setUp();
    const [east, west, north] = regions.regions as [Region, Region, Region];
    await work(regions, 5);
    const [first] = await trim(regions, east);
    await regions.clock.advance(3_600_000);
    for (let round = 0; round < 3; round += 1) await regions.settle();
    await trim(regions, west);
    await emptyTable(north.store, KIND);
    await emptyTable(north.store, ARCHIVE_TABLE);
    expect((await fill(regions, north)).proof.isEqual).toBe(true);
    expect(await recoveryOf(north).archive.horizonMs(KIND)).toBe(first?.horizonMs);
    await expect(foldTo(north, (first?.horizonMs ?? 0) - 1)).rejects.toMatchObject({
      code: 'RECOVERY_REFUSED',
    });
    const timeMs = first?.horizonMs ?? 0;
    expect(await foldTo(north, timeMs)).toEqual(await foldTo(east, timeMs));
  });

  test('an archive that was lost where it was trimmed is given what it had kept', async () => {
    const regions = await setUp();
    const [east] = regions.regions as [Region];
    await work(regions, 5);
    const [trimmed] = await trim(regions, east);
    const kept = await archived(east);
    await emptyTable(east.store, ARCHIVE_TABLE);
    await recoveryOf(east).archive.raiseHorizon(KIND, trimmed?.horizonMs ?? 0);
    await fill(regions, east);
    expect(await archived(east)).toEqual(kept);
  });
});
