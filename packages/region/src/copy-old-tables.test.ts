import type { FieldValues, TableStore } from '@tandem/core';
import { openTableId, publicETag, TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createCopyRecord } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { FREEZE_MS } from './open-tables.ts';
import { createWorld, drive, regionOf } from './testing/memory-world.ts';

const SOURCE = { home: 'east', from: 'shop', table: 'Plain' } as const;
const TABLE_ID = openTableId('events', '0000');
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);

async function setUp({ rows = 2_500, settings = {} }: { rows?: number; settings?: object } = {}) {
  const world = createWorld();
  const { clock } = world;
  const plain = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  await plain.createTable('Plain');
  for (let index = 0; index < rows; index += 1) await putPlain(plain, keyOf(index), `v${index}`);
  let fault: (() => void) | undefined;
  const shop: TableStore = {
    ...plain,
    async query(range) {
      fault?.();
      return plain.query(range);
    },
  };
  const stores = { east: createMemoryTableStore(), west: createMemoryTableStore() };
  const open = (region: 'east' | 'west', peer: string) =>
    regionOf(world, {
      region,
      peer,
      store: stores[region],
      openSource: () => shop,
      settings: {
        ServiceBusConnection: `${region}.servicebus.example`,
        RedundancyServiceBusConnection: `${peer}.servicebus.example`,
        'Peer.Region': peer,
        'Messages.WireVersion': '7',
        'Tables.Sources': '[{"name":"shop","connection":"https://shop.example"}]',
        ...settings,
      },
    });
  const [east, west] = [open('east', 'west'), open('west', 'east')];
  await drive(world, Promise.all([east.region.open(), west.region.open()]));
  await clock.advance(5_000);
  await drive(world, east.region.catalogue.adopt('Events', { ...SOURCE, rows }));
  await drive(world, east.region.catalogue.advance('Events', { kind: 'freeze' }));
  return { world, plain, stores, east, west, fail: (how?: () => void) => void (fault = how) };
}

const keyOf = (index: number): { partitionKey: string; rowKey: string } => ({
  partitionKey: `p${index % 7}`,
  rowKey: String(index).padStart(6, '0'),
});

async function putPlain(
  shop: TableStore,
  { partitionKey, rowKey }: { partitionKey: string; rowKey: string },
  value: string,
): Promise<void> {
  const properties = new Map([['item', { type: 'String' as const, value }]]);
  const operations = [{ kind: 'upsert' as const, rowKey, properties }];
  await shop.commit({ table: 'Plain', partitionKey, operations });
}

type Opened = Awaited<ReturnType<typeof setUp>>;

async function overlay({ world, east }: Opened): Promise<void> {
  const { catalogue } = east.region;
  const { sinceMs } = await drive(world, catalogue.advance('Events', { kind: 'freeze' }));
  await world.clock.advance(FREEZE_MS);
  const event = { kind: 'overlay' as const, lastWrittenMs: world.clock.nowMs(), sinceMs };
  await drive(world, catalogue.advance('Events', event));
}

const stateOf = async ({ world, east }: Opened) => {
  const source = (await drive(world, east.region.catalogue.findNow('Events')))?.table.source;
  return typeof source === 'object' ? source : undefined;
};

async function untilCopied(opened: Opened, withinMs = 120_000): Promise<void> {
  const { clock } = opened.world;
  const endMs = clock.nowMs() + withinMs;
  while ((await stateOf(opened))?.state !== 'copied' && clock.nowMs() < endMs) {
    await clock.advance(1_000);
  }
  expect((await stateOf(opened))?.state).toBe('copied');
}

const recordOf = async ({ stores }: Opened) => {
  const seen = await createCopyRecord({ store: stores.east, tableId: TABLE_ID }).look();
  return seen.kind === 'value' ? seen.value : undefined;
};

/** Every row that a region has of its own. */
async function ownRows(store: TableStore): Promise<number> {
  const range = { table: 'Rows', partitions: { from: '00', before: '99' }, rowsBefore: '~' };
  let count = 0;
  let continuation: string | undefined;
  do {
    const more = continuation === undefined ? {} : { continuation };
    const page = await store.query({ ...range, limit: 1_000, ...more });
    count += page.rows.length;
    ({ continuation } = page);
  } while (continuation !== undefined);
  return count;
}

describe('I26: the copier', () => {
  test('brings every old row into every region as it was, and keeps what clients wrote', async () => {
    const opened = await setUp();
    const { world, east, west, plain, stores } = opened;
    await overlay(opened);
    const events = east.region.openTable('Events');
    await drive(world, events.put(keyOf(2_000), text('new')));
    await drive(world, events.remove(keyOf(2_100)));
    await untilCopied(opened);
    expect(await stateOf(opened)).toMatchObject({ copy: { read: 2_500, written: 2_498 } });
    await world.clock.advance(60_000);
    expect([await ownRows(stores.east), await ownRows(stores.west)]).toEqual([2_500, 2_500]);
    const inWest = west.region.openTable('Events');
    expect(await drive(world, inWest.get(keyOf(2_000)))).toMatchObject({ values: text('new') });
    expect(await drive(world, inWest.get(keyOf(2_100)))).toBeUndefined();
    const { partitionKey, rowKey } = keyOf(1_234);
    const old = await plain.get('Plain', partitionKey, rowKey);
    for (const table of [events, inWest]) {
      const row = await drive(world, table.get(keyOf(1_234)));
      expect(row?.values).toEqual(text('v1234'));
      expect(publicETag(row!.version)).toBe(old?.etag);
    }
    expect(west.region.replication?.status().sinceStart).toMatchObject({
      deadLettered: 0,
      conflicts: 0,
    });
    expect(east.region.replication?.status()).toMatchObject({
      copies: [{ table: 'Events', read: 2_500, refused: 0, stray: 0, leftMs: 0 }],
      sinceStart: { copied: 2_498 },
    });
  });

  test('takes a table that was left frozen on into the overlay', async () => {
    const opened = await setUp({ rows: 10 });
    await untilCopied(opened);
    expect((await stateOf(opened))?.lastWrittenMs).toBeGreaterThan(0);
  });

  test('waits for the whole of a freeze that follows one that was given back', async () => {
    const opened = await setUp({ rows: 10 });
    const { world, east } = opened;
    const { catalogue } = east.region;
    // By then the copier, which looks now and then, has seen it frozen.
    await world.clock.advance(15_000);
    await drive(world, catalogue.advance('Events', { kind: 'thaw' }));
    await drive(world, catalogue.advance('Events', { kind: 'freeze' }));
    const startedMs = world.clock.nowMs();
    await untilCopied(opened);
    expect(world.clock.nowMs() - startedMs).toBeGreaterThanOrEqual(2 * FREEZE_MS);
  });

  test('goes no faster than it is told to, and says how long it goes on', async () => {
    const opened = await setUp({ settings: { 'Tables.CopyRowsPerSecond': '100' } });
    const { world, east } = opened;
    await overlay(opened);
    const startedMs = world.clock.nowMs();
    await world.clock.advance(15_000);
    const [copy] = east.region.replication!.status().copies;
    expect(copy?.read).toBeGreaterThan(999);
    expect(copy?.read).toBeLessThan(2_500);
    expect(copy?.leftMs).toBeGreaterThan(0);
    await untilCopied(opened);
    expect(world.clock.nowMs() - startedMs).toBeGreaterThan(19_000);
  });

  test('waits for a source that is gone, names it, and goes on where it was', async () => {
    const opened = await setUp({ settings: { 'Tables.CopyRowsPerSecond': '100' } });
    const { world, east, fail } = opened;
    await overlay(opened);
    await world.clock.advance(15_000);
    fail(() => {
      throw new TransientError('TABLE_UNAVAILABLE', 'The account is gone.');
    });
    await world.clock.advance(60_000);
    const before = await recordOf(opened);
    expect(before).toMatchObject({ trouble: 'TABLE_UNAVAILABLE: The account is gone.' });
    expect(east.log.of('copy-interrupted')[0]).toMatchObject({ table: 'Events', source: 'shop' });
    expect(east.region.replication?.liveness()).toEqual({ kind: 'live' });
    fail();
    await untilCopied(opened);
    expect(await recordOf(opened)).toMatchObject({ read: 2_500, trouble: '' });
  });

  test('names the rows that somebody wrote past us', async () => {
    const opened = await setUp({ rows: 20 });
    const { world, plain, east, fail } = opened;
    await overlay(opened);
    await drive(world, east.region.openTable('Events').merge(keyOf(3), text('ours')));
    // Before the copier comes by.
    fail(() => {
      throw new TransientError('TABLE_UNAVAILABLE', 'The account is gone.');
    });
    await world.clock.advance(1_500);
    await putPlain(plain, keyOf(3), 'past us');
    await putPlain(plain, keyOf(30), 'past us too');
    fail();
    await untilCopied(opened);
    const record = await recordOf(opened);
    expect(record).toMatchObject({ strayCount: 2 });
    expect(record?.stray.map(({ rowKey }) => rowKey).toSorted()).toEqual(['000003', '000030']);
    expect(east.log.of('copy-stray-rows')).toHaveLength(1);
  });

  test('is not complete while there is a row that no region can have, and copies the others', async () => {
    const opened = await setUp({ rows: 20 });
    const { plain, world, stores } = opened;
    const long = { partitionKey: 'x'.repeat(300), rowKey: 'y'.repeat(300) };
    await putPlain(plain, long, 'too long');
    await overlay(opened);
    await world.clock.advance(20_000);
    expect((await stateOf(opened))?.state).toBe('overlay');
    expect(await ownRows(stores.east)).toBe(20);
    expect(opened.east.log.of('copy-incomplete')[0]).toMatchObject({
      refused: 1,
      rows: [{ rowKey: long.rowKey }],
    });
    const gone = [{ kind: 'delete' as const, rowKey: long.rowKey }];
    await plain.commit({ table: 'Plain', partitionKey: long.partitionKey, operations: gone });
    await world.clock.advance(500_000);
    // Not again and again meanwhile: the whole table would be read each time.
    expect(opened.east.log.of('copy-incomplete')).toHaveLength(1);
    await untilCopied(opened, 200_000);
  });
});
