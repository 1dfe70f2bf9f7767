import {
  catalogKind,
  type Lease,
  localRowsKind,
  otherRowsKind,
  type PeerProgress,
  rowsKind,
} from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import { createTableLease } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { prepareRegion } from '../../prepare-region.ts';
import { createRegionTables } from '../../region-tables.ts';
import { createWorld, drive, regionOf } from '../../testing/memory-world.ts';
import { recordLog } from '../../testing/record-log.ts';
import { createActivity } from '../activity.ts';
import { createRegionTombstoneDuty, createTombstoneDuty } from './region-duties.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const AGE_MS = 1_000_000;
const DRIFT_MS_MAX = 5_000;

interface Setting {
  readonly peers?: readonly string[];
  /** `none` where no replicator ever wrote a row. */
  readonly progress?: readonly PeerProgress[] | 'none';
  readonly holdsLease?: boolean;
}

function setUp({ peers = ['west'], progress = [], holdsLease = true }: Setting) {
  const horizons: number[] = [];
  const local: number[] = [];
  const log = recordLog();
  const leasesMs: number[] = [];
  const lease: Lease = {
    acquire: async (durationMs) => {
      leasesMs.push(durationMs);
      return holdsLease;
    },
    release: async () => undefined,
  };
  const duty = createTombstoneDuty({
    clock: createVirtualClock(NOW_MS),
    randomness: createSeededRandomness(1),
    logger: log.logger,
    peers,
    lease,
    ageMs: AGE_MS,
    driftMsMax: DRIFT_MS_MAX,
    status: {
      read: async () => {
        if (peers.length === 0) throw new Error('a region without peers has no such row');
        if (progress === 'none') return undefined;
        return {
          heartbeatMs: NOW_MS,
          catchingUpSinceMs: undefined,
          hasBacklog: false,
          peers: progress,
        };
      },
    },
    collect: async (turnOf) => {
      for (const [kind, into] of [[rowsKind, horizons] as const, [localRowsKind, local] as const]) {
        const turn = turnOf(kind.name);
        if (turn !== undefined) into.push(turn.horizonMs);
      }
      return horizons.length + 2;
    },
  });
  return {
    duty,
    log,
    horizons,
    local,
    leasesMs,
    turn: () => duty.turn(new AbortController().signal),
  };
}

const heard = (peer: string, passedMs: number | undefined): PeerProgress => ({
  peer,
  passedMs,
  isReachable: true,
});

describe('collecting tombstones', () => {
  test('collects by the peer that is furthest behind', async () => {
    const { horizons, log, turn } = setUp({
      peers: ['west', 'north'],
      progress: [heard('south', 0), heard('west', NOW_MS - 10), heard('north', NOW_MS - 5_000)],
    });
    await turn();
    const horizonMs = NOW_MS - 5_000 - AGE_MS;
    expect(horizons).toEqual([horizonMs]);
    expect(log.of('tombstones-collected')).toMatchObject([{ collected: 3, horizonMs }]);
  });

  test('I16: believes a watermark that is ahead by what clocks may drift, and none further ahead', async () => {
    const collectBy = async (aheadMs: number) => {
      const { horizons, turn } = setUp({ progress: [heard('west', NOW_MS + aheadMs)] });
      await turn();
      return horizons;
    };
    expect(await collectBy(DRIFT_MS_MAX)).toEqual([NOW_MS - AGE_MS]);
    expect(await collectBy(DRIFT_MS_MAX + 1)).toEqual([]);
  });

  test('I4: collects nothing before every peer was heard, and says which was not', async () => {
    const { horizons, log, turn } = setUp({
      peers: ['west', 'north'],
      progress: [heard('west', NOW_MS), heard('north', undefined)],
    });
    await turn();
    expect(horizons).toEqual([]);
    expect(log.of('tombstones-kept')).toMatchObject([{ peers: ['north'] }]);
  });

  test.each([[[]], ['none' as const]])(
    'a peer that the status does not know counts as not heard',
    async (progress) => {
      const { horizons, log, turn } = setUp({ progress });
      await turn();
      expect(horizons).toEqual([]);
      expect(log.of('tombstones-kept')).toMatchObject([{ peers: ['west'] }]);
    },
  );

  test.each([
    ['no peer was heard', []],
    ['a peer is behind', [heard('west', 0)]],
  ])('age alone decides of what is not replicated, also while %s', async (_, progress) => {
    const { local, turn } = setUp({ progress });
    await turn();
    expect(local).toEqual([NOW_MS - AGE_MS]);
  });

  test('age alone decides where there are no peers', async () => {
    const { horizons, turn } = setUp({ peers: [] });
    await turn();
    expect(horizons).toEqual([NOW_MS - AGE_MS]);
  });

  test('leaves it to the process that has the lease', async () => {
    const { horizons, turn } = setUp({ progress: [heard('west', NOW_MS)], holdsLease: false });
    await turn();
    expect(horizons).toEqual([]);
  });

  test('does not begin at once, since it reads every row, and may take as long as it likes', () => {
    const { duty } = setUp({});
    expect(duty.firstDelayMs).toBeGreaterThan(0);
    expect(duty.firstDelayMs).toBeLessThan(duty.intervalMs());
    expect(duty).toMatchObject({ isNeededForReady: false, stallMs: undefined });
  });

  test('holds its lease for less than the shortest time to its next turn', async () => {
    const { duty, leasesMs, turn } = setUp({ progress: [heard('west', NOW_MS)] });
    await turn();
    expect(leasesMs).toHaveLength(1);
    expect(leasesMs[0]).toBeLessThan(duty.intervalMs() * 0.8);
  });
});

describe('the tombstones of a region', () => {
  test('I4: go where rows are not replicated, and stay where a peer may not have them yet', async () => {
    const world = createWorld();
    const { clock } = world;
    const store = createMemoryTableStore();
    const { region } = regionOf(world, { region: 'east', peer: 'west', store, replicate: false });
    await drive(world, region.open());
    const key = { partitionKey: 'ada', rowKey: '001' };
    for (const replicate of ['all', 'none'] as const) {
      const table = `Of${replicate}`;
      await drive(world, region.catalogue.create(table, { replicate }));
      await drive(world, region.openTable(table).put(key, new Map()));
      await drive(world, region.openTable(table).remove(key));
    }
    await drive(world, region.stop());
    const kinds = [rowsKind, localRowsKind];
    const opened = await prepareRegion({
      region: 'east',
      store,
      kinds,
      clock,
      environment: {
        SERVICE_BUS_CONNECTION: 'east.servicebus.example',
        REDUNDANCY_SERVICE_BUS_CONNECTION: 'west.servicebus.example',
        PEER_REGION: 'west',
      },
      refreshMs: 1,
      onRefreshFailed: () => undefined,
    });
    const { settings } = opened;
    await clock.advance(settings.tombstoneAgeMs + 60_000);
    const { logger, ...log } = recordLog();
    const tables = createRegionTables({ store, kinds, ...settings });
    const duty = createRegionTombstoneDuty({
      region: 'east',
      clock,
      randomness: createSeededRandomness(1),
      logger,
      store,
      kinds,
      opened,
      settings,
      tables,
      status: tables.status,
      tombstoneLease: createTableLease({ store, clock, name: 'tombstones', holder: 'test' }),
      activity: createActivity({ driftMsMax: 60_000, logger, clock }),
    });
    const left = async (table: string): Promise<number> => {
      const range = { table, partitions: { from: '00', before: 'g' }, rowsBefore: '~', limit: 9 };
      return (await store.query(range)).rows.length;
    };
    expect([await left('Rows'), await left('LocalRows')]).toEqual([1, 1]);
    await duty.turn(new AbortController().signal);
    expect([await left('Rows'), await left('LocalRows')]).toEqual([1, 0]);
    expect(log.of('tombstones-kept')).toMatchObject([{ peers: ['west'] }]);
  });

  test('go with all that a table which moved has left behind; rows of others stay, and those where it lies now', async () => {
    const world = createWorld();
    const { clock } = world;
    const store = createMemoryTableStore();
    const settings = { 'Customer.DataAccess': 'single-region', 'Rows2.BucketCount': '3' };
    const { region } = regionOf(world, { region: 'east', peer: 'west', store, settings });
    await drive(world, region.open());
    const key = { partitionKey: 'ada', rowKey: '001' };
    for (const table of ['Moved', 'Others']) {
      await drive(world, region.catalogue.create(table));
      await drive(world, region.openTable(table).put(key, new Map()));
    }
    const { catalogue } = region;
    let move = await drive(world, catalogue.stepMove('Moved', { kind: 'begin', home: 'east' }));
    for (const kind of ['turn', 'turned', 'settle'] as const) {
      if (kind === 'turned') {
        await clock.advance(5_000);
        // The write has the row there contain the old one.
        await drive(world, region.openTable('Moved').put(key, new Map()));
      }
      const sinceMs = move!.sinceMs;
      move = await drive(world, catalogue.stepMove('Moved', { kind, sinceMs }));
    }
    await drive(world, region.stop());
    const kinds = [catalogKind, otherRowsKind, rowsKind];
    const opened = await prepareRegion({
      region: 'east',
      store,
      kinds,
      clock,
      environment: { CUSTOMER_DATA_ACCESS: 'single-region', ROWS2_BUCKET_COUNT: '3' },
      refreshMs: 1,
      onRefreshFailed: () => undefined,
    });
    const { logger } = recordLog();
    const tables = createRegionTables({ store, kinds, ...opened.settings });
    const duty = createRegionTombstoneDuty({
      region: 'east',
      clock,
      randomness: createSeededRandomness(1),
      logger,
      store,
      kinds,
      opened,
      settings: opened.settings,
      tables,
      status: tables.status,
      tombstoneLease: createTableLease({ store, clock, name: 'tombstones', holder: 'test' }),
      activity: createActivity({ driftMsMax: 60_000, logger, clock }),
    });
    const left = async (): Promise<number[]> => {
      const range = { partitions: { from: '00', before: 'g' }, rowsBefore: '~', limit: 9 };
      const pages = ['Rows', 'Rows2'].map((table) => store.query({ table, ...range }));
      return (await Promise.all(pages)).map(({ rows }) => rows.length);
    };
    await duty.turn(new AbortController().signal);
    expect(await left()).toEqual([2, 1]);
    await clock.advance(3_600_000);
    const horizon = { table: 'Rows2', partitionKey: '~horizon' };
    const row = { kind: 'upsert' as const, rowKey: 'Rows2', properties: new Map() };
    await store.commit({ ...horizon, operations: [row] });
    // What a person must mend of one kind keeps no other from its turn, and is told at the end.
    await expect(duty.turn(new AbortController().signal)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining('~horizon/Rows2 of Rows2') as unknown,
    });
    expect(await left()).toEqual([1, 1]);
  });
});
