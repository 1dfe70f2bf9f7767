import { type ChangeSet, encodeChangeSet, formatStamp, type OutboundMessage } from '@tandem/core';
import { expect, test } from 'vitest';
import { createTableReplica } from '../tables/table-replica.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { idInBucket, MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { recoveryRegionOf } from '../testing/recovery-regions.ts';
import { createMemoryRegions } from '../testing/two-regions.ts';
import { type ForgettingRegion, findAllTraces, forgetEntity } from './forget-entity.ts';
import { writeReplayRecord } from './replay-into-table.ts';

const NAMES = ['east', 'west', 'north'];
/** In one bucket, so that each lies beside the other everywhere. */
const [ID, OTHER] = ['a', 'b'].map((beginning) => idInBucket(beginning, '00')) as [string, string];
const NOTHING = { rows: 0, archiveRows: 0, conflicts: 0, outboxRows: 0, unreadable: 0 };
const NOWHERE = { ...NOTHING, queued: 0, deadLetters: 0, replayTables: 0 };

async function setUp(more: { readonly relaysAtOnce?: boolean } = {}) {
  const regions = await createMemoryRegions(deviceKind, { east: more, west: {}, north: {} });
  const { bus, clock } = regions;
  const [east, west, north] = regions.regions as [
    (typeof regions.regions)[0],
    (typeof regions.regions)[0],
    (typeof regions.regions)[0],
  ];
  const opened: string[] = [];
  const forgetting = regions.regions.map(
    (region): ForgettingRegion<typeof deviceKind> => ({
      name: region.region,
      kind: deviceKind,
      store: region.store,
      bucketCount: MEMORY_BUCKET_COUNT,
      recovery: recoveryRegionOf(region, deviceKind, NAMES),
      withQueue: (work) => work(bus.viewerFor(region.region)),
      openTable: async () => {
        opened.push(region.region);
        return region.table;
      },
    }),
  );
  let slept = 0;
  const forget = (
    entityId: string,
    {
      waitMs = 60_000,
      isGoing = true,
      signal = new AbortController().signal,
    }: {
      readonly waitMs?: number;
      /** The regions go on while it waits. */
      readonly isGoing?: boolean;
      readonly signal?: AbortSignal;
    } = {},
  ) =>
    forgetEntity({
      regions: forgetting,
      entityId,
      signal,
      waitMs,
      clock: {
        nowMs: () => clock.nowMs(),
        sleep: async (ms) => {
          slept += 1;
          await (isGoing ? regions.settle() : clock.advance(ms));
        },
      },
    });
  /** As when somebody has deleted its rows by hand. */
  const dropRows = async () => {
    for (const { store } of regions.regions) {
      const operations = [{ kind: 'delete' as const, rowKey: ID }];
      await store.commit({ table: deviceKind.name, partitionKey: '00', operations });
    }
  };
  const traces = (entityId: string) => findAllTraces({ regions: forgetting, entityId });
  /** The change set of the entity's first write, as a message. */
  const message = (): OutboundMessage => {
    const set = east.committed.find(({ set: one }) => one.changes[0]?.entityId === ID)!.set;
    return { messageId: 'again', subject: 'change-set', body: encodeChangeSet(set) };
  };
  return {
    ...regions,
    east,
    west,
    north,
    opened,
    forget,
    traces,
    dropRows,
    message,
    slept: () => slept,
  };
}

test('an entity is deleted where it is newest, and erased once every region has that', async () => {
  const { east, west, clock, settle, opened, forget, traces, slept } = await setUp();
  await east.table.put(ID, { label: 'secret' });
  await east.table.put(OTHER, { label: 'kept' });
  await settle();
  await west.table.patch(ID, { label: 'another secret' });
  await clock.advance(0);
  expect(await traces(ID)).toMatchObject([
    { region: 'east', rows: 1, archiveRows: 1, queued: 1, isKnown: true },
    { region: 'west', rows: 1, queued: 0 },
    { region: 'north', rows: 1, queued: 1 },
  ]);
  const left = await forget(ID);
  expect(left).toEqual(NAMES.map((region) => ({ ...NOWHERE, region, isKnown: true })));
  expect(opened).toEqual(['west']);
  expect(slept()).toBe(1);
  for (const one of await traces(OTHER)) expect(one).toMatchObject({ rows: 1, archiveRows: 1 });
  // Again there is nothing to do, nor of one that nobody knows.
  expect(await forget(ID)).toEqual(left);
  expect((await forget('nobody')).map(({ isKnown }) => isKnown)).toEqual([false, false, false]);
  // All have the same by then.
  expect(opened).toEqual(['west', 'east']);
});

test('what no region has a row of any more is erased all the same', async () => {
  const { east, settle, opened, dropRows, forget, traces } = await setUp();
  await east.table.put(ID, { label: 'secret' });
  await settle();
  await dropRows();
  expect(await traces(ID)).toMatchObject(NAMES.map(() => ({ rows: 0, archiveRows: 1 })));
  expect(await forget(ID)).toMatchObject(NAMES.map(() => NOWHERE));
  expect(opened).toEqual([]);
});

test('nothing is erased while a region has not the deletion, and the wait ends', async () => {
  const { east, settle, forget, traces, slept } = await setUp();
  await east.table.put(ID, { label: 'secret' });
  await settle();
  await expect(forget(ID, { waitMs: 3_000, isGoing: false })).rejects.toMatchObject({
    code: 'STATE_NOT_REACHED',
    message: expect.stringContaining('not reached west, north yet'),
  });
  expect(slept()).toBe(3);
  expect(await traces(ID)).toMatchObject(NAMES.map(() => ({ archiveRows: 1 })));
  await expect(forget(ID, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(slept()).toBe(3);
});

test('what lies in an outbox, or in a queue, is waited for, and a dead letter is emptied of it', async () => {
  const { east, bus, settle, drive, dropRows, forget, traces, message } = await setUp({
    relaysAtOnce: false,
  });
  await east.table.put(ID, { label: 'secret' });
  await east.table.put(OTHER, { label: 'kept' });
  expect(await traces(ID)).toMatchObject([{ outboxRows: 1 }, { outboxRows: 0 }, { outboxRows: 0 }]);
  await dropRows();
  await expect(forget(ID, { waitMs: 0 })).rejects.toThrow('not reached east yet');
  await settle();
  await dropRows();
  await bus.publisherFor('west', 'west').publish([message()]);
  await expect(forget(ID, { waitMs: 0 })).rejects.toThrow('not reached west yet');
  const [other] = east.committed.slice(1);
  const letters = [message(), { ...message(), body: other!.encoded }];
  await bus.publisherFor('north', 'north').publish(letters);
  const receiver = bus.receiverFor('north');
  for (const one of await drive(receiver.receive(10, 0))) {
    await receiver.settle(one, { kind: 'dead-letter', reason: 'x', description: 'x' });
  }
  expect(await traces(ID)).toMatchObject([
    { queued: 0, deadLetters: 0 },
    { queued: 1, deadLetters: 0 },
    { queued: 0, deadLetters: 1 },
  ]);
  await settle();
  await dropRows();
  expect(await forget(ID)).toMatchObject(NAMES.map(() => NOWHERE));
  const viewer = bus.viewerFor('north');
  const kept = await viewer.peek('dead-letters', 0n, 10);
  expect(kept.map(({ body }) => body)).toEqual([other!.encoded]);
  const [sent] = await viewer.peek('messages', 0n, 10);
  expect(sent).toMatchObject({
    messageId: expect.stringMatching(/^again~\d+\.0$/),
    subject: 'change-set',
  });
  expect(new TextDecoder().decode(sent!.body)).toContain(`"${ID}"`);
});

/** Of north, where a message died before it was applied. */
async function dieInNorth(
  { bus, drive }: Awaited<ReturnType<typeof setUp>>,
  ...bodies: readonly Uint8Array[]
) {
  const messages = bodies.map((body, n): OutboundMessage => {
    return { messageId: `m${n}`, subject: 'change-set', body };
  });
  await bus.publisherFor('north', 'north').publish(messages);
  const receiver = bus.receiverFor('north');
  for (const one of await drive(receiver.receive(10, 0))) {
    await receiver.settle(one, { kind: 'dead-letter', reason: 'x', description: 'x' });
  }
}

test('what a dead letter holds of others is applied, once the values are out of it', async () => {
  const all = await setUp({ relaysAtOnce: false });
  const { east, north, bus, settle, drive, forget, traces } = all;
  await drive(east.table.put(ID, { label: 'secret' }));
  await drive(east.table.put(OTHER, { label: 'kept' }));
  const sets = east.committed.map(({ encoded }) => encoded);
  // As if an older build of north had refused them both, and east had deleted what it owed.
  const operations = (
    await east.store.query({ table: deviceKind.name, partitions: '00', limit: 100 })
  ).rows
    .filter(({ rowKey }) => rowKey.startsWith('~'))
    .map(({ rowKey }) => ({ kind: 'delete' as const, rowKey }));
  await east.store.commit({ table: deviceKind.name, partitionKey: '00', operations });
  const torn = new TextEncoder().encode(`{"wire":99,"no":"${ID}"}`);
  await dieInNorth(all, packOf([...sets, torn]), torn);
  expect(await traces(ID)).toMatchObject([{}, {}, { deadLetters: 2 }]);
  await expect(forget(ID)).rejects.toMatchObject({
    code: 'RECOVERY_REFUSED',
    message: expect.stringContaining('2 of north'),
    details: { deadLetters: { north: ['2'] } },
  });
  await settle();
  expect((await north.table.get(OTHER))?.entity.label).toBe('kept');
  // The part that nobody can read is dead again, alone.
  const left = await bus.viewerFor('north').peek('dead-letters', 0n, 10);
  expect(left.map(({ body }) => body)).toEqual([torn, torn]);
  await bus
    .viewerFor('north')
    .settle(new Set(left.map(({ sequenceNumber }) => sequenceNumber)), 'discard');
  expect(await forget(ID)).toMatchObject(NAMES.map(() => NOWHERE));
});

test('a dead letter of a later life is left as it is', async () => {
  const all = await setUp();
  const { east, settle, drive, forget, traces } = all;
  await drive(east.table.put(ID, { label: 'secret' }));
  await settle();
  const revived = setOfLaterLife(all.clock.nowMs() + 3_600_000);
  await dieInNorth(all, encodeChangeSet(revived));
  expect(await forget(ID)).toMatchObject([NOWHERE, NOWHERE, { ...NOWHERE, deadLetters: 1 }]);
  expect(await traces(ID)).toMatchObject([{}, {}, { deadLetters: 1 }]);
});

function packOf(sets: readonly Uint8Array[]): Uint8Array {
  const lengths = sets.map(({ length }) => length).join();
  const texts = sets.map((set) => new TextDecoder().decode(set)).join();
  return new TextEncoder().encode(`{"wire":2,"lengths":[${lengths}],"sets":[${texts}]}`);
}

function setOfLaterLife(timeMs: number): ChangeSet {
  const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'later' });
  const fields = new Map([['label', { stamp, value: { type: 'String', value: 'new' } as const }]]);
  const vector = new Map([['east', stamp]]);
  const state = { fields, alive: stamp, deleted: undefined, vector };
  const changes = [{ entityId: ID, operation: 'create', state } as const];
  return { entityKind: deviceKind.name, bucket: '00', stamp, changes };
}

test('a table of a replay that someone has dropped holds nothing', async () => {
  const { east, settle, traces } = await setUp();
  await east.table.put(ID, { label: 'secret' });
  await settle();
  await writeReplayRecord(east.store, 'Dropped', { content: 'all', bucketsDone: [] });
  expect(await traces(ID)).toMatchObject(NAMES.map(() => ({ replayTables: 0 })));
});

test('a table of a replay is erased, too, where the tombstone of the entity is collected since', async () => {
  const { east, settle, dropRows, forget, traces } = await setUp();
  await east.table.put(ID, { label: 'secret' });
  await settle();
  const { store } = east;
  await store.createTable('Copied');
  await writeReplayRecord(store, 'Copied', { content: 'all', bucketsDone: [] });
  const bucketCount = MEMORY_BUCKET_COUNT;
  const copy = createTableReplica({ store, kind: deviceKind, bucketCount, table: 'Copied' });
  const row = (await recoveryRegionOf(east, deviceKind, NAMES).replica.read('00', [ID])).get(ID)!;
  await copy.write('00', [{ entityId: ID, row, stored: undefined }]);
  await dropRows();
  expect(await traces(ID)).toMatchObject([{ replayTables: 1 }, {}, {}]);
  expect(await forget(ID)).toMatchObject(NAMES.map(() => NOWHERE));
});
