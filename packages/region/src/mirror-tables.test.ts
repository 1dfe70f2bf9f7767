import type { FieldValue, FieldValues, TableStore } from '@tandem/core';
import { TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createTableLease, MIRROR_LEASE } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { createWorld, drive, regionOf } from './testing/memory-world.ts';

const MIRROR = { home: 'east', to: 'shop', table: 'Plain' } as const;
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const keyOf = (index: number) => ({
  partitionKey: `p ${index % 7}`,
  rowKey: String(index).padStart(6, '0'),
});

async function setUp({ rows = 0, perSecond = 200 } = {}) {
  const world = createWorld();
  const { clock } = world;
  const plain = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  let fault: ((asked: 'read' | 'write') => void) | undefined;
  const shop: TableStore = {
    ...plain,
    async query(range) {
      fault?.('read');
      return plain.query(range);
    },
    async commit(transaction) {
      fault?.('write');
      return plain.commit(transaction);
    },
  };
  const store = createMemoryTableStore();
  const open = () =>
    regionOf(world, {
      region: 'east',
      peer: 'west',
      store,
      openSource: () => shop,
      settings: {
        ServiceBusConnection: 'east.servicebus.example',
        RedundancyServiceBusConnection: 'west.servicebus.example',
        'Peer.Region': 'west',
        'Messages.WireVersion': '7',
        'Tables.Sources': '[{"name":"shop","connection":"https://shop.example"}]',
        'Tables.CopyRowsPerSecond': String(perSecond),
      },
    });
  const east = open();
  await drive(world, east.region.open());
  await clock.advance(5_000);
  await drive(world, east.region.catalogue.create('Events'));
  const events = east.region.openTable('Events');
  for (let from = 0; from < rows; from += 100) {
    const indexes = Array.from({ length: Math.min(100, rows - from) }, (_, index) => from + index);
    await drive(world, Promise.all(indexes.map((one) => events.put(keyOf(one), text(`v${one}`)))));
  }
  const fail = (how?: typeof fault): void => void (fault = how);
  return { world, plain, store, east, events, open, fail };
}

type Opened = Awaited<ReturnType<typeof setUp>>;

/** Everything that the mirror has, by its keys. */
async function mirrored({ plain }: Opened): Promise<Map<string, ReadonlyMap<string, FieldValue>>> {
  const found = new Map<string, ReadonlyMap<string, FieldValue>>();
  let continuation: string | undefined;
  do {
    const page = await plain.query({
      table: 'Plain',
      partitions: { from: '', before: '~' },
      limit: 1_000,
      ...(continuation === undefined ? {} : { continuation }),
    });
    for (const { partitionKey, rowKey, properties } of page.rows) {
      found.set(`${partitionKey}/${rowKey}`, properties);
    }
    ({ continuation } = page);
  } while (continuation !== undefined);
  return found;
}

const begin = ({ world, east }: Opened, mirror: typeof MIRROR | undefined = MIRROR) =>
  drive(world, east.region.catalogue.mirror('Events', mirror));

/** A region that mirrors nothing looks once a minute. */
const FOUND_MS = 60_000;

describe('the mirror of a table', () => {
  test('is equal to it, and follows what is written, deleted and done in transactions', async () => {
    const opened = await setUp({ rows: 1_300 });
    const { world, events, east } = opened;
    await begin(opened);
    await world.clock.advance(FOUND_MS + 30_000);
    expect((await mirrored(opened)).size).toBe(1_300);
    expect((await mirrored(opened)).get('p 4/001033')).toEqual(text('v1033'));
    await drive(world, events.remove(keyOf(14)));
    const { partitionKey } = keyOf(0);
    await drive(
      world,
      events.transact([
        { partitionKey, rowKey: '000000', kind: 'put', values: text('again') },
        {
          partitionKey,
          rowKey: 'new',
          kind: 'put',
          values: new Map([['n', { type: 'Int64', value: 7n }]]),
        },
        { partitionKey, rowKey: '000007', kind: 'remove' },
      ]),
    );
    await world.clock.advance(30_000);
    const after = await mirrored(opened);
    expect(after.size).toBe(1_299);
    expect(after.get('p 0/000000')).toEqual(text('again'));
    expect(after.get('p 0/new')).toEqual(new Map([['n', { type: 'Int64', value: 7n }]]));
    const [progress] = east.region.replication!.status().mirrors;
    expect(progress).toMatchObject({ table: 'Events', rows: 1_299, refused: 0, troubleCode: null });
    expect(progress?.lagMs).toBeLessThan(30_000);
  });

  test('waits for an account that is gone in the middle, names it, and goes on', async () => {
    const opened = await setUp({ rows: 1_300 });
    const { world, east, fail } = opened;
    let commits = 0;
    fail((asked) => {
      if (asked === 'write') commits += 1;
      if (commits > 5) throw new TransientError('TABLE_UNAVAILABLE', 'The account is gone.');
    });
    await begin(opened);
    await world.clock.advance(FOUND_MS + 60_000);
    expect(east.log.of('mirror-interrupted')[0]).toMatchObject({ table: 'Events', to: 'shop' });
    expect(east.region.replication?.liveness()).toEqual({ kind: 'live' });
    expect((await mirrored(opened)).size).toBeLessThan(1_300);
    fail();
    await world.clock.advance(120_000);
    expect((await mirrored(opened)).size).toBe(1_300);
  });

  test('lets the lease go while it keeps the pace, and leaves a table alone that was returned by then', async () => {
    const opened = await setUp({ rows: 1_300, perSecond: 10 });
    const { world, plain, store, east } = opened;
    const { clock } = world;
    await begin(opened);
    // A page of a thousand rows takes a hundred seconds at that pace.
    await clock.advance(FOUND_MS + 10_000);
    const before = await mirrored(opened);
    expect(before.size).toBe(1_000);
    const lease = createTableLease({ store, clock, name: MIRROR_LEASE, holder: 'cli' });
    expect(await drive(world, lease.acquire(30_000))).toBe(true);
    const { catalogue } = east.region;
    const { sinceMs } = (await drive(
      world,
      catalogue.stepReturn('Events', { kind: 'leave', home: 'east' }),
    ))!;
    await drive(world, catalogue.stepReturn('Events', { kind: 'hold', sinceMs }));
    await drive(world, catalogue.stepReturn('Events', { kind: 'left', sinceMs, rows: 1_000 }));
    await drive(world, catalogue.finishReturn('Events'));
    await drive(world, lease.release());
    // The pass would go on behind these, with what the table had before.
    await clock.advance(200_000);
    expect(await mirrored(opened)).toEqual(before);
    expect((await plain.get('Plain', 'p 0', '000000'))?.properties).toEqual(text('v0'));
  });

  test('ends, and is left as it is', async () => {
    const opened = await setUp({ rows: 10 });
    const { world, events, east } = opened;
    await begin(opened);
    await world.clock.advance(FOUND_MS + 20_000);
    expect(await drive(world, east.region.catalogue.mirror('Events', undefined))).toMatchObject(
      MIRROR,
    );
    await drive(world, events.remove(keyOf(1)));
    await world.clock.advance(20_000);
    expect((await mirrored(opened)).size).toBe(10);
    expect(east.region.replication!.status().mirrors).toEqual([]);
  });

  test('is refused where another table is mirrored, and while there is another of the table', async () => {
    const opened = await setUp();
    const { world, east } = opened;
    const { catalogue } = east.region;
    await begin(opened);
    expect(await begin(opened)).toMatchObject(MIRROR);
    await expect(
      drive(world, catalogue.mirror('Events', { ...MIRROR, table: 'Elsewhere' })),
    ).rejects.toThrow('End that first');
    await drive(world, catalogue.create('Others'));
    await expect(
      drive(world, catalogue.mirror('Others', { ...MIRROR, table: 'PLAIN' })),
    ).rejects.toThrow('table Events is mirrored there');
  });
});
