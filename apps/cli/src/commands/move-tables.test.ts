import type { FieldValues, TableRow, TableStore } from '@tandem/core';
import {
  createMemoryBus,
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { createRegion } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';

const PEERS = { east: 'west', west: 'east' } as const;
type Name = keyof typeof PEERS;
const NAMES: readonly Name[] = ['east', 'west'];
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const keyOf = (index: number) => ({ partitionKey: `p${index % 5}`, rowKey: String(index) });
const ROWS = 30;
/** Is written by nobody while the table moves. */
const QUIET = { partitionKey: 'q', rowKey: 'quiet' };

/** Two regions that serve a table of the first space. */
async function setUp(
  counts: Readonly<Record<Name, string | undefined>> = { east: '9', west: '9' },
) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const bus = createMemoryBus({ clock, lockDurationMs: 60_000, deliveryCountMax: 3 });
  const slow = { busMs: 0, eastRowsMs: 0, eastRows2Ms: 0 };
  const inEast = createMemoryTableStore({ nowMs: () => clock.nowMs() });
  const stores: Record<Name, TableStore> = {
    east: {
      ...inEast,
      async commit(transaction) {
        if (transaction.table === 'Rows') await clock.sleep(slow.eastRowsMs);
        if (transaction.table === 'Rows2') await clock.sleep(slow.eastRows2Ms);
        return inEast.commit(transaction);
      },
    },
    west: createMemoryTableStore({ nowMs: () => clock.nowMs() }),
  };
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);
  const open = async (region: Name) => {
    const count = counts[region];
    const settings = {
      ServiceBusConnection: `${region}.servicebus.example`,
      RedundancyServiceBusConnection: `${PEERS[region]}.servicebus.example`,
      'Peer.Region': PEERS[region],
      'Messages.WireVersion': '8',
      'Rows.BucketCount': '2',
      ...(count === undefined ? {} : { 'Rows2.BucketCount': count }),
    };
    const made = createRegion({
      region,
      store: stores[region],
      tables: {},
      replicate: true,
      bus: {
        createPublisher: (peer) => {
          const own = bus.publisherFor(peer.region, `${peer.connection}/${peer.queue}`);
          return {
            ...own,
            async publish(...asked) {
              await clock.sleep(slow.busMs);
              return own.publish(...asked);
            },
          };
        },
        createReceiver: ({ connection, queue }) => bus.receiverFor(`${connection}/${queue}`),
        ensureQueue: async () => undefined,
      },
      settings,
      clock,
      randomness: createSeededRandomness(region.charCodeAt(0)),
      logger: createLogger({ service: 'cli', region, level: 'fatal' }),
    });
    await drive(made.open());
    await seedConfiguration({
      store: stores[region],
      definitions: tandemSettings,
      values: settings,
    });
    return made;
  };
  const [east, west] = [await open('east'), await open('west')];
  await clock.advance(10_000);
  const inventory = JSON.stringify({
    version: 1,
    regions: NAMES.map((name) => ({ name, storage: name, serviceBus: `${name}.example` })),
  });
  let runs = 1;
  const runAs = (flags: readonly string[], args: readonly string[]) => {
    const said = { out: '', err: '' };
    const running = runProgram([...flags, ...args], {
      out: (line) => void (said.out += line),
      err: (line) => void (said.err += line),
      isTerminal: false,
      environment: { TANDEM_REGIONS: inventory },
      folder: '/nowhere',
      openStore: (connection) => stores[connection as Name],
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      // The queue of a region is named by the connection of its namespace.
      openQueue: ({ connection, queue }) => bus.viewerFor(`${connection}/${queue}`),
      clock,
      randomness: createSeededRandomness((runs += 1)),
      signal: new AbortController().signal,
    });
    return running.then((code) => {
      const last = flags.length === 0 ? '{}' : said.out.trimEnd().split('\n').at(-1) || '{}';
      return { code, json: JSON.parse(last) as Record<string, unknown>, ...said };
    });
  };
  const run = (...args: readonly string[]) => runAs(['--json'], args);
  const asText = (...args: readonly string[]) => runAs([], ['tables', ...args]);
  const begin = (...args: readonly string[]) => run('tables', ...args);
  const move = (...args: readonly string[]) => begin('move', 'Orders', '--region', 'east', ...args);
  const orders = { east: east.openTable('Orders'), west: west.openTable('Orders') };
  await drive(east.catalogue.create('Orders'));
  for (let index = 0; index < ROWS; index += 1) {
    await drive(orders.east.put(keyOf(index), text('v')));
  }
  await drive(orders.east.remove(keyOf(0)));
  await drive(orders.west.put(QUIET, text('never told')));
  await clock.advance(10_000);
  return { clock, stores, east, west, orders, run, asText, begin, move, drive, slow };
}

/** Returns what stands in the columns of a row, whatever it is packed in as text. */
function textOf({ properties }: TableRow): string {
  return [...properties.values()].map(({ value }) => plainText(value)).join('\n');
}

function plainText(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

const CONFIRMED = ['--apply', '--confirm', 'east'] as const;

describe('a table is moved to more buckets', () => {
  test('while both regions write to it, and nothing that was acknowledged is missing or comes back', async () => {
    const { clock, orders, move, drive, stores } = await setUp();
    expect(await drive(move())).toMatchObject({ code: EXIT.ok, json: { applied: false } });
    const over = new AbortController();
    const told = move(...CONFIRMED).finally(() => over.abort());
    const last = new Map<string, string>();
    const removed = new Set<string>(['0']);
    const failures: unknown[] = [];
    const write = async (name: Name, nth: number): Promise<void> => {
      // Each region has keys of its own, so that the last write of each is known.
      const index = (nth * 2 + (name === 'east' ? 0 : 1)) % ROWS;
      const { rowKey } = keyOf(index);
      try {
        if (nth % 7 === 3) {
          await orders[name].remove(keyOf(index));
          removed.add(rowKey);
          last.delete(rowKey);
        } else {
          await orders[name].put(keyOf(index), text(`${name}${nth}`));
          removed.delete(rowKey);
          last.set(rowKey, `${name}${nth}`);
        }
      } catch (error) {
        failures.push(error);
      }
    };
    const writing = NAMES.map(async (name) => {
      for (let nth = 0; !over.signal.aborted; nth += 1) {
        await write(name, nth);
        await clock.sleep(400);
      }
    });
    const done = await drive(told);
    await drive(Promise.all(writing));
    expect(done).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, move: { state: 'settled', from: 'Rows', to: 'Rows2' } },
    });
    expect(failures).toEqual([]);
    await clock.advance(20_000);
    // Nothing of it is read from the old space any more.
    const pages = [(await drive(orders.east.query())).records];
    pages.push((await drive(orders.west.query())).records);
    for (const records of pages) {
      const shown = new Map(
        records.map(({ rowKey, values }) => [rowKey, values.get('item')?.value]),
      );
      for (const [rowKey, value] of last) expect(shown.get(rowKey), rowKey).toBe(value);
      for (const rowKey of removed) expect(shown.has(rowKey), rowKey).toBe(false);
      expect(shown.get('quiet')).toBe('never told');
      expect(shown.size).toBe(ROWS + 1 - removed.size);
    }
    const partitions = { from: '00', before: '09' };
    const { rows } = await stores.east.query({ table: 'Rows2', partitions, limit: 1_000 });
    expect(new Set(rows.map(({ partitionKey }) => partitionKey)).size).toBeGreaterThan(2);
    expect(await drive(move(...CONFIRMED))).toMatchObject({
      code: EXIT.ok,
      json: { applied: false },
    });
  }, 60_000);

  test('waits for what a slow link brings to the old space', async () => {
    const { orders, move, drive, slow, clock } = await setUp();
    slow.busMs = 20_000;
    await drive(orders.west.put(keyOf(4), text('late')));
    const done = await drive(move(...CONFIRMED));
    expect(done).toMatchObject({ code: EXIT.ok, json: { move: { state: 'settled' } } });
    await clock.advance(5_000);
    expect((await drive(orders.east.get(keyOf(4))))?.values).toEqual(text('late'));
  }, 60_000);

  test('waits for what a region has in its queue, and has not applied', async () => {
    const { orders, move, drive, slow, clock } = await setUp();
    slow.eastRowsMs = 40_000;
    await drive(orders.west.put(keyOf(4), text('late')));
    const done = await drive(move(...CONFIRMED));
    expect(done).toMatchObject({ code: EXIT.ok, json: { move: { state: 'settled' } } });
    await clock.advance(60_000);
    expect((await drive(orders.east.get(keyOf(4))))?.values).toEqual(text('late'));
  }, 60_000);

  test('and forgotten in both spaces then: nothing of a row is left where it lay before', async () => {
    const { move, drive, run, stores, clock } = await setUp();
    expect((await drive(move(...CONFIRMED))).code).toBe(EXIT.ok);
    await clock.advance(5_000);
    const one = [
      'forget',
      '--table',
      'Orders',
      '--partition',
      QUIET.partitionKey,
      '--row',
      QUIET.rowKey,
    ];
    expect(await drive(run(...one, '--apply'))).toMatchObject({ code: EXIT.ok, json: { left: 0 } });
    const partitions = { from: '!', before: '~~' };
    for (const table of ['Rows', 'Rows2', 'Archive']) {
      const { rows } = await stores.west.query({ table, partitions, limit: 1_000 });
      expect(rows.filter((row) => textOf(row).includes('never told'))).toEqual([]);
    }
  }, 60_000);

  test('is left where it is, as long as it is joining', async () => {
    const { east, orders, move, drive, clock } = await setUp();
    await drive(east.catalogue.stepMove('Orders', { kind: 'begin', home: 'east' }));
    await clock.advance(5_000);
    expect(await drive(move('--back', '--apply'))).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, move: null },
    });
    await clock.advance(5_000);
    expect((await drive(orders.west.query())).records).toHaveLength(ROWS);
  });

  test.each([
    ['lacks the space', { east: '9', west: undefined }, 'west has no space'],
    [
      'has another number of buckets there',
      { east: '9', west: '8' },
      'different numbers of buckets',
    ],
  ])('is refused where a region %s', async (_, counts, why) => {
    const { move, drive } = await setUp(counts);
    const told = await drive(move(...CONFIRMED));
    expect(told.code).toBe(EXIT.usage);
    expect(told.err).toContain(why);
  });

  test.each([
    ['where it is moved from', 'east'],
    ['in another region', 'west'],
  ] as const)(
    'and waits for nobody once it was deleted %s, but says so',
    async (_, region) => {
      const { east, west, move, drive, slow, clock } = await setUp();
      slow.busMs = 40_000;
      const told = move(...CONFIRMED);
      await clock.advance(2_000);
      const fromMs = clock.nowMs();
      const { catalogue } = region === 'east' ? east : west;
      await drive(catalogue.remove('Orders'));
      const done = await drive(told);
      expect(done.code).toBe(EXIT.usage);
      expect(done.err).toContain(`was deleted in ${region} 2026-12-01T`);
      expect(done.err).toContain('Once it is restored, repeat the command.');
      expect(clock.nowMs() - fromMs).toBeLessThan(10_000);
    },
    60_000,
  );

  test('no further where it was mirrored in another region at the same time, and goes on once that is ended', async () => {
    const { west, move, drive, slow, clock } = await setUp();
    slow.busMs = 20_000;
    await drive(west.catalogue.mirror('Orders', { home: 'west', to: 'shop', table: 'Plain' }));
    const fromMs = clock.nowMs();
    const told = await drive(move(...CONFIRMED));
    expect(told.code).toBe(EXIT.usage);
    expect(told.err).toContain('Table Orders is mirrored from west since 2026-12-01T');
    expect(told.err).toContain('tandem tables mirror Orders --region west --end --apply');
    expect(clock.nowMs() - fromMs).toBeLessThan(60_000);
    await drive(west.catalogue.mirror('Orders', undefined));
    slow.busMs = 0;
    await clock.advance(60_000);
    expect(await drive(move(...CONFIRMED))).toMatchObject({ json: { move: { state: 'settled' } } });
  }, 60_000);

  test.each([
    ['was taken back', 'cancelled', 'was taken back meanwhile'],
    ['was begun anew in another region', 'begun anew', 'is under way no more: it moves to Rows2'],
  ])(
    'and waits for nobody once the move %s',
    async (_, what, why) => {
      const { east, move, drive, slow, clock } = await setUp();
      slow.busMs = 40_000;
      const told = move(...CONFIRMED);
      await clock.advance(2_000);
      const { sinceMs } = (await drive(east.catalogue.findNow('Orders')))!.table.move!;
      await drive(east.catalogue.stepMove('Orders', { kind: 'cancel', sinceMs }));
      if (what === 'begun anew')
        await drive(east.catalogue.stepMove('Orders', { kind: 'begin', home: 'west' }));
      const done = await drive(told);
      expect(done.code).toBe(EXIT.usage);
      expect(done.err).toContain(why);
    },
    60_000,
  );

  test('and shown on its way: what each region has heard, and how far, how fast and how long it brings over', async () => {
    const { begin, asText, move, drive, slow, clock } = await setUp();
    const status = () => drive(begin('status', 'Orders', '--region', 'east'));
    slow.busMs = 6_000;
    slow.eastRows2Ms = 2_000;
    const told = move(...CONFIRMED);
    await clock.advance(2_000);
    const joining = await status();
    expect(joining.json).toMatchObject({
      moved: {
        move: { state: 'joining', home: 'east' },
        regions: { east: { state: 'joining' }, west: { state: 'not heard', progress: null } },
      },
    });
    const shown = await drive(begin('show', 'Orders', '--region', 'east'));
    expect(shown.json).toMatchObject({ generations: [{ move: { state: 'joining' } }] });
    const inText = await drive(asText('show', 'Orders', '--region', 'east'));
    expect(inText.out).toContain('it moves to Rows2, joining since');
    interface Progress {
      readonly [column: string]: number | null;
    }
    const progressOf = ({ json }: { readonly json: Record<string, unknown> }) =>
      (
        json['moved'] as {
          readonly regions: Record<string, { readonly progress: Progress | null }>;
        }
      ).regions['east']?.progress;
    let progress: Progress | null | undefined;
    for (let looks = 0; looks < 400; looks += 1) {
      progress = progressOf(await status());
      if (progress?.['leftMs']) break;
      await clock.advance(500);
    }
    expect(progress).toMatchObject({ parts: 4 });
    expect(progress?.['partsDone']).toBeGreaterThan(0);
    expect(progress?.['rowsPerSecond']).toBeGreaterThan(0);
    const { out } = await drive(asText('status', 'Orders', '--region', 'east'));
    expect(out).toMatch(/east .* moved \(home\) .* rows, .* change sets .* % /);
    expect(await drive(told)).toMatchObject({ code: EXIT.ok });
    await clock.advance(10_000);
    expect((await status()).json).toMatchObject({ moved: { move: { state: 'settled' } } });
  }, 60_000);

  test('is exported by no command that would see one half of it', async () => {
    const { east, begin, drive, clock } = await setUp();
    await drive(east.catalogue.stepMove('Orders', { kind: 'begin', home: 'east' }));
    await clock.advance(5_000);
    const told = await drive(begin('export', 'Orders', '--region', 'east', '--file', '/nowhere/x'));
    expect(told.code).toBe(EXIT.usage);
    expect(told.err).toContain('moves to another space');
  });
});
