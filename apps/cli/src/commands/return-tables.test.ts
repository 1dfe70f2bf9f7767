import type { FieldValue, FieldValues, TableRow, TableStore } from '@tandem/core';
import { assert, publicETag, rowsIdOf, TransientError } from '@tandem/core';
import {
  createMemoryBus,
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { createRegion, FREEZE_MS } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import {
  createMirrorRecord,
  createTableLease,
  MIRROR_LEASE,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';

const PEERS = { east: 'west', west: 'east' } as const;
type Name = keyof typeof PEERS;
const NAMES: readonly Name[] = ['east', 'west'];
const settingsOf = (region: Name) => ({
  ServiceBusConnection: `${region}.servicebus.example`,
  RedundancyServiceBusConnection: `${PEERS[region]}.servicebus.example`,
  'Peer.Region': PEERS[region],
  'Messages.WireVersion': '7',
  'Tables.Sources':
    '[{"name":"shop","connection":"https://shop"},{"name":"plain","connection":"https://plain"}]',
});
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const keyOf = (index: number) => ({ partitionKey: `p ${index % 3}`, rowKey: String(index) });

/** Two regions that serve a table, and an account that it goes to; an older table may lie behind it. */
async function setUp({ isOld = false }: { readonly isOld?: boolean } = {}) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const bus = createMemoryBus({ clock, lockDurationMs: 60_000, deliveryCountMax: 3 });
  const accounts = {
    shop: createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true }),
    plain: createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true }),
  };
  /**
   * A command stands still for `commandMs` while writes are held, and its clock is `behindMs` behind. Rows of east are written by a
   * machine that is `writesBehindMs` behind the one that tells the time, unless none does.
   */
  const slow = {
    busMs: 0,
    westCommitMs: 0,
    commandMs: 0,
    behindMs: 0,
    writesBehindMs: 0,
    isTimeless: false,
  };
  const faults: Record<'plain' | Name, (call: 'query' | 'get' | 'commit') => void | Promise<void>> =
    {
      plain: () => {},
      east: () => {},
      west: () => {},
    };
  const failing = (store: TableStore, name: keyof typeof faults): TableStore => ({
    ...store,
    async query(range) {
      await faults[name]('query');
      return store.query(range);
    },
    async get(...asked) {
      await faults[name]('get');
      return store.get(...asked);
    },
    async commit(transaction) {
      await faults[name]('commit');
      return store.commit(transaction);
    },
  });
  const plain = failing(accounts.plain, 'plain');
  const inWest = createMemoryTableStore();
  const inEast = createMemoryTableStore({ nowMs: () => clock.nowMs() });
  const stores = {
    east: {
      ...inEast,
      timeMs: async () => (slow.isTimeless ? undefined : clock.nowMs() + slow.writesBehindMs),
    },
    west: {
      ...inWest,
      async commit(transaction: Parameters<TableStore['commit']>[0]) {
        if (transaction.table === 'Rows') await clock.sleep(slow.westCommitMs);
        return inWest.commit(transaction);
      },
    },
  };
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);
  const open = async (name: Name) => {
    const region = createRegion({
      region: name,
      store: stores[name],
      tables: {},
      replicate: true,
      bus: {
        createPublisher: (peer) => {
          const own = bus.publisherFor(peer.region, `${peer.connection}/${peer.queue}`);
          return {
            ...own,
            async publish(...asked) {
              if (name === 'west') await clock.sleep(slow.busMs);
              return own.publish(...asked);
            },
          };
        },
        createReceiver: ({ connection, queue }) => bus.receiverFor(`${connection}/${queue}`),
        ensureQueue: async () => undefined,
      },
      settings: settingsOf(name),
      clock,
      randomness: createSeededRandomness(name.charCodeAt(0)),
      openSource: (connection) => (connection.includes('shop') ? accounts.shop : plain),
      logger: createLogger({ service: 'cli', region: name, level: 'fatal' }),
    });
    await drive(region.open());
    await seedConfiguration({
      store: stores[name],
      definitions: tandemSettings,
      values: settingsOf(name),
    });
    return region;
  };
  const east = await open('east');
  const west = await open('west');
  await clock.advance(10_000);
  const inventory = JSON.stringify({
    version: 1,
    regions: NAMES.map((name) => ({ name, storage: name, serviceBus: `${name}.example` })),
  });
  let runs = 1;
  const output = { isJson: true };
  const begin = (signal: AbortSignal, verb: string, ...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const all = [
      ...(output.isJson ? ['--json'] : []),
      'tables',
      verb,
      'Orders',
      '--region',
      'east',
      ...args,
    ];
    const running = runProgram(all, {
      out: (line) => void (said.out += line),
      err: (line) => void (said.err += line),
      isTerminal: false,
      environment: { TANDEM_REGIONS: inventory },
      folder: '/nowhere',
      openStore: (connection) =>
        connection.includes('plain')
          ? plain
          : connection.includes('shop')
            ? accounts.shop
            : failing(stores[connection as Name], connection as Name),
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      openQueue: () => ({}) as never,
      clock: {
        nowMs: () => clock.nowMs() - slow.behindMs,
        sleep(durationMs, asked) {
          const isLong = durationMs === FREEZE_MS;
          const moreMs = isLong ? slow.commandMs : 0;
          if (isLong) slow.commandMs = 0;
          return clock.sleep(durationMs + moreMs, asked);
        },
      },
      randomness: createSeededRandomness((runs += 1)),
      signal,
    });
    return running.then((code) => {
      const last = (output.isJson && said.out.trimEnd().split('\n').at(-1)) || '{}';
      return { code, json: JSON.parse(last) as Record<string, unknown>, ...said };
    });
  };
  const run = (verb: string, ...args: readonly string[]) =>
    drive(begin(new AbortController().signal, verb, ...args));
  const orders = { east: east.openTable('Orders'), west: west.openTable('Orders') };
  if (isOld) {
    await accounts.shop.createTable('Orders');
    for (let index = 0; index < 6; index += 1) {
      const { partitionKey, rowKey } = keyOf(index);
      const properties = new Map<string, FieldValue>([['item', { type: 'String', value: 'old' }]]);
      const operations = [{ kind: 'upsert' as const, rowKey, properties }];
      await accounts.shop.commit({ table: 'Orders', partitionKey, operations });
    }
    await run('adopt', '--from', 'shop', '--apply');
    await run('take-over', '--apply', '--confirm', 'east');
  } else {
    await drive(east.catalogue.create('Orders'));
    for (let index = 0; index < 6; index += 1) {
      await drive(orders.east.put(keyOf(index), text(`v${index}`)));
    }
  }
  await clock.advance(10_000);
  const mirror = async () => {
    await run('mirror', '--to', 'plain', '--apply');
    await clock.advance(90_000);
  };
  const give = (...args: readonly string[]) =>
    run('return', '--apply', '--confirm', 'east', ...args);
  return {
    clock,
    accounts,
    stores,
    faults,
    slow,
    output,
    east,
    west,
    orders,
    run,
    begin,
    give,
    mirror,
    drive,
  };
}

type Opened = Awaited<ReturnType<typeof setUp>>;

const plainRow = ({ accounts }: Opened, index: number) => {
  const { partitionKey, rowKey } = keyOf(index);
  return accounts.plain.get('Orders', partitionKey, rowKey);
};

async function countRows(store: TableStore, table: string): Promise<number> {
  const partitions = { from: '', before: '\uffff' };
  let count = 0;
  let continuation: string | undefined;
  do {
    const from = continuation === undefined ? {} : { continuation };
    const page = await store.query({ table, partitions, limit: 1_000, ...from });
    count += page.rows.length;
    ({ continuation } = page);
  } while (continuation !== undefined);
  return count;
}

/** Writes a row to the plain table that no region has, as its clients do once it is theirs. */
async function writeOwn(plain: TableStore): Promise<void> {
  const operations = [{ kind: 'upsert' as const, rowKey: 'own', properties: new Map() }];
  await plain.commit({ table: 'Orders', partitionKey: 'p', operations });
}

const readOwn = (plain: TableStore) => plain.get('Orders', 'p', 'own');

describe('I26: a table is returned to a plain one', () => {
  test('with every write that any region acknowledged, and is forwarded to it then', async () => {
    const opened = await setUp();
    const { run, give, mirror, orders, drive, clock, accounts } = opened;
    await mirror();
    const held = (await drive(orders.east.get(keyOf(4))))!.version;
    expect(await run('return')).toMatchObject({
      code: EXIT.ok,
      json: { applied: false, source: null },
    });
    // Acknowledged right before: in the region that mirrors, and in the other.
    await drive(orders.west.put(keyOf(7), text('west')));
    await drive(orders.east.remove(keyOf(1)));
    const page = await drive(orders.east.query({ limit: 2 }));
    const done = await give();
    expect(done).toMatchObject({
      code: EXIT.ok,
      json: {
        applied: true,
        rows: 6,
        generation: '0001',
        source: { state: 'proxy', home: 'east', from: 'plain', table: 'Orders', rows: 6 },
      },
    });
    expect(done.json['heldMs']).toBeLessThanOrEqual(4_000);
    expect((await plainRow(opened, 7))?.properties).toEqual(text('west'));
    expect(await plainRow(opened, 1)).toBeUndefined();
    // It is served from there, under its own ETags; those that clients hold are dead.
    await clock.advance(5_000);
    const seen = (await drive(orders.east.get(keyOf(4))))!;
    expect(publicETag(seen.version)).toBe((await plainRow(opened, 4))?.etag);
    const etag = publicETag(held);
    const condition = { kind: 'etag' as const, etag };
    // A page that was begun before goes on.
    const rest = await drive(orders.east.query({ cursor: page.cursor }));
    expect(page.records.length + rest.records.length).toBe(6);
    expect(await drive(orders.east.put(keyOf(4), text('late'), condition))).toMatchObject({
      kind: 'condition-failed',
    });
    await drive(orders.east.put(keyOf(4), text('forwarded')));
    expect((await plainRow(opened, 4))?.properties).toEqual(text('forwarded'));
    expect(await drive(orders.east.get(keyOf(4)))).toMatchObject({ values: text('forwarded') });
    await expect(drive(orders.west.get(keyOf(4)))).rejects.toMatchObject({
      code: 'TABLE_UNAVAILABLE',
    });
    // Nothing mirrors it any more: what a client writes there stays.
    await writeOwn(accounts.plain);
    await clock.advance(120_000);
    expect(await readOwn(accounts.plain)).toBeDefined();
    expect(await give()).toMatchObject({ code: EXIT.ok, json: { applied: false } });
  });

  test('out of an overlay, with rows of the old table that nobody wrote', async () => {
    const opened = await setUp({ isOld: true });
    const { give, mirror, orders, drive, run } = opened;
    await drive(orders.west.put(keyOf(2), text('new')));
    await drive(orders.west.remove(keyOf(3)));
    await mirror();
    const told = await run('status');
    expect(told).toMatchObject({
      code: EXIT.ok,
      json: { source: { state: 'copied' }, mirrored: { mirror: { to: 'plain' } } },
    });
    expect(told.json['mirrored']).toMatchObject({ progress: { rows: 5 } });
    expect(await give()).toMatchObject({ json: { applied: true, rows: 5 } });
    expect((await plainRow(opened, 0))?.properties).toEqual(text('old'));
    expect((await plainRow(opened, 2))?.properties).toEqual(text('new'));
    expect(await plainRow(opened, 3)).toBeUndefined();
    // And in again, by the ordinary way.
    expect(await run('take-over', '--apply', '--confirm', 'east')).toMatchObject({
      json: { source: { state: 'overlay', from: 'plain' } },
    });
    await drive(orders.east.put(keyOf(0), text('again')));
    expect((await plainRow(opened, 0))?.properties).toEqual(text('old'));
  });

  test('acknowledges no write that the plain table does not have', async () => {
    const opened = await setUp();
    const { begin, mirror, orders, drive, clock } = opened;
    await mirror();
    const acknowledged = new Map<number, string>();
    const over = new AbortController();
    const write = async (region: Name, from: number): Promise<void> => {
      for (let index = from; !over.signal.aborted; index += 1) {
        try {
          const outcome = await orders[region].put(keyOf(index), text(region));
          if (outcome.kind === 'created') acknowledged.set(index, region);
        } catch (error) {
          if (!(error instanceof TransientError)) throw error;
        }
        await clock.sleep(200);
      }
    };
    const writing = Promise.all([write('east', 100), write('west', 10_000)]);
    const args = ['--apply', '--confirm', 'east'];
    const returning = begin(new AbortController().signal, 'return', ...args);
    const done = await drive(returning.finally(() => over.abort()));
    await drive(writing);
    expect(done).toMatchObject({ code: EXIT.ok, json: { applied: true } });
    expect([...acknowledged.values()]).toEqual(expect.arrayContaining(['east', 'west']));
    for (const [index, region] of acknowledged) {
      expect((await plainRow(opened, index))?.properties, `${index}`).toEqual(text(region));
    }
  });

  test('holds the writes of who is served afterwards for six seconds at most, when all others are here', async () => {
    const opened = await setUp();
    const { begin, mirror, orders, drive, clock, slow, faults, east } = opened;
    await mirror();
    slow.busMs = 6_000;
    faults.plain = () => clock.sleep(300);
    await clock.advance(30_000);
    const over = new AbortController();
    const told: { readonly region: Name; readonly index: number; endMs: number; tookMs: number }[] =
      [];
    const write = async (region: Name, from: number): Promise<void> => {
      for (let index = from; !over.signal.aborted; index += 1) {
        const startMs = clock.nowMs();
        try {
          await orders[region].put(keyOf(index), text(region));
          const endMs = clock.nowMs();
          told.push({ region, index, endMs, tookMs: endMs - startMs });
        } catch (error) {
          if (!(error instanceof TransientError)) throw error;
        }
        await clock.sleep(70);
      }
    };
    const sinceMs = new Map<string, number>();
    const watch = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const source = (await east.catalogue.findNow('Orders'))?.table.source;
        const state = source === undefined || source === 'unreadable' ? 'none' : source.state;
        if (!sinceMs.has(state)) sinceMs.set(state, clock.nowMs());
        await clock.sleep(10);
      }
    };
    const beside = Promise.all([write('east', 100), write('west', 10_000), watch()]);
    const args = ['--apply', '--confirm', 'east'];
    const returning = begin(new AbortController().signal, 'return', ...args);
    const ending = async () => {
      const ended = await returning;
      await clock.sleep(500);
      over.abort();
      return ended;
    };
    const done = await drive(ending());
    await drive(beside);
    expect(done).toMatchObject({ code: EXIT.ok, json: { applied: true } });
    const order = [...sinceMs.keys()].filter((state) => state !== 'returned');
    expect(order).toEqual(['none', 'closing', 'returning', 'proxy']);
    const [closingMs, heldMs] = [sinceMs.get('closing')!, sinceMs.get('returning')!];
    // Of west everything is here by then, and east has gone on meanwhile.
    const last = told.findLast(({ region }) => region === 'west')!;
    expect(last.endMs + slow.busMs).toBeLessThan(heldMs);
    expect((await plainRow(opened, last.index))?.properties).toEqual(text('west'));
    const own = told.filter(({ region }) => region === 'east');
    const between = own.filter(({ endMs }) => endMs > closingMs && endMs < heldMs);
    expect(between.length).toBeGreaterThan(100);
    const longestMs = Math.max(...own.map(({ tookMs }) => tookMs));
    expect(longestMs).toBeGreaterThan(3_000);
    expect(longestMs).toBeLessThanOrEqual(6_000);
  });

  test('holds writes for what was written last, however long a pass over the whole table takes', async () => {
    const opened = await setUp();
    const { begin, mirror, orders, drive, clock, slow, faults, accounts, stores } = opened;
    slow.writesBehindMs = 4_000;
    const rows = (of: number) =>
      Array.from({ length: 100 }, (_, index) => ({
        kind: 'put' as const,
        partitionKey: `q${of}`,
        rowKey: String(index),
        values: text('many'),
      }));
    for (let of = 0; of < 25; of += 1) await drive(orders.east.transact(rows(of)));
    await mirror();
    // Each page of the plain table takes so long that a pass takes nine seconds.
    faults.plain = async (call) => void (call === 'query' && (await clock.sleep(3_000)));
    const returning = begin(new AbortController().signal, 'return', '--apply', '--confirm', 'east');
    const told = new Map<string, string>();
    const beside = async () => {
      // Of the first page of a pass, so most of it is written behind that.
      for (let index = 0; ; index += 1) {
        await clock.sleep(300);
        const rowKey = String(index % 100);
        try {
          await orders.east.put({ partitionKey: 'q0', rowKey }, text(`late ${index}`));
          told.set(rowKey, `late ${index}`);
          if (index >= 50) continue;
          await orders.east.remove({ partitionKey: 'q1', rowKey });
          await orders.east.insert({ partitionKey: 'q10 b', rowKey }, text('new'));
        } catch (error) {
          if (error instanceof TransientError) return;
          throw error;
        }
      }
    };
    const [done] = await drive(Promise.all([returning, Promise.race([returning, beside()])]));
    expect(done).toMatchObject({ code: EXIT.ok, json: { applied: true, rows: 2_506 } });
    expect(done.json['heldMs']).toBeLessThanOrEqual(6_000);
    expect(told.size).toBe(100);
    for (const [rowKey, value] of told) {
      const late = await accounts.plain.get('Orders', 'q0', rowKey);
      expect(late?.properties).toEqual(text(value));
    }
    for (let index = 0; index < 50; index += 1) {
      expect(await accounts.plain.get('Orders', 'q1', String(index))).toBeUndefined();
      expect(await accounts.plain.get('Orders', 'q10 b', String(index))).toBeDefined();
    }
    expect(await countRows(accounts.plain, 'Orders')).toBe(2_506);
    expect(await countRows(stores.east, 'Rows')).toBeGreaterThan(2_506);
  });

  test('holds writes for a whole pass, and says so, where nobody can tell what was written since', async () => {
    const opened = await setUp();
    const { give, run, mirror, orders, drive, clock, faults, slow, output, stores, east } = opened;
    await mirror();
    faults.plain = async (call) => void (call === 'query' && (await clock.sleep(3_000)));
    const table = (await drive(east.findTable('Orders')))!.table;
    const record = createMirrorRecord({ store: stores.east, tableId: rowsIdOf(table) });
    const seen = await record.look();
    assert(seen.kind === 'value', 'the mirror has a record');
    output.isJson = false;
    const short = 'and what it takes to compare the rows that were written last';
    expect((await run('return')).out).toContain(`for some 3500ms ${short}`);
    // As long as half of what a tombstone is kept: a deletion since may have left nothing to find.
    await record.put({ ...seen.value, passMs: 45 * 86_400_000 });
    expect((await run('return')).out).not.toContain(short);
    await record.put(seen.value);
    slow.isTimeless = true;
    expect((await run('return')).out).not.toContain(short);
    output.isJson = true;
    await drive(orders.east.remove(keyOf(1)));
    const done = await give();
    expect(done).toMatchObject({ code: EXIT.ok, json: { applied: true, rows: 5 } });
    expect(done.json['heldMs']).toBeGreaterThan(6_000);
  });

  test('stays where somebody else writes to the plain table what was written here last', async () => {
    const { give, mirror, orders, drive, faults, east, accounts } = await setUp();
    await mirror();
    let nth = 0;
    const theirs = (): TableRow['properties'] =>
      new Map([['item', { type: 'String', value: `theirs ${(nth += 1)}` }]]);
    faults.plain = async (call) => {
      const source = (await east.catalogue.findNow('Orders'))?.table.source;
      if (typeof source !== 'object') return;
      if (source.state === 'closing') await orders.east.put(keyOf(4), text('late'));
      if (call !== 'get' || source.state !== 'returning') return;
      const { partitionKey, rowKey } = keyOf(4);
      const operations = [{ kind: 'upsert' as const, rowKey, properties: theirs() }];
      await accounts.plain.commit({ table: 'Orders', partitionKey, operations });
    };
    const failed = await give();
    expect(failed).not.toMatchObject({ code: EXIT.ok });
    expect(failed.err).toContain('somebody else writes to the plain one');
    expect((await drive(east.findTable('Orders')))?.table.source).toBeUndefined();
  });

  test('acknowledges nothing by what a process looked up more than three seconds ago, while a table closes', async () => {
    const { mirror, orders, drive, slow, clock, west, stores } = await setUp();
    await mirror();
    const named = { name: MIRROR_LEASE, holder: 'cli' };
    await drive(createTableLease({ store: stores.west, clock, ...named }).acquire(120_000));
    await drive(west.catalogue.mirror('Orders', undefined));
    await drive(west.catalogue.mirror('Orders', { home: 'west', to: 'plain', table: 'Orders' }));
    const begun = await drive(west.catalogue.stepReturn('Orders', { kind: 'leave', home: 'west' }));
    await clock.advance(FREEZE_MS);
    expect(await drive(orders.west.put(keyOf(50), text('closing')))).toMatchObject({
      kind: 'created',
    });
    slow.westCommitMs = 3_300;
    const writing = orders.west.put(keyOf(51), text('late')).catch((error: unknown) => error);
    await clock.advance(200);
    const hold = { kind: 'hold' as const, sinceMs: begun!.sinceMs };
    await drive(west.catalogue.stepReturn('Orders', hold));
    expect(await drive(writing)).toMatchObject({ code: 'TABLE_OUTCOME_UNKNOWN' });
  });

  test('lets writes go on once more where it was cut off while they were held', async () => {
    const opened = await setUp();
    const { mirror, orders, drive, begin, east, clock, stores } = opened;
    await mirror();
    const named = { name: MIRROR_LEASE, holder: 'cli' };
    const lease = createTableLease({ store: stores.east, clock, ...named });
    await drive(lease.acquire(120_000));
    const begun = await drive(east.catalogue.stepReturn('Orders', { kind: 'leave', home: 'east' }));
    const hold = { kind: 'hold' as const, sinceMs: begun!.sinceMs };
    await drive(east.catalogue.stepReturn('Orders', hold));
    await clock.advance(4_000);
    const startMs = clock.nowMs();
    let tookMs = 0;
    const writing = orders.east
      .put(keyOf(1), text('held'))
      .finally(() => void (tookMs = clock.nowMs() - startMs));
    await drive(lease.release());
    const args = ['--apply', '--confirm', 'east'];
    const returning = begin(new AbortController().signal, 'return', ...args);
    expect(await drive(writing)).toMatchObject({ kind: 'replaced' });
    expect(tookMs).toBeLessThan(1_000);
    expect(await drive(returning)).toMatchObject({ json: { applied: true, rows: 6 } });
    expect((await plainRow(opened, 1))?.properties).toEqual(text('held'));
  });

  test('waits for what another region acknowledged and that is still on its way', async () => {
    const opened = await setUp();
    const { give, mirror, orders, drive, slow, clock } = opened;
    await mirror();
    slow.busMs = 20_000;
    await clock.advance(30_000);
    await drive(orders.west.put(keyOf(50), text('late')));
    expect(await give()).toMatchObject({ json: { applied: true, rows: 7 } });
    expect((await plainRow(opened, 50))?.properties).toEqual(text('late'));
  });

  test('waits for what was acknowledged from memory, by whatever clock up to five seconds behind', async () => {
    const opened = await setUp();
    const { begin, mirror, orders, drive, slow, clock, west } = opened;
    await mirror();
    slow.behindMs = 4_500;
    const args = ['--apply', '--confirm', 'east'];
    const returning = begin(new AbortController().signal, 'return', ...args);
    const hasHeard = async () =>
      (await west.catalogue.findNow('Orders'))?.table.source !== undefined;
    while (!(await drive(hasHeard()))) {
      await drive(west.findTable('Orders'));
      await clock.advance(50);
    }
    await clock.advance(1_800);
    slow.busMs = 30_000;
    const outcome = await drive(orders.west.put(keyOf(50), text('remembered')));
    expect(outcome.kind).toBe('created');
    expect(await drive(returning)).toMatchObject({ json: { applied: true, rows: 7 } });
    expect((await plainRow(opened, 50))?.properties).toEqual(text('remembered'));
  });

  test('says that it is returned where a region is gone behind the end, and goes on then', async () => {
    const { mirror, give, faults, east } = await setUp();
    await mirror();
    faults.west = async () => {
      if ((await east.catalogue.findNow('Orders'))?.table.generation !== 1) return;
      throw new TransientError('TABLE_UNAVAILABLE', 'west is gone.');
    };
    const done = await give();
    expect(done).toMatchObject({ code: EXIT.finding, json: { applied: true, rows: 6 } });
    expect(done.err).not.toContain('Orders stays');
    faults.west = () => {};
    expect(await give()).toMatchObject({ code: EXIT.ok, json: { applied: true } });
  });

  test('says so where somebody takes it back while the others are waited for, or while it is proven', async () => {
    for (const state of ['closing', 'returning']) {
      const { mirror, give, faults, east, orders, drive } = await setUp();
      await mirror();
      let isBack = false;
      faults.plain = async () => {
        const source = (await east.catalogue.findNow('Orders'))?.table.source;
        if (isBack || typeof source !== 'object' || source.state !== state) return;
        isBack = true;
        await east.catalogue.stepReturn('Orders', { kind: 'stay', home: 'east' });
        await orders.east.put(keyOf(1), text('since'));
      };
      const failed = await give();
      expect(failed.code).not.toBe(EXIT.ok);
      expect(failed.err, state).toContain('The return of Orders was taken back meanwhile');
      expect((await drive(east.findTable('Orders')))?.table.source).toBeUndefined();
    }
  });

  test('leaves a write without an answer that may have come too late for it', async () => {
    const opened = await setUp();
    const { begin, mirror, orders, drive, slow, clock } = opened;
    await mirror();
    slow.westCommitMs = 20_000;
    const args = ['--apply', '--confirm', 'east'];
    const returning = begin(new AbortController().signal, 'return', ...args);
    await clock.advance(200);
    const writing = orders.west.put(keyOf(50), text('hung')).catch((error: unknown) => error);
    expect(await drive(returning)).toMatchObject({ json: { applied: true, rows: 6 } });
    slow.westCommitMs = 0;
    expect(await drive(writing)).toMatchObject({
      code: 'TABLE_OUTCOME_UNKNOWN',
      retryable: true,
    });
    expect(await plainRow(opened, 50)).toBeUndefined();
  });

  test('acknowledges nothing that was committed after the memory of a process has ended', async () => {
    const { mirror, orders, drive, slow, clock, east, stores } = await setUp();
    await mirror();
    // As the command has it all the while.
    const named = { name: MIRROR_LEASE, holder: 'cli' };
    await drive(createTableLease({ store: stores.east, clock, ...named }).acquire(120_000));
    slow.westCommitMs = 8_000;
    const writing = orders.west.put(keyOf(50), text('hung')).catch((error: unknown) => error);
    await drive(east.catalogue.stepReturn('Orders', { kind: 'leave', home: 'east' }));
    expect(await drive(writing)).toMatchObject({ code: 'TABLE_OUTCOME_UNKNOWN' });
  });

  test('leaves what clients write to the plain table alone, where two return it at once', async () => {
    const opened = await setUp();
    const { begin, mirror, drive, east, clock, accounts } = opened;
    await mirror();
    const give = () =>
      begin(new AbortController().signal, 'return', '--apply', '--confirm', 'east');
    const both = Promise.all([give(), give()]);
    const isProxy = async () => (await east.catalogue.findNow('Orders'))?.table.generation === 1;
    while (!(await drive(isProxy()))) await clock.advance(100);
    await writeOwn(accounts.plain);
    const [first, second] = await drive(both);
    expect(new Set([first.code, second.code])).toEqual(new Set([EXIT.ok, EXIT.usage]));
    expect(first.err + second.err).toContain('Somebody else has returned table Orders meanwhile');
    expect(await readOwn(accounts.plain)).toBeDefined();
  });

  test('leaves the plain table alone, where a command slept while another returned it', async () => {
    const opened = await setUp();
    const { begin, mirror, slow, clock, accounts, drive, give } = opened;
    await mirror();
    const args = ['--apply', '--confirm', 'east'];
    slow.commandMs = 200_000;
    const sleeping = begin(new AbortController().signal, 'return', ...args);
    // Its lease has ended by then, and the replicator has let the table stay.
    await clock.advance(90_000);
    expect(slow.commandMs).toBe(0);
    expect(await give()).toMatchObject({ json: { applied: true } });
    await writeOwn(accounts.plain);
    expect((await drive(sleeping)).err).toContain('Somebody else has returned table Orders');
    expect(await readOwn(accounts.plain)).toBeDefined();
  });

  test('is refused before anything begins where it could not be whole', async () => {
    const opened = await setUp();
    const { give, mirror, run, accounts, faults, orders, drive, slow } = opened;
    expect((await give()).err).toContain('nothing mirrors it');
    await run('mirror', '--to', 'plain', '--apply');
    expect((await give()).err).toContain('has not been equal yet');
    await mirror();
    const inWest = await run('return', '--back', '--apply', '--region', 'west');
    expect(inWest.err).toContain('east mirrors it. Give that as --region');
    slow.behindMs = 7_000;
    expect((await give()).err).toContain('The clock here is 7');
    slow.behindMs = 0;
    faults.west = () => {
      throw new TransientError('TABLE_UNAVAILABLE', 'west is gone.');
    };
    expect(await give()).not.toMatchObject({ code: EXIT.ok });
    faults.west = () => {};
    // A row that no region could have made is none of the mirror's.
    const rowKey = 'y'.repeat(300);
    const operations = [{ kind: 'upsert' as const, rowKey, properties: new Map() }];
    await accounts.plain.commit({ table: 'Orders', partitionKey: 'x'.repeat(300), operations });
    expect((await give()).err).toContain('would not be all of Orders, and nothing else');
    await drive(orders.west.put(keyOf(1), text('still')));
  });

  test('is taken back only where a return is under way, and its mirror ended only where none is', async () => {
    const { mirror, run, give, drive, east } = await setUp();
    await mirror();
    // What the act would do, and no more, is what is said before it.
    const plans: readonly (readonly string[])[] = [[], ['--apply']];
    for (const act of plans) {
      const none = await run('return', '--back', ...act);
      expect(none).toMatchObject({ code: EXIT.ok, json: { applied: false, source: null } });
      const inWest = await run('return', '--back', '--region', 'west', ...act);
      expect(inWest).toMatchObject({ code: EXIT.failed });
    }
    await drive(east.catalogue.stepReturn('Orders', { kind: 'leave', home: 'east' }));
    for (const act of plans) {
      const ended = await run('mirror', '--end', ...act);
      expect(ended).toMatchObject({ code: EXIT.failed });
      expect(ended.err).toContain('the table is closing');
    }
    for (const [act, applied, source] of [
      [[], false, { state: 'closing' }],
      [['--apply'], true, null],
    ] as const) {
      const back = await run('return', '--back', ...act);
      expect(back).toMatchObject({ code: EXIT.ok, json: { applied, source } });
    }
    await give();
    for (const act of plans) {
      const late = await run('return', '--back', ...act);
      expect(late.json).toMatchObject({ applied: false, source: { state: 'proxy' } });
      expect(late.out).toContain('"applied":false');
    }
  });

  test('stays where the plain account goes while writes are held', async () => {
    const opened = await setUp();
    const { give, mirror, faults, orders, drive, east, run } = opened;
    await mirror();
    let calls = 0;
    faults.plain = () => {
      // The two passes before ask once each, since both are equal; what comes after them fails.
      if ((calls += 1) > 2) throw new TransientError('TABLE_UNAVAILABLE', 'plain is gone.');
    };
    const failed = await give();
    expect(failed).not.toMatchObject({ code: EXIT.ok });
    expect(failed.err).toContain('Orders stays');
    expect((await drive(east.findTable('Orders')))?.table.source).toBeUndefined();
    faults.plain = () => {};
    expect(await drive(orders.west.put(keyOf(1), text('still')))).toMatchObject({
      kind: 'replaced',
    });
    expect(await run('return', '--back', '--apply')).toMatchObject({ code: EXIT.ok });
    expect(await give()).toMatchObject({ json: { applied: true } });
    expect((await plainRow(opened, 1))?.properties).toEqual(text('still'));
  });

  test('goes on where it was cut off, or is let stay by the replicator', async () => {
    const opened = await setUp();
    const { mirror, orders, drive, clock, east, give } = opened;
    await mirror();
    const { catalogue } = east;
    const leave = async () => {
      const begun = await catalogue.stepReturn('Orders', { kind: 'leave', home: 'east' });
      const { sinceMs } = begun!;
      await catalogue.stepReturn('Orders', { kind: 'hold', sinceMs });
      return sinceMs;
    };
    await drive(leave());
    await clock.advance(2_000);
    let isDone = false;
    const held = orders.east.put(keyOf(1), text('held')).finally(() => (isDone = true));
    await clock.advance(500);
    expect(isDone).toBe(false);
    expect(await drive(held)).toMatchObject({ kind: 'replaced' });
    await clock.advance(20_000);
    expect((await drive(east.findTable('Orders')))?.table.source).toBeUndefined();
    // Cut off right behind the point of no return.
    const sinceMs = await drive(leave());
    const left = { kind: 'left' as const, sinceMs, rows: 6 };
    const stay = { kind: 'stay' as const, home: 'east' };
    await drive(catalogue.stepReturn('Orders', left));
    await expect(drive(catalogue.stepReturn('Orders', stay))).rejects.toThrow(
      'clients may have written',
    );
    await clock.advance(90_000);
    expect((await drive(east.findTable('Orders')))?.table).toMatchObject({
      generation: 1,
      source: { state: 'proxy' },
    });
    expect(await give()).toMatchObject({ code: EXIT.ok, json: { applied: true } });
    const generations = await drive(catalogue.generations('Orders'));
    expect(generations[0]?.deletedMs).toBeDefined();
  });
});
