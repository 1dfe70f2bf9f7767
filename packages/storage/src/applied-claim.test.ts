import { createAppliedClaim } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createTableRegionHold } from './status/status-tables.ts';
import { deviceKind } from './testing/device-kind.ts';
import type { MemoryRegion } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Region = MemoryRegion<typeof deviceKind>;
type Regions = TwoRegions<typeof deviceKind>;

async function turn({ drive, clock }: Regions, region: Region): Promise<void> {
  await drive(region.replicator.sweepOnce());
  await drive(region.replicator.receiveOnce(new AbortController().signal));
  await drive(region.replicator.beatOnce());
  await clock.advance(10_000);
}

/** Until which time the peer of a region says to have applied what the region acknowledged. */
async function appliedMs(region: Region): Promise<number> {
  return (await region.status.read())?.peers[0]?.appliedMs ?? 0;
}

describe('I11: what a peer says to have applied', () => {
  test('comes back with its own watermarks, once it has passed ours', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, clock } = regions;
    await east.table.put('a', { label: 'one' });
    const acknowledgedMs = clock.nowMs();
    await clock.advance(10_000);
    await turn(regions, east);
    expect(await appliedMs(east)).toBe(0);
    for (let round = 0; round < 2; round += 1) {
      await turn(regions, west);
      await turn(regions, east);
    }
    expect(await west.table.get('a')).toBeDefined();
    expect(await appliedMs(east)).toBeGreaterThan(acknowledgedMs);
  });

  test('claims nothing that is still owed to it', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock } = regions;
    bus.setDown('west', true);
    const writtenMs = clock.nowMs();
    await east.table.put('a', { label: 'one' });
    await clock.advance(10_000);
    for (let round = 0; round < 3; round += 1) {
      await regions.drive(east.replicator.sweepOnce());
      await regions.drive(west.replicator.sweepOnce());
      await regions.drive(east.replicator.receiveOnce(new AbortController().signal));
      await regions.drive(east.replicator.beatOnce());
      await clock.advance(20_000);
      expect(await appliedMs(east)).toBeLessThanOrEqual(writtenMs);
    }
    bus.setDown('west', false);
    await clock.advance(20_000);
    for (let round = 0; round < 3; round += 1) {
      await turn(regions, east);
      await turn(regions, west);
    }
    await turn(regions, east);
    expect(await appliedMs(east)).toBeGreaterThan(writtenMs);
  });

  test('stands still while its region is held, for it may have lost what it had applied', async () => {
    const { west } = await createTwoRegions(deviceKind);
    const { status } = west;
    const beat = { nowMs: 5, catchingUpSinceMs: undefined, hasBacklog: false };
    await status.beat({ ...beat, peers: [{ peer: 'east', passedMs: 5, isReachable: true }] });
    const hold = createTableRegionHold({ store: west.store });
    const receiver = { countDeadLetters: async () => 0 };
    const claim = createAppliedClaim({
      status,
      receiver,
      hold,
      clock: { nowMs: () => 10 },
      driftMsMax: 60_000,
    });
    expect(await claim()).toEqual(new Map([['east', 5]]));
    await hold.set({ reason: 'rebuilt', sinceMs: 1 });
    expect(await claim()).toEqual(new Map());
  });

  test('stands still while a dead letter lies in its queue', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock } = regions;
    const poison = { messageId: 'p', subject: 'change-set', body: new Uint8Array([1]) } as const;
    await bus.publisherFor('west', 'west').publish([poison]);
    const writtenMs = clock.nowMs();
    await east.table.put('a', { label: 'one' });
    await clock.advance(10_000);
    for (let round = 0; round < 3; round += 1) {
      await turn(regions, east);
      await turn(regions, west);
    }
    expect(bus.deadLettersOf('west')).toHaveLength(1);
    expect(await west.table.get('a')).toBeDefined();
    expect(await appliedMs(east)).toBeLessThanOrEqual(writtenMs);
  });
});
