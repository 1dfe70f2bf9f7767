import {
  catalogKind,
  encodeOpenId,
  formatStamp,
  openTableId,
  rowsKind,
  type TableStore,
  writeEntity,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createTableReplica, createTombstoneHorizons, recordBucketCount } from '@tandem/storage';
import { createTableArchiveKeeper, emptyTable } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import {
  type CliHarness,
  createCatalogueHarness,
  createCliHarness,
} from '../testing/cli-harness.ts';

/** What the ids of the rows of a first table Orders begin with. */
const ORDERS = openTableId('orders', '0000');

type Harness = CliHarness<typeof catalogKind>;

const make = ({ run }: Harness, name: string, ...args: readonly string[]) =>
  run('tables', 'create', name, '--region', 'east', ...args, '--apply');

describe('tandem tables', () => {
  test('I21: creates a table that every region has, and lists and shows it', async () => {
    const harness = await createCatalogueHarness();
    const { regions, run, runWith } = harness;
    expect(await run('tables', 'create', 'Orders', '--region', 'east')).toMatchObject({
      code: 0,
      json: { applied: false, exists: false },
    });
    expect((await run('tables', 'list', '--region', 'east')).json['tables']).toEqual([]);
    const settings = ['--policy', 'field', '--tombstone-age', '48h', '--archive-keep', '720h'];
    expect(await make(harness, 'Orders', ...settings)).toMatchObject({
      code: 0,
      json: { applied: true, table: { name: 'Orders', generation: '0000', policy: 'field' } },
    });
    await regions.settle();
    expect(await run('tables', 'create', 'ORDERS', '--region', 'west', '--apply')).toMatchObject({
      code: 0,
      json: { applied: false, exists: true, table: { name: 'Orders' } },
    });
    expect((await run('tables', 'list', '--region', 'west')).json['tables']).toMatchObject([
      {
        name: 'Orders',
        tombstoneAgeMs: 172_800_000,
        archiveKeepMs: 2_592_000_000,
        deletedMs: null,
      },
    ]);
    const shown = await runWith({}, 'tables', 'show', 'orders', '--region', 'west');
    expect(shown.out).toMatch(/0000 +│ current +│ field +│ all/);
  });

  test('deletes a table where its region is named, and brings it back with its rows', async () => {
    const harness = await createCatalogueHarness();
    const { regions, run } = harness;
    await make(harness, 'Orders');
    await regions.settle();
    const remove = ['tables', 'delete', 'Orders', '--region', 'west'];
    expect(await run(...remove)).toMatchObject({ code: 0, json: { applied: false } });
    const refused = await run(...remove, '--apply');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('confirm it with --confirm west');
    expect(await run(...remove, '--apply', '--confirm', 'west')).toMatchObject({
      code: 0,
      json: { applied: true, table: { generation: '0000' } },
    });
    await regions.settle();
    expect(await run('tables', 'show', 'Orders', '--region', 'east')).toMatchObject({
      code: 3,
      json: { current: null, generations: [{ generation: '0000', isDeleted: true }] },
    });
    expect(await run(...remove, '--apply', '--confirm', 'west')).toMatchObject({ code: 3 });
    const restore = ['tables', 'restore', 'Orders', '--region', 'east', '--generation', '0000'];
    expect(await run(...restore)).toMatchObject({ code: 0, json: { applied: false } });
    expect(await run(...restore, '--apply')).toMatchObject({
      code: 0,
      json: { applied: true, table: { generation: '0001', rowsOf: '0000' } },
    });
    // What the act refuses is not planned either.
    for (const act of [[], ['--apply']]) {
      expect(await run(...restore, ...act)).toMatchObject({ code: 1 });
    }
    await regions.clock.advance(8 * 24 * 3_600_000);
    await run('tables', 'delete', 'Orders', '--region', 'east', '--apply', '--confirm', 'east');
    await regions.clock.advance(8 * 24 * 3_600_000);
    for (const act of [[], ['--apply']]) {
      const late = await run('tables', 'restore', 'Orders', '--region', 'east', ...act);
      expect(late.err).toContain('its rows were kept until');
    }
  });

  test.each([
    [['create', 'a-b'], 1, '3 to 63 letters and digits'],
    [['create', 'tables'], 1, 'Choose another name'],
    [['create', 'Orders', '--policy', 'column'], 2, 'Allowed choices are row, field'],
    [['create', 'Orders', '--replicate', 'west'], 1, 'a list of regions is not followed yet'],
    [['create', 'Orders', '--tombstone-age', '1m'], 1, 'It is at least 3600000'],
    [['change', 'Orders', '--tombstone-age', '1h'], 3, 'no table Orders'],
    [['restore', 'Orders', '--generation', '1'], 2, 'four digits or letters'],
    [['show', 'Orders'], 3, 'never had a table Orders'],
    [['restore', 'Orders'], 1, 'no table of that name was deleted'],
  ])('refuses %j', async (args, code, message) => {
    const { run } = await createCatalogueHarness();
    const apply = args[0] === 'show' ? [] : ['--apply'];
    const refused = await run('tables', ...args, '--region', 'east', ...apply);
    expect(refused.code).toBe(code);
    expect(refused.err).toContain(message);
  });

  test('I22: shows how long a table keeps what it had and how far back it goes, and changes that', async () => {
    const harness = await createCatalogueHarness();
    const { regions, run, runWith } = harness;
    await make(harness, 'Orders', '--archive-keep', '720h', '--conflicts-keep', '48h');
    const { store } = regions.east;
    await store.createTable(rowsKind.name);
    await createTableArchiveKeeper({ store }).raiseHorizon(rowsKind.name, 3_600_000, ORDERS);
    await createTombstoneHorizons({ store, entityKind: rowsKind.name }).raise(7_200_000, ORDERS);
    expect(await run('tables', 'show', 'Orders', '--region', 'east')).toMatchObject({
      code: 0,
      json: {
        generations: [
          {
            conflictsKeepMs: 172_800_000,
            kept: { tombstoneAgeMs: 7_776_000_000, archiveKeepMs: 2_592_000_000 },
            archiveFromMs: 3_600_000,
            conflictsFromMs: null,
            tombstonesFromMs: 7_200_000,
          },
        ],
      },
    });
    const shown = await runWith({}, 'tables', 'show', 'Orders', '--region', 'east');
    expect(shown.out).toContain('Archive: kept 720h, goes back to 1970-01-01T01:00:00');
    expect(shown.out).toContain('Conflicts: kept 48h, goes back to its beginning.');
    expect(shown.out).toContain('are collected');
    // Whatever is the matter with that of another table.
    for (const table of ['Archive', 'Conflicts', rowsKind.name]) {
      await store.commit({
        table,
        partitionKey: '~horizon',
        operations: [{ kind: 'insert', rowKey: `${rowsKind.name}~other`, properties: new Map() }],
      });
    }
    expect(await run('tables', 'show', 'Orders', '--region', 'east')).toMatchObject({ code: 0 });
    const change = ['tables', 'change', 'Orders', '--region', 'east'];
    expect(await run(...change)).toMatchObject({ code: 2 });
    expect(await run(...change, '--tombstone-age', '2h')).toMatchObject({
      json: { applied: false },
    });
    expect(await run(...change, '--tombstone-age', '2h', '--apply')).toMatchObject({
      code: 0,
      json: { applied: true, table: { tombstoneAgeMs: 7_200_000, archiveKeepMs: 2_592_000_000 } },
    });
    await regions.settle();
    expect((await run('tables', 'list', '--region', 'west')).json['tables']).toMatchObject([
      { name: 'Orders', tombstoneAgeMs: 7_200_000, conflictsKeepMs: 172_800_000 },
    ]);
  });

  test('says what each command did, or would do, as a person reads it', async () => {
    const { regions, runWith } = await createCatalogueHarness();
    const say = async (verb: string, ...args: readonly string[]) => {
      const name = verb === 'list' ? [] : ['orders'];
      const { out } = await runWith({}, 'tables', verb, ...name, '--region', 'east', ...args);
      return out.trim();
    };
    const confirm = ['--apply', '--confirm', 'east'];
    expect(await say('list')).toBe('There are no tables.');
    expect(await say('create')).toBe('Would create orders. Run it with --apply.');
    expect(await say('create', '--replicate', 'none', '--apply')).toBe(
      'Created orders; every region gets it.',
    );
    expect(await say('list')).toMatch(/orders +│ 0000 +│ row +│ none +│ 2026-/);
    const day = ['--tombstone-age', '24h', '--archive-keep', '48h', '--conflicts-keep', '72h'];
    expect(await say('change', ...day)).toBe(
      'Would change orders in every region. Run it with --apply.',
    );
    expect(await say('change', ...day, '--apply')).toBe('Changed orders; every region gets it.');
    const shown = await say('show');
    for (const told of [
      'Archive: kept 48h, goes back to its beginning.',
      'Conflicts: kept 72h, goes back to its beginning.',
      'Tombstones: kept 24h.',
    ]) {
      expect(shown).toContain(told);
    }
    expect(await say('delete')).toBe('Would delete orders in every region. Run it with --apply.');
    expect(await say('delete', ...confirm)).toContain('Deleted orders; every region gets it.');
    expect(await say('show')).toMatch(/0000 +│ deleted 2026-.*│ row +│ none +│ 0000 +│ 2026-/);
    expect(await say('show')).not.toContain('Archive:');
    expect(await say('restore')).toBe('Would bring orders back. Run it with --apply.');
    expect(await say('restore', '--apply')).toBe('Restored orders; every region gets it.');
    const again = await say('show');
    expect(again).toMatch(/0000 +│ deleted 2026-/);
    expect(again).toMatch(/0001 +│ current +│ row +│ none +│ 0000/);
    await regions.settle();
  });

  test('lists the first two hundred tables, and says how many more there are', async () => {
    const { run, runWith, regions } = await createCatalogueHarness();
    await run('tables', 'create', 'First', '--region', 'east', '--apply');
    const { store } = regions.east;
    const named = (index: number) => `more${String(index).padStart(3, '0')}`;
    const [first] = (await store.query({ table: 'Catalog', partitions: '00', limit: 10 })).rows;
    for (let index = 0; index < 200; index += 1) {
      const { partitionKey, properties } = first!;
      const operations = [
        {
          kind: 'insert' as const,
          rowKey: first!.rowKey.replace('first', named(index)),
          properties,
        },
      ];
      await store.commit({ table: 'Catalog', partitionKey, operations });
    }
    const { out } = await runWith({}, 'tables', 'list', '--region', 'east');
    expect(out).toContain('1 more');
    const { json } = await run('tables', 'list', '--region', 'east');
    expect(json['tables']).toHaveLength(201);
  });

  test('a plan to create a table is refused as the act would be, and names the table that there is', async () => {
    const harness = await createCatalogueHarness();
    await make(harness, 'Orders', '--policy', 'field');
    for (const act of [[], ['--apply']]) {
      const create = ['tables', 'create', 'ORDERS', '--region', 'east', ...act];
      const other = await harness.run(...create, '--policy', 'row');
      expect(other.code).toBe(1);
      const same = await harness.runWith({}, ...create);
      expect({ code: same.code, out: same.out.trim() }).toEqual({ code: 0, out: 'Orders exists.' });
    }
  });

  test('a policy is not changed under a live table', async () => {
    const harness = await createCatalogueHarness();
    await make(harness, 'Orders');
    const refused = await make(harness, 'orders', '--policy', 'field');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('fixed while the table lives. Delete the table');
  });
});

describe('a command on another table than that of the customers', () => {
  test('takes ids as they are, and shows values with their types', async () => {
    const harness = await createCatalogueHarness();
    const { regions, run } = harness;
    await make(harness, 'Orders', '--tombstone-age', '1h');
    await regions.settle();
    const history = await run('history', '--table', 'catalog', '--row', 'orders~0000');
    expect(history).toMatchObject({ code: 0, json: { table: 'Catalog', id: 'orders~0000' } });
    expect(history.json['entries']).toMatchObject([
      {
        operation: 'create',
        entity: { name: 'Orders', tombstoneAgeMs: '3600000' },
        values: { name: ['String', 'Orders'], tombstoneAgeMs: ['Int64', '3600000'] },
        archives: ['east', 'west'],
      },
    ]);
    const other = await run('history', '--table', 'Catalog', 'Orders~0000');
    expect(other.code).toBe(2);
    expect(other.err).toContain('"Orders~0000" is no id of Catalog');
    expect(await run('verify', '--table', 'Catalog')).toMatchObject({
      code: 0,
      json: { table: 'Catalog', equal: true, buckets: [{ bucket: '00', rows: { east: 1 } }] },
    });
    expect(await run('at-risk', '--table', 'Catalog', '--region', 'east')).toMatchObject({
      code: 0,
    });
    expect(await run('repair', '--table', 'Catalog')).toMatchObject({ code: 0 });
    const replay = ['replay', '--of', 'Catalog', '--from', 'east', '--row', 'orders~0000'];
    expect(await run(...replay, '--table', 'Copies', '--apply')).toMatchObject({ code: 0 });
    // Neither takes anything back.
    const before = new Date(regions.clock.nowMs()).toISOString();
    for (const where of [['--in-place'], ['--table', 'Old', '--before', before]]) {
      expect(await run(...replay, ...where)).toMatchObject({ code: 0 });
    }
  });

  test('names the tables there are where it knows none of that name, and wants one row', async () => {
    const { run } = await createCatalogueHarness();
    const refused = await run('verify', '--table', 'Nothing');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('No catalogue has a table "Nothing".');
    const other = await run('verify', '--table', 'no name');
    expect(other.err).toContain(
      'There is no table "no name" for this command; there is Customers,',
    );
    for (const args of [[], ['orders~0000', '--row', 'orders~0000']]) {
      expect(await run('history', '--table', 'Catalog', ...args)).toMatchObject({ code: 2 });
    }
  });

  test('never takes back what was created or deleted in the catalogue', async () => {
    const harness = await createCatalogueHarness();
    const { regions, run } = harness;
    await make(harness, 'Orders');
    await regions.settle();
    const of = ['--of', 'Catalog', '--from', 'east', '--in-place', '--before', '2026-01-01'];
    for (const args of [
      ['forget', '--table', 'Catalog', 'orders~0000', '--apply'],
      ['replay', ...of, '--before-archive', '--apply', '--confirm', 'east'],
      ['conflicts', 'restore', 'abc', '--table', 'Catalog', '--region', 'east', '--apply'],
    ]) {
      const refused = await run(...args);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain('tandem tables create, delete and restore keep its rules');
    }
    expect((await run('tables', 'list', '--region', 'east')).json['tables']).toHaveLength(1);
  });
});

test('status counts what is owed of the catalogue beside the customers', async () => {
  const { regions, run } = await createCliHarness();
  await recordBucketCount(regions.east.store, catalogKind, 1);
  await regions.east.store.createTable(catalogKind.name);
  await run('tables', 'create', 'Orders', '--region', 'east', '--apply');
  const { json } = await run('status');
  expect(json['regions']).toMatchObject([
    { region: 'east', owedToAll: 1, directions: [{ peer: 'west', owedChanges: 1 }] },
    { region: 'west', owedToAll: 0 },
  ]);
});

test('doctor misses the table of the catalogue in a region that had it', async () => {
  const { regions, run } = await createCliHarness();
  const missed = async () => {
    const { json } = await run('doctor');
    const findings = json['findings'] as readonly { region: string; finding: string }[];
    return findings
      .filter(({ finding }) => finding.includes('Catalog'))
      .map(({ region }) => region);
  };
  expect(await missed()).toEqual([]);
  await recordBucketCount(regions.west.store, catalogKind, 1);
  expect(await missed()).toEqual(['west']);
});

test('rebuild-region fills the catalogue too, before the region is let go', async () => {
  const customers = await createCliHarness();
  const catalogue = await createCatalogueHarness();
  await make(catalogue, 'Orders');
  // What east has of both kinds.
  const { east, west } = customers.regions;
  const { store } = catalogue.regions.east;
  await east.store.createTable('Catalog');
  const rows = await store.query({ table: 'Catalog', partitions: '00', limit: 10 });
  for (const { partitionKey, rowKey, properties } of rows.rows) {
    const operations = [{ kind: 'insert', rowKey, properties }] as const;
    await east.store.commit({ table: 'Catalog', partitionKey, operations });
  }
  for (const { name } of [catalogKind, rowsKind]) await recordBucketCount(east.store, { name }, 1);
  await east.store.createTable(rowsKind.name);
  await writeOpenRow(east.store);
  await emptyTable(west.store, customerKind.name);
  expect(await customers.run('rebuild-region', 'west', '--apply')).toMatchObject({
    code: 0,
    json: { equal: true },
  });
  const listed = await customers.run('tables', 'list', '--region', 'west');
  expect(listed.json['tables']).toMatchObject([{ name: 'Orders' }]);
  for (const table of ['Catalog', 'Rows']) {
    expect(await customers.run('verify', '--table', table)).toMatchObject({
      code: 0,
      json: { buckets: [{ rows: { east: 1, west: 1 } }] },
    });
  }
  const restoring = ['conflicts', 'restore', 'one', '--region', 'east', '--table', 'Rows'];
  const refused = await customers.run(...restoring);
  expect(refused.err).toContain('Name one table of clients');
});

const OPEN_ID = encodeOpenId(openTableId('orders', '0000'), { partitionKey: 'p', rowKey: 'r' });

async function writeOpenRow(store: TableStore): Promise<void> {
  const stamp = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
  const value = { type: 'Double', value: 1.5 } as const;
  const state = writeEntity(
    { kind: 'put', values: new Map([['amount', value]]) },
    { stored: undefined, stamp, policy: rowsKind.policy },
  );
  const row = { state, referenceId: undefined };
  const replica = createTableReplica({ store, kind: rowsKind, bucketCount: 1 });
  await replica.write('00', [{ entityId: OPEN_ID, row, stored: undefined }]);
}
