import {
  encodeChangeSet,
  encodeOpenId,
  type FieldValues,
  formatStamp,
  openTableId,
  rowsKind,
  type TableStore,
  writeEntity,
} from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { openRegion, type RegionOpenTable } from '@tandem/region';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  createTableArchive,
  createTableConflictJournal,
  createTableProof,
  createTableRegionHold,
  createTableReplica,
  createTombstoneHorizons,
  recordBucketCount,
  recordRegions,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { emptyTable } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';
import { createCatalogueHarness } from '../testing/cli-harness.ts';

const KEY = { partitionKey: 'Ada Lovelace', rowKey: 'R!1' };
const item = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const ROW = ['--table', 'orders', '--partition', KEY.partitionKey, '--row', KEY.rowKey];

/** A region as a service opens it, with a table of clients, and the program beside it. */
async function setUp(more: (orders: RegionOpenTable) => Promise<unknown> = async () => undefined) {
  const store = createMemoryTableStore();
  const settings = { 'Customer.DataAccess': 'single-region', 'Messages.WireVersion': '4' } as const;
  const region = await openRegion({
    region: 'east',
    store,
    tables: {},
    settings,
    logger: createLogger({ service: 'cli', region: 'east', level: 'fatal' }),
  });
  await region.catalogue.create('Orders');
  const orders = region.openTable('Orders');
  await orders.put(KEY, item('pump'));
  await orders.put({ ...KEY, rowKey: 'r!1' }, item('valve'));
  const beforePipe = new Date(Date.now() + 1).toISOString();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await orders.put(KEY, item('pipe'));
  await region.catalogue.create('Bills');
  await region.openTable('Bills').put(KEY, item('paid'));
  await more(orders);
  // What is relayed late is archived by then.
  await region.stop();
  await seedConfiguration({ store, definitions: tandemSettings, values: settings });
  const run = programOver({ east: store });
  /** What the rows of each table say now, as the store has them. */
  const read = async () => {
    const values = async (table: string) => {
      const tableId = openTableId(table, '0000');
      const found: string[] = [];
      for (let bucket = 0; bucket < 256; bucket += 1) {
        const partitions = bucket.toString(16).padStart(2, '0');
        const range = { table: 'Rows', partitions, rowsFrom: tableId, rowsBefore: `${tableId}~` };
        const { rows } = await store.query({ ...range, limit: 9 });
        found.push(...rows.map(({ properties }) => String(properties.get('item')?.value)));
      }
      return found.toSorted();
    };
    return { orders: await values('orders'), bills: await values('bills') };
  };
  return { run, store, read, times: { beforePipe } };
}

/** The program, beside the stores of regions by their names. */
function programOver(stores: Readonly<Record<string, TableStore>>) {
  const regions = Object.keys(stores).map((name) => ({
    name,
    storage: name,
    serviceBus: `${name}.servicebus.example`,
  }));
  return async (...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const code = await runProgram(['--json', ...args], {
      out: (line) => void (said.out += line),
      err: (line) => void (said.err += line),
      isTerminal: false,
      environment: { TANDEM_REGIONS: JSON.stringify({ version: 1, regions }) },
      folder: '/nowhere',
      openStore: (name) => stores[name]!,
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      openQueue: () => EMPTY_QUEUE,
      clock: createSystemClock(),
      randomness: createSeededRandomness(1),
      signal: new AbortController().signal,
    });
    const last = said.out.trimEnd().split('\n').at(-1) ?? '{}';
    return { code, json: JSON.parse(last) as Record<string, unknown>, err: said.err };
  };
}

const EMPTY_QUEUE = {
  peek: async () => [],
  close: async () => undefined,
} as never;

describe('a table of clients by its own name', () => {
  test('shows the history of one row, its keys as they are, its values with their types', async () => {
    const { run } = await setUp();
    const { code, json } = await run('history', ...ROW);
    expect(code).toBe(EXIT.ok);
    expect(json).toMatchObject({
      table: 'Orders',
      ...KEY,
      entries: [
        { operation: 'create', values: { item: ['String', 'pump'] }, changedFields: ['item'] },
        { operation: 'replace', values: { item: ['String', 'pipe'] }, archives: ['east'] },
      ],
    });
    for (const entry of json['entries'] as object[]) expect(entry).not.toHaveProperty('entity');
  });

  test('forgets one row, and proves it; the one beside it stays', async () => {
    const { run } = await setUp();
    expect(await run('forget', ...ROW)).toMatchObject({ json: { applied: false, ...KEY } });
    expect(await run('forget', ...ROW, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, left: 0 },
    });
    const { json } = await run('history', ...ROW);
    expect(JSON.stringify(json)).not.toMatch(/pump|pipe/);
    const beside = await run('history', ...ROW.slice(0, -1), 'r!1');
    expect(JSON.stringify(beside.json)).toContain('valve');
  });

  test('plans a replay of one row, of a PartitionKey, and of the table', async () => {
    const { run } = await setUp();
    const replay = ['replay', '--from', 'east', '--in-place', '--of', 'Orders'];
    expect(await run(...replay, ...ROW.slice(2))).toMatchObject({
      code: EXIT.ok,
      json: { applied: false, same: 1 },
    });
    for (const of of [[], ROW.slice(2, 4)]) {
      expect(await run(...replay, ...of)).toMatchObject({
        code: EXIT.ok,
        json: { applied: false, same: 2, changes: [] },
      });
    }
    expect(await run(...replay, '--partition', 'nobody')).toMatchObject({ json: { same: 0 } });
  });

  test('plans no deletion again that the table may have collected by an age of its own', async () => {
    const { run, store } = await setUp((orders) => orders.remove(KEY));
    await emptyTable(store, rowsKind.name);
    const planned = async () => {
      const { json } = await run('replay', '--from', 'east', '--in-place', '--of', 'Orders');
      return (json['changes'] as readonly { rowKey: string }[]).map(({ rowKey }) => rowKey);
    };
    expect((await planned()).toSorted()).toEqual(['R!1', 'r!1']);
    const horizons = createTombstoneHorizons({ store, entityKind: rowsKind.name });
    await horizons.raise(Date.now() + 1_000, openTableId('orders', '0000'));
    expect(await planned()).toEqual(['r!1']);
  });

  test('reads one bucket of the archive for a PartitionKey, whose rows all lie there', async () => {
    const { run, store } = await setUp();
    const asked = new Set<string>();
    const { query } = store;
    store.query = async (range) => {
      if (range.table === ARCHIVE_TABLE) asked.add(JSON.stringify(range.partitions));
      return query(range);
    };
    const of = ['--of', 'Orders', '--partition', KEY.partitionKey];
    await run('replay', '--from', 'east', '--in-place', ...of);
    expect([...asked]).toHaveLength(1);
  });

  test('replays one PartitionKey into a table of its own', async () => {
    const { run, store } = await setUp();
    const of = ['--of', 'Orders', '--partition', KEY.partitionKey];
    const replay = ['replay', '--from', 'east', ...of, '--table', 'Copy', '--apply'];
    expect(await run(...replay)).toMatchObject({ code: EXIT.ok, json: { rowsWritten: 2 } });
    const { rows } = await store.query({
      table: 'Copy',
      partitions: { from: '0', before: 'g' },
      limit: 9,
    });
    expect(rows.map(({ properties }) => String(properties.get('item')?.value)).toSorted()).toEqual([
      'pipe',
      'valve',
    ]);
  });

  test('goes back to a time in place, row by row, whatever other tables hold', async () => {
    const { run, times, read } = await setUp();
    const of = ['--of', 'Orders', '--before', times.beforePipe, '--in-place'];
    const replay = ['replay', '--from', 'east', ...of];
    const { json } = await run(...replay);
    expect(json['changes']).toMatchObject([
      { ...KEY, fields: [{ name: 'item', values: { now: { value: ['String', 'pipe'] } } }] },
    ]);
    expect(await run(...replay, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { written: 1, changed: 1, deleted: 0 },
    });
    expect(await read()).toEqual({ orders: ['pump', 'valve'], bills: ['paid'] });
  });

  test('is told from the others in what is at risk, and in conflicts', async () => {
    const { run } = await setUp();
    const of = ['--region', 'east', '--table', 'Orders', '--partition', KEY.partitionKey];
    expect(await run('at-risk', ...of)).toMatchObject({ code: EXIT.ok, json: { lost: [] } });
    expect(await run('conflicts', 'list', ...of)).toMatchObject({ json: { conflicts: [] } });
  });

  test('that there is none of, or a row that is named by halves, is refused', async () => {
    const { run, times } = await setUp();
    const back = ['replay', '--from', 'east', '--in-place', '--before', times.beforePipe];
    const refused = [
      [['history', '--table', 'Sales', '--partition', 'a', '--row', 'b'], /No catalogue has/],
      [['history', '--table', 'no name', '--row', 'b'], /There is no table "no name"/],
      [['history', '--table', 'Orders', '--row', 'b'], /--partition <key> --row <key>/],
      [['history', '--table', 'Catalog', '--partition', 'a', '--row', 'b'], /by --row alone/],
      [['rebuild-region', 'east', '--table', 'Rows'], /one table of clients/],
      [[...back, '--of', 'Rows', '--apply'], /Name one table of clients/],
    ] as const;
    for (const [args, message] of refused) {
      const { code, err } = await run(...args);
      expect(err).toMatch(message);
      expect(code).toBe(EXIT.usage);
    }
  });
});

describe('a table of clients in two regions', () => {
  const ID = (table: string, rowKey: string) =>
    encodeOpenId(openTableId(table, '0000'), { partitionKey: 'p', rowKey });

  /** Regions whose replicator carries the catalogue, with rows of two tables that one region has lost in part. */
  async function setUpTwo() {
    const harness = await createCatalogueHarness();
    const { regions, run } = harness;
    for (const name of ['Orders', 'Bills']) {
      await run('tables', 'create', name, '--region', 'east', '--apply');
    }
    await regions.settle();
    const { east, west } = regions;
    const ids = ['1', '22', '333'].map((row) => ID('orders', row));
    const write = async (store: TableStore, entityId: string, text: string) => {
      const stamp = formatStamp({
        timeMs: regions.clock.nowMs(),
        counter: ids.indexOf(entityId),
        region: 'east',
        writer: 'w',
      });
      const values = new Map([['item', { type: 'String', value: text } as const]]);
      const state = writeEntity(
        { kind: 'put', values },
        { stored: undefined, stamp, policy: 'row', mayTakeBase: true },
      );
      const replica = createTableReplica({ store, kind: rowsKind, bucketCount: 1 });
      const row = { state, referenceId: undefined };
      await replica.write('00', [{ entityId, row, stored: undefined }]);
      const set = {
        entityKind: 'Rows',
        bucket: '00',
        stamp,
        changes: [{ entityId, operation: 'replace' as const, state }],
      };
      await createTableArchive({ store }).append([{ set, encoded: encodeChangeSet(set) }]);
    };
    for (const { store } of [east, west]) {
      await recordBucketCount(store, rowsKind, 1);
      await store.createTable(rowsKind.name);
    }
    for (const row of ['1', '22', '333']) {
      await write(east.store, ID('orders', row), row);
      if (row !== '22') await write(west.store, ID('orders', row), row);
    }
    ids.push(ID('bills', '1'));
    await write(east.store, ID('bills', '1'), 'unpaid');
    return { ...harness, east, west };
  }

  test('I2: is verified and repaired alone: what another table lacks is no difference of it', async () => {
    const { run } = await setUpTwo();
    const verify = await run('verify', '--table', 'Orders', '--rechecks', '0');
    expect(verify).toMatchObject({
      code: EXIT.finding,
      json: {
        table: 'Orders',
        equal: false,
        buckets: [{ rows: { east: 3, west: 2 } }],
        differences: [{ partitionKey: 'p', rowKey: '22' }],
      },
    });
    const repair = ['repair', '--table', 'Orders', '--rechecks', '0'];
    expect(await run(...repair)).toMatchObject({ json: { repairs: [{ rowKey: '22' }] } });
    expect(await run(...repair, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { written: { west: 1 }, equal: true },
    });
    expect(await run('verify', '--table', 'Orders')).toMatchObject({ json: { equal: true } });
    expect(await run('verify', '--table', 'Bills', '--rechecks', '0')).toMatchObject({
      json: { equal: false, different: 1 },
    });
  });

  test('is rebuilt alone, while the region is held for it; not where it is held for more', async () => {
    const { run, west } = await setUpTwo();
    const rebuild = ['rebuild-region', 'west', '--table', 'Orders', '--rechecks', '0', '--apply'];
    const hold = createTableRegionHold({ store: west.store });
    await hold.set({ reason: 'Lost tables: Rows.', sinceMs: 1 });
    const refused = await run(...rebuild);
    expect(refused.err).toContain('without --table, which lets it go');
    const held = await hold.read();
    await hold.release(held!);
    expect(await run(...rebuild)).toMatchObject({
      code: EXIT.ok,
      json: { equal: true, rowsWritten: 1, archiveRowsCopied: 1 },
    });
    expect(await hold.read()).toBeUndefined();
    expect(await createTableProof({ store: west.store }).read()).toBeUndefined();
    expect(await run('verify', '--table', 'Bills', '--rechecks', '0')).toMatchObject({
      json: { equal: false },
    });
  });

  test('is rebuilt alone, and whatever else the region has stays as it is', async () => {
    const { runWith, inventory, east, west } = await setUpTwo();
    await recordRegions(east.store, ['former']);
    // Its services have it from elsewhere, as they have where their queues are.
    const setting = { kind: 'delete', rowKey: 'ServiceBusConnection' } as const;
    const own = { table: CONFIGURATION_TABLE, partitionKey: CONFIGURATION_TABLE };
    await west.store.commit({ ...own, operations: [setting] });
    const read = async () => {
      const range = { table: CONFIGURATION_TABLE, partitions: CONFIGURATION_TABLE, limit: 100 };
      return (await west.store.query(range)).rows;
    };
    const before = await read();
    const environment = { TANDEM_REGIONS: inventory.replaceAll(/,"serviceBus":"[^"]+"/g, '') };
    const args = ['rebuild-region', 'west', '--table', 'Orders', '--rechecks', '0', '--apply'];
    expect(await runWith({ environment }, ...args)).toMatchObject({ code: EXIT.ok });
    expect(await read()).toEqual(before);
  });

  test('I7: gets back what lost in a conflict, with its type, by an ordinary write', async () => {
    const { run, east, west } = await setUpTwo();
    const journal = createTableConflictJournal({
      store: east.store,
      kinds: [rowsKind],
      bucketCount: 1,
    });
    const [row] = (
      await createTableReplica({ store: east.store, kind: rowsKind, bucketCount: 1 }).read('00', [
        ID('orders', '1'),
      ])
    ).values();
    const won = row?.state.fields.get('item');
    const lost = formatStamp({ timeMs: 1, counter: 0, region: 'west', writer: 'w' });
    const value = { type: 'Int64', value: 7n } as const;
    await journal.accept([
      {
        entityKind: 'Rows',
        entityId: ID('orders', '1'),
        stamps: [lost, won!.stamp],
        fields: [{ name: 'item', winner: won!, loser: { stamp: lost, value } }],
        life: undefined,
      },
    ]);
    const of = ['--region', 'east', '--table', 'Orders'];
    const listed = await run('conflicts', 'list', ...of);
    const [conflict] = listed.json['conflicts'] as readonly { readonly conflict: string }[];
    const restore = ['conflicts', 'restore', conflict!.conflict];
    expect(await run(...restore, ...of, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, partitionKey: 'p', rowKey: '1', action: 'set', fields: ['item'] },
    });
    const rows = await createTableReplica({
      store: east.store,
      kind: rowsKind,
      bucketCount: 1,
    }).read('00', [ID('orders', '1')]);
    expect(rows.get(ID('orders', '1'))?.state.fields.get('item')?.value).toEqual(value);
    const refused = await run(...restore, '--region', 'east', '--table', 'Rows');
    expect(refused.err).toContain('Name one table of clients');
    expect(west.region).toBe('west');
  });
});

describe('a table of which a newer build wrote how it is kept', () => {
  test.each([
    ['replicate', 'east,west', 'unreadable'],
    ['policy', 'merge', 'all'],
  ])(
    'is looked for in no rows, whose rules nobody knows here: %s',
    async (name, value, replicate) => {
      const { run, store } = await setUp();
      const rowKey = 'orders=7E0000';
      const { etag, properties } = (await store.get('Catalog', '00', rowKey))!;
      const written = new Map([...properties, [name, { type: 'String', value } as const]]);
      const operations = [{ kind: 'replace', rowKey, etag, properties: written } as const];
      await store.commit({ table: 'Catalog', partitionKey: '00', operations });
      const refused = {
        code: EXIT.usage,
        json: { error: { message: expect.stringContaining('newer build') } },
      };
      expect(await run('forget', ...ROW, '--apply')).toMatchObject(refused);
      expect(await run('history', ...ROW)).toMatchObject(refused);
      const { json } = await run('tables', 'list', '--region', 'east');
      expect(json['tables']).toMatchObject([{ name: 'Bills' }, { replicate }]);
    },
  );
});

describe('a table that is not replicated', () => {
  /** Two regions that each have rows of their own in it, one of them under the same keys in both. */
  const setUpTwo = async () => {
    const stores = { east: createMemoryTableStore(), west: createMemoryTableStore() };
    const settings = {
      'Customer.DataAccess': 'single-region',
      'Messages.WireVersion': '4',
    } as const;
    for (const [name, store] of Object.entries(stores)) {
      const region = await openRegion({
        region: name,
        store,
        tables: {},
        settings,
        logger: createLogger({ service: 'cli', region: name, level: 'fatal' }),
      });
      await region.catalogue.create('Orders', { replicate: 'none' });
      const orders = region.openTable('Orders');
      await orders.put(KEY, item(`pump of ${name}`));
      await orders.put({ ...KEY, rowKey: name }, item(`valve of ${name}`));
      await region.stop();
      await seedConfiguration({ store, definitions: tandemSettings, values: settings });
    }
    const read = async (store: TableStore): Promise<readonly string[]> => {
      const range = { table: 'LocalRows', partitions: { from: '00', before: 'g' }, limit: 99 };
      const { rows } = await store.query({ ...range, rowsBefore: '~' });
      return rows.map(({ properties }) => String(properties.get('item')?.value)).toSorted();
    };
    const readBoth = async () => ({
      east: await read(stores.east),
      west: await read(stores.west),
    });
    return { stores, readBoth, run: programOver(stores) };
  };
  const own = (name: string) => [`pump of ${name}`, `valve of ${name}`];
  const apart = { east: own('east'), west: own('west') };

  test.each([
    ['verify', ['--table', 'Orders']],
    ['repair', ['--table', 'Orders', '--apply']],
    ['rebuild-region', ['west', '--table', 'Orders', '--apply']],
    ['at-risk', ['--region', 'east', '--table', 'Orders']],
    ['replay', ['--from', 'east', '--into', 'west', '--in-place', '--of', 'Orders', '--apply']],
  ])('is neither compared nor carried by %s, which says so', async (name, args) => {
    const { run, readBoth } = await setUpTwo();
    const done = await run(name, ...args);
    expect(done).toMatchObject({
      code: EXIT.usage,
      json: { error: { message: expect.stringContaining('Orders is not replicated') } },
    });
    expect(await readBoth()).toEqual(apart);
  });

  test('is replayed in its own region alone', async () => {
    const { run, stores, readBoth } = await setUpTwo();
    await emptyTable(stores.east, 'LocalRows');
    expect(await readBoth()).toEqual({ ...apart, east: [] });
    const args = ['--from', 'east', '--in-place', '--of', 'Orders', '--apply'];
    expect(await run('replay', ...args)).toMatchObject({ code: EXIT.ok });
    expect(await readBoth()).toEqual(apart);
  });

  test('forgets a row in every region, each of which has another one under its keys', async () => {
    const { run, readBoth } = await setUpTwo();
    const done = await run('forget', ...ROW, '--wait', '1s', '--apply');
    expect(done).toMatchObject({ code: EXIT.ok, json: { applied: true, left: 0 } });
    expect(JSON.stringify(await readBoth())).not.toContain('pump');
    const { json } = await run('history', ...ROW);
    expect(JSON.stringify(json)).not.toContain('pump');
    const beside = await run('history', ...ROW.slice(0, -1), 'west');
    expect(JSON.stringify(beside.json)).toContain('valve of west');
  });
});
