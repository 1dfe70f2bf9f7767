import { randomBytes } from 'node:crypto';
import { decideReadiness, NEWEST_WIRE_VERSION, type Readiness, TransientError } from '@tandem/core';
import {
  createMemoryBus,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { collectTombstones } from './retention/collect-tombstones.ts';
import { deviceKind } from './testing/device-kind.ts';
import { createFaultyBus } from './testing/faulty-bus.ts';
import {
  createMemoryRegion,
  MEMORY_BUCKET_COUNT,
  MEMORY_GRACE_MS,
  MEMORY_READINESS,
  type MemoryRegion,
} from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Region = MemoryRegion<typeof deviceKind>;
type Regions = TwoRegions<typeof deviceKind>;

async function readiness({ clock }: Regions, region: Region): Promise<Readiness> {
  const progress = await region.status.read();
  const input = {
    nowMs: clock.nowMs(),
    startedMs: 0,
    isStoreAnswering: true,
    hasPeers: true,
    progress,
  };
  return decideReadiness(input, MEMORY_READINESS);
}

async function turn({ drive }: Regions, region: Region): Promise<void> {
  await drive(region.replicator.sweepOnce());
  await drive(region.replicator.receiveOnce(new AbortController().signal).catch(() => 0));
  await drive(region.replicator.beatOnce());
}

async function passedMs(region: Region): Promise<number | undefined> {
  return (await region.status.read())?.peers[0]?.passedMs;
}

test('I10: a region knows from the watermarks of a peer which messages that reads', async () => {
  const regions = await createTwoRegions(deviceKind);
  const { east, west, clock } = regions;
  await turn(regions, east);
  await turn(regions, west);
  const wireVersion = NEWEST_WIRE_VERSION;
  const reads = { wireVersion, heardMs: clock.nowMs() };
  expect((await west.status.read())?.peers).toMatchObject([{ peer: 'east', reads }]);
});

describe('I11: the reported lag', () => {
  test('is truthful while the sender’s outbox is stuck, though the queue is empty', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, clock } = regions;
    await turn(regions, east);
    await turn(regions, west);
    const archiveDown = new TransientError('TABLE_UNAVAILABLE', 'The archive is down.');
    const writtenMs = clock.nowMs();
    await east.table.put('a', { label: 'one' });
    for (let minute = 0; minute < 10; minute += 1) {
      east.store.failCommits(
        [{ when: 'before', error: archiveDown }],
        ({ table }) => table === 'Archive',
      );
      await clock.advance(60_000);
      await regions.drive(east.replicator.sweepOnce()).catch(() => undefined);
      await turn(regions, west);
      expect(await passedMs(west)).toBeLessThanOrEqual(writtenMs);
    }
    await turn(regions, east);
    await turn(regions, west);
    expect(await passedMs(west)).toBe(clock.nowMs());
  });

  test('a write younger than the grace period holds the watermark back until it is relayed', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, clock } = regions;
    const writtenMs = clock.nowMs();
    await east.table.put('a', { label: 'one' });
    await clock.advance(MEMORY_GRACE_MS - 1);
    await turn(regions, east);
    await turn(regions, west);
    expect(await passedMs(west)).toBe(writtenMs);
  });
});

describe('I14: a region that comes back', () => {
  test('is red until it has caught up with what was written while it was away', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock } = regions;
    for (let round = 0; round < 3; round += 1) {
      await turn(regions, east);
      await turn(regions, west);
    }
    expect(await readiness(regions, east)).toMatchObject({ kind: 'ready' });

    bus.setDown('east', true);
    await west.table.put('a', { label: 'written while east was away' });
    await clock.advance(120_000);
    await turn(regions, east);
    expect(await readiness(regions, east)).toMatchObject({ kind: 'not-ready' });

    // Its queue is there again and empty, and the peer’s outbox still full.
    bus.setDown('east', false);
    await turn(regions, east);
    expect(await readiness(regions, east)).toMatchObject({
      kind: 'not-ready',
      reasons: [{ kind: 'behind', peer: 'west' }],
    });

    await turn(regions, west);
    await turn(regions, east);
    expect(await readiness(regions, east)).toMatchObject({ kind: 'ready' });
    expect((await east.table.get('a'))?.entity.label).toBe('written while east was away');
  });

  test('is not held back by a peer that is down', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    bus.setDown('west', true);
    await turn(regions, east);
    await turn(regions, east);
    expect(await readiness(regions, east)).toMatchObject({ kind: 'ready' });
  });
});

describe('a slow peer holds up no other', () => {
  test('of three regions one is down: the other has everything, and the third catches up later', async () => {
    const clock = createVirtualClock(Date.UTC(2026, 0, 1));
    const randomness = createSeededRandomness(1);
    const bus = createFaultyBus(
      createMemoryBus({ clock, lockDurationMs: 30_000, deliveryCountMax: 10 }),
    );
    const create = (region: string, peers: string[]): Promise<Region> =>
      createMemoryRegion({ region, peers, kind: deviceKind, bus, clock, randomness });
    const east = await create('east', ['west', 'north']);
    const west = await create('west', ['east', 'north']);
    const north = await create('north', ['east', 'west']);
    const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);
    const { signal } = new AbortController();

    bus.setDown('north', true);
    for (let n = 0; n < 20; n += 1) await east.table.put(`d${n}`, { label: `${n}` });
    await clock.advance(60_000);
    await drive(east.replicator.sweepOnce());
    await drive(west.replicator.receiveOnce(signal));
    await drive(west.replicator.beatOnce());
    expect((await west.table.list(100)).records).toHaveLength(20);
    // Nothing is owed to west any more, so its watermark is not held back by north.
    const progress = await west.status.read();
    expect(progress?.peers.find(({ peer }) => peer === 'east')?.passedMs).toBe(clock.nowMs());

    bus.setDown('north', false);
    await clock.advance(60_000);
    await drive(east.replicator.sweepOnce());
    await drive(north.replicator.receiveOnce(signal));
    expect((await north.table.list(100)).records).toHaveLength(20);
    for (const bucket of east.outbox.buckets) {
      for (const lane of [{}, { parkedFor: 'north' }]) {
        expect((await east.outbox.scan({ bucket, limit: 10, ...lane })).entries).toEqual([]);
      }
    }
  });
});

describe('the sweep', () => {
  test('is done by the holder of the lease alone, and by another once that is over', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, clock, drive, bus } = regions;
    const second = await createMemoryRegion({
      region: 'east',
      peers: ['west'],
      kind: deviceKind,
      bus,
      clock,
      randomness: createSeededRandomness(2),
      store: east.store,
    });
    expect(await drive(east.replicator.sweepOnce())).toBeDefined();
    expect(await drive(second.replicator.sweepOnce())).toBeUndefined();
    await clock.advance(10_000);
    expect(await drive(second.replicator.sweepOnce())).toBeDefined();
    expect(await drive(east.replicator.sweepOnce())).toBeUndefined();
  });

  test('one unreadable outbox row holds up no other, and no watermark claims it', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, clock } = regions;
    const payload = { type: 'Binary', value: new TextEncoder().encode('junk') } as const;
    await east.store.commit({
      table: deviceKind.name,
      partitionKey: '00',
      operations: [
        { kind: 'insert', rowKey: '~o~0', properties: new Map([['payload0', payload]]) },
      ],
    });
    for (const id of ['a', 'b', 'c', 'd']) await east.table.put(id, { label: id });
    await clock.advance(MEMORY_GRACE_MS);
    await turn(regions, east);
    await turn(regions, west);
    expect((await west.table.list(10)).records).toHaveLength(4);
    expect(await passedMs(west)).toBeUndefined();
  });
});

describe('the sweep of a region without peers', () => {
  test('archives all that was left behind in one pass', async () => {
    const clock = createVirtualClock(Date.UTC(2026, 0, 1));
    const randomness = createSeededRandomness(1);
    const bus = createMemoryBus({ clock, lockDurationMs: 30_000, deliveryCountMax: 10 });
    const common = { region: 'east', peers: [], kind: deviceKind, bus, clock, randomness };
    const east = await createMemoryRegion({ ...common, relaysAtOnce: false });
    for (let n = 0; n < 300; n += 1) await east.table.put(`d${n}`, { label: 'x' });
    await clock.advance(MEMORY_GRACE_MS);
    const report = await driveVirtualTime(clock, east.replicator.sweepOnce());
    expect(report?.relayed).toBe(300);
  });
});

describe('I10: a message that the queue can never accept', () => {
  test('stays in the outbox, claimed by no watermark, and keeps no other', async () => {
    const regions = await createTwoRegions(deviceKind, {
      messageBytesMax: 32 * 1_024,
      east: { relaysAtOnce: false },
    });
    const { east, west, clock } = regions;
    // Larger than the bus of these tests takes, though the table took it.
    await east.table.put('big', { firmware: new Uint8Array(randomBytes(64 * 1_024)) });
    for (const id of ['a', 'b', 'c']) await east.table.put(id, { label: id });
    await clock.advance(MEMORY_GRACE_MS);
    await turn(regions, east);
    await turn(regions, west);
    expect((await west.table.list(10)).records.map(({ entityId }) => entityId)).toEqual(
      expect.arrayContaining(['a', 'b', 'c']),
    );
    expect(await west.table.get('big')).toBeUndefined();
    const written = east.committed.find(({ set }) => set.changes[0]?.entityId === 'big');
    expect(await passedMs(west)).toBeLessThanOrEqual(written?.committedAfterMs ?? 0);
  });
});

describe('I4: tombstones', () => {
  const AGE_MS = 3_600_000;

  test('what was deleted and collected is not revived by a message older than that', async () => {
    const regions = await createTwoRegions(deviceKind, { west: { tombstoneAgeMs: AGE_MS } });
    const { east, west, clock, bus } = regions;
    await east.table.put('a', { label: 'old' });
    const [created] = east.committed;
    await east.table.remove('a');
    await regions.settle();
    await clock.advance(AGE_MS + 1);
    const horizonMs = clock.nowMs() - AGE_MS;
    const options = { store: west.store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    expect(await collectTombstones({ ...options, horizonMs })).toBe(1);
    expect(await collectTombstones({ ...options, horizonMs })).toBe(0);

    const body = created!.encoded;
    await bus
      .publisherFor('west', 'west')
      .publish([{ messageId: 'x', subject: 'change-set', body }]);
    await turn(regions, west);
    expect(await west.table.get('a')).toBeUndefined();
    expect(bus.deadLettersOf('west')).toMatchObject([{ reason: 'CHANGE_TOO_OLD' }]);
    expect(bus.deadLettersOf('west')[0]?.description).toContain(': a.');
  });

  test('I1: what only a clock far ahead calls too old is held until the clock is right', async () => {
    let skewMs = 2 * AGE_MS;
    const west = { tombstoneAgeMs: AGE_MS, skewMs: () => skewMs };
    const regions = await createTwoRegions(deviceKind, { west });
    const { clock, bus, drive } = regions;
    await regions.east.table.put('a', { label: 'fresh' });
    await clock.advance(MEMORY_GRACE_MS);
    await drive(regions.east.replicator.sweepOnce());
    const beganMs = clock.nowMs();
    const corrected = clock.sleep(120_000).then(() => (skewMs = 0));
    await drive(regions.west.replicator.receiveOnce(new AbortController().signal));
    await drive(regions.west.replicator.drain());
    await corrected;
    expect(clock.nowMs() - beganMs).toBeGreaterThanOrEqual(120_000);
    expect((await regions.west.table.get('a'))?.entity.label).toBe('fresh');
    expect(bus.deadLettersOf('west')).toEqual([]);
  });

  test('a live row and a young tombstone are never collected', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, clock } = regions;
    await east.table.put('live', { label: 'x' });
    await clock.advance(AGE_MS);
    await east.table.put('young', { label: 'x' });
    await east.table.remove('young');
    const horizonMs = clock.nowMs();
    const options = { store: east.store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    expect(await collectTombstones({ ...options, horizonMs })).toBe(0);
  });
});
