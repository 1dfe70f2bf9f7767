import { TerminalError, TransientError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { ARCHIVE_TABLE } from './tables/table-archive.ts';
import { deviceKind } from './testing/device-kind.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

const WRITES = 40;
const LOCK_MS = 30_000;
const NOT_ABORTED = new AbortController().signal;

async function open(): Promise<Regions> {
  return createTwoRegions(deviceKind, { west: { archivesInRounds: true } });
}

/** One write after the other, each received by itself, as fast as west takes them. */
async function writeMany(regions: Regions): Promise<void> {
  const { east, west, drive } = regions;
  for (let n = 0; n < WRITES; n += 1) {
    await drive(east.table.put(`id-${n}`, { label: 'x' }));
    await drive(west.replicator.receiveOnce(NOT_ABORTED));
  }
}

async function waitingIn({ bus }: Regions): Promise<number> {
  const waiting = await bus.viewerFor('west').peek('messages', 0n, 1_000);
  return waiting.filter(({ subject }) => subject === 'change-set').length;
}

describe('what is received is archived in rounds', () => {
  test('in fewer transactions than batches, and every message is completed', async () => {
    const regions = await open();
    const { east, west, drive } = regions;
    let transactions = 0;
    west.store.beforeCommit(({ table }) => {
      if (table === ARCHIVE_TABLE) transactions += 1;
    });
    await writeMany(regions);
    for (let n = 0; n < WRITES; n += 1) {
      expect((await west.table.get(`id-${n}`))?.entity.label).toBe('x');
    }
    await drive(west.replicator.drain());
    expect(await waitingIn(regions)).toBe(0);
    for (const { set } of east.committed) expect(await west.archive.has(set)).toBe(true);
    expect(transactions).toBeLessThan(WRITES / 2);
  });

  test('I5: no message leaves the queue before what it brought is archived', async () => {
    const regions = await open();
    const { east, west } = regions;
    await writeMany(regions);
    const waiting = await waitingIn(regions);
    let unarchived = 0;
    for (const { set } of east.committed) unarchived += (await west.archive.has(set)) ? 0 : 1;
    expect(unarchived).toBeGreaterThan(0);
    expect(waiting).toBeGreaterThanOrEqual(unarchived);
  });

  test('I1: an outage of the archive holds the messages, renews their locks and loses nothing', async () => {
    const regions = await open();
    const { east, west, bus, clock, drive } = regions;
    let isDown = true;
    west.store.beforeCommit(({ table }) => {
      if (table !== ARCHIVE_TABLE || !isDown) return;
      throw new TransientError('TABLE_UNAVAILABLE', 'The archive does not answer.');
    });
    await drive(east.table.put('a', { label: 'one' }));
    await drive(west.replicator.receiveOnce(NOT_ABORTED));
    await clock.advance(20 * LOCK_MS);
    const [held] = await bus.viewerFor('west').peek('messages', 0n, 10);
    expect(held).toBeDefined();
    const others = await drive(bus.receiverFor('west').receive(10, 0));
    expect(others.filter(({ subject }) => subject === 'change-set')).toEqual([]);
    isDown = false;
    await drive(west.replicator.drain());
    expect(await west.archive.has(east.committed[0]!.set)).toBe(true);
    expect(await waitingIn(regions)).toBe(0);
    expect(bus.deadLettersOf('west')).toEqual([]);
  });

  test.each([true, false])(
    'I10: an archive that refuses us is an outage, and no message is to blame (in rounds: %s)',
    async (archivesInRounds) => {
      const regions = await createTwoRegions(deviceKind, { west: { archivesInRounds } });
      const { east, west, bus, clock, drive } = regions;
      let isRefused = true;
      west.store.beforeCommit(({ table }) => {
        if (table !== ARCHIVE_TABLE || !isRefused) return;
        throw new TerminalError('TABLE_FORBIDDEN', 'The key was taken back.');
      });
      await drive(east.table.put('a', { label: 'one' }));
      const received = west.replicator.receiveOnce(NOT_ABORTED);
      await clock.advance(20 * LOCK_MS);
      // Its lock is held all the while: given back, it would be dead-lettered after ten deliveries.
      expect(await drive(bus.receiverFor('west').receive(10, 0))).toEqual([]);
      isRefused = false;
      await drive(received);
      await drive(west.replicator.drain());
      expect(await west.archive.has(east.committed[0]!.set)).toBe(true);
      expect(await waitingIn(regions)).toBe(0);
    },
  );

  test('a replicator that stops has settled all that it received', async () => {
    const regions = await open();
    const { east, west, drive } = regions;
    await writeMany(regions);
    const stopping = new AbortController();
    stopping.abort();
    await drive(west.replicator.receiveOnce(stopping.signal));
    expect(await waitingIn(regions)).toBe(0);
    for (const { set } of east.committed) expect(await west.archive.has(set)).toBe(true);
  });
});
