import { type Transaction, TransientError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createDamagedRows } from './recovery/damaged-rows.ts';
import { ARCHIVE_TABLE } from './tables/table-archive.ts';
import { deviceKind } from './testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, MEMORY_GRACE_MS } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

const POISON = 'poison';
const OTHERS = Array.from({ length: 30 }, (_, index) => `device-${index}`);
const NO_ANSWER = new TransientError('TABLE_OUTCOME_UNKNOWN', 'The service answered 500.');
const DOWN = new TransientError('TABLE_UNAVAILABLE', 'The store is down.');
/** What is waited out before a message is given up, and the time that the rest takes. */
const ISOLATION_MS_MAX = 13_000 + 2_000;

type Regions = TwoRegions<typeof deviceKind>;

/** Whether a transaction writes the entity, or its archive row where it stands alone. */
const writes =
  (id: string) =>
  ({ operations }: Transaction): boolean =>
    operations.some(
      (one) =>
        one.rowKey === id ||
        (one.kind !== 'delete' && one.properties.get('entityId')?.value === id),
    );

async function sendWithPoison(regions: Regions, ids: readonly string[]): Promise<void> {
  for (const id of ids) await regions.east.table.put(id, { label: id });
  await regions.clock.advance(MEMORY_GRACE_MS);
  await regions.drive(regions.east.replicator.sweepOnce());
}

const MIXED = [...OTHERS.slice(0, 9), POISON, ...OTHERS.slice(9)];

async function createRegions(): Promise<Regions> {
  // Each message has one change set, so that the failing one is a message of its own.
  return createTwoRegions(deviceKind, {
    east: { wireVersion: 1 },
    west: { archivesInRounds: true },
  });
}

describe('A4, I15: a message that the store never takes', () => {
  test.each([
    ['5xx', NO_ANSWER],
    ['an error that nobody foresaw', new TypeError('x is not a function')],
  ])('because of %s is dead-lettered alone, and no other waits for it', async (_, error) => {
    const regions = await createRegions();
    const { west, bus, clock, drive } = regions;
    west.store.beforeCommit((transaction) => {
      if (transaction.table === deviceKind.name && writes(POISON)(transaction)) throw error;
    });
    await sendWithPoison(regions, MIXED);
    const { signal } = new AbortController();
    const beganMs = clock.nowMs();
    await drive(west.replicator.receiveOnce(signal));
    expect((await west.table.list(100)).records).toHaveLength(OTHERS.length);
    expect(clock.nowMs() - beganMs).toBeLessThan(3_000);
    // What comes afterwards is applied meanwhile.
    await sendWithPoison(regions, ['later']);
    await drive(west.replicator.receiveOnce(signal));
    expect(await west.table.get('later')).toBeDefined();
    await drive(west.replicator.drain());
    expect(clock.nowMs() - beganMs).toBeLessThan(ISOLATION_MS_MAX);
    const letters = bus.deadLettersOf('west');
    expect(letters).toMatchObject([{ reason: 'ENTITY_UNSTORABLE', deliveryCount: 1 }]);
    await drive(west.replicator.beatOnce());
    expect((await west.status.read())?.notices).toMatchObject([
      { kind: 'message-isolated', detail: expect.stringContaining(POISON) },
    ]);

    west.store.beforeCommit(() => undefined);
    const numbers = new Set(letters.map(({ sequenceNumber }) => sequenceNumber));
    await bus.viewerFor('west').settle(numbers, 'resubmit');
    await drive(west.replicator.receiveOnce(signal));
    expect(await west.table.get(POISON)).toBeDefined();
  });

  test('for a while only is applied when it does', async () => {
    const regions = await createRegions();
    const { west, bus, drive } = regions;
    let failures = 6;
    west.store.beforeCommit((transaction) => {
      if (!writes(POISON)(transaction) || transaction.table !== deviceKind.name) return;
      failures -= 1;
      if (failures >= 0) throw NO_ANSWER;
    });
    await sendWithPoison(regions, MIXED);
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    await drive(west.replicator.drain());
    expect(await west.table.get(POISON)).toBeDefined();
    expect(bus.deadLettersOf('west')).toEqual([]);
  });

  test.each([
    ['the store', ({ table }: Transaction) => table !== ''],
    ['the archive', ({ table }: Transaction) => table === ARCHIVE_TABLE],
    ['the table of the kind', ({ table }: Transaction) => table === deviceKind.name],
  ])('is told from an outage of %s, which costs no delivery', async (_, isDown) => {
    const regions = await createRegions();
    const { west, bus, clock, drive } = regions;
    await sendWithPoison(regions, MIXED);
    let isOver = false;
    west.store.beforeCommit((transaction) => {
      if (!isOver && isDown(transaction)) throw DOWN;
    });
    const ended = clock.sleep(300_000).then(() => (isOver = true));
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    await drive(ended);
    await drive(west.replicator.drain());
    expect((await west.table.list(100)).records).toHaveLength(MIXED.length);
    expect(bus.deadLettersOf('west')).toEqual([]);
    expect(await bus.viewerFor('west').peek('messages', 0n, 100)).toEqual([]);
  });
});

describe('A4, I15: a store that is to blame', () => {
  const OUTAGE_MS = 300_000;

  test('answers writes and no reads: nothing is dead-lettered for it', async () => {
    const regions = await createTwoRegions(deviceKind, {
      west: { archivesInRounds: true, relaysAtOnce: false },
    });
    const { east, west, bus, clock, drive } = regions;
    // Where both have written, the row has to be read.
    for (const { table } of [west, east])
      for (const id of OTHERS) await table.put(id, { label: id });
    const beganMs = clock.nowMs();
    west.store.beforeGet(() => {
      if (clock.nowMs() - beganMs < OUTAGE_MS) throw DOWN;
    });
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    await drive(west.replicator.drain());
    expect(bus.deadLettersOf('west')).toEqual([]);
    west.store.beforeGet(() => undefined);
    await regions.settle();
    expect(west.conflicts).toHaveLength(OTHERS.length);
  });
});

describe('A4, I15: an outbox row that the archive never takes', () => {
  test('holds up no other row and no watermark of others, and is named', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, clock, drive } = regions;
    east.store.beforeCommit((transaction) => {
      if (transaction.table === ARCHIVE_TABLE && writes(POISON)(transaction)) throw NO_ANSWER;
    });
    await east.table.put(POISON, { label: 'stuck' });
    const writtenMs = clock.nowMs();
    await clock.advance(1);
    for (const id of OTHERS) await east.table.put(id, { label: id });
    await clock.advance(MEMORY_GRACE_MS);
    const turn = async (): Promise<void> => {
      await drive(east.replicator.sweepOnce()).catch(() => undefined);
      await drive(west.replicator.receiveOnce(new AbortController().signal));
      await drive(west.replicator.beatOnce());
      await drive(east.replicator.beatOnce());
    };
    await turn();
    expect((await west.table.list(100)).records).toHaveLength(OTHERS.length);
    expect((await west.status.read())?.peers[0]?.passedMs).toBeLessThanOrEqual(writtenMs);

    await clock.advance(60_001);
    await turn();
    const [notice] = (await east.status.read())?.notices ?? [];
    expect(notice).toMatchObject({ kind: 'outbox-row-stuck', detail: NO_ANSWER.code });
    const [, bucket = '', stamp = ''] = notice!.subject.split('/');
    const rows = createDamagedRows({
      store: east.store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      peers: ['west'],
    });
    const address = { table: deviceKind.name, partitionKey: bucket, rowKey: `~o~${stamp}` };
    const aside = await rows.setAside(address);
    await turn();
    expect((await west.status.read())?.peers[0]?.soundMs).toBeGreaterThan(writtenMs);

    east.store.beforeCommit(() => undefined);
    await rows.putBack(aside);
    await turn();
    expect((await west.table.get(POISON))?.entity.label).toBe('stuck');
    expect((await west.status.read())?.peers[0]?.passedMs).toBeGreaterThan(writtenMs);
  });
});
