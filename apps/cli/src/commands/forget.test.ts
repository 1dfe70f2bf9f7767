import { bucketOf, inflateChangeSet, pagesOf, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import {
  emptyTable,
  expectReplayable,
  MEMORY_BUCKET_COUNT,
  writeReplayRecord,
} from '@tandem/storage/testing';
import { expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const OTHER = '5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3';
const SECRETS = [
  'zelda.q@example.com',
  'zq.second@example.com',
  'Zeldarina',
  'Quuxworthy',
  '555-01998877',
  'zq.third@example.com',
];

/** Every byte that a table holds, texts as texts and payloads as what they are. */
/** A deflated change set would hide what is looked for. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(inflateChangeSet(bytes)).toString('latin1');
}

async function readRaw(store: TableStore, table: string): Promise<string> {
  let raw = '';
  const range = { table, partitions: { from: '!', before: '~~' }, limit: 1_000 };
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const { partitionKey, rowKey, properties } of page.rows) {
      raw += `${partitionKey} ${rowKey}\n`;
      for (const { value } of properties.values()) {
        raw += `${value instanceof Uint8Array ? textOf(value) : String(value)}\n`;
      }
    }
  }
  return raw;
}

async function findSecrets({ regions }: CliHarness, tables: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { region, store } of [regions.east, regions.west]) {
    for (const table of tables) {
      const raw = await readRaw(store, table);
      for (const secret of SECRETS)
        if (raw.includes(secret)) found.push(`${region} ${table} ${secret}`);
    }
  }
  return found;
}

const TABLES = [customerKind.name, ARCHIVE_TABLE, CONFLICTS_TABLE, 'Replication', 'Configuration'];

/** A life with edits in both regions, a conflict, a deletion, a replay, and company in its change sets. */
async function createLife(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions, run } = harness;
  const { east, west } = regions;
  await Promise.all([
    east.table.put(ID, { email: SECRETS[0]!, firstName: SECRETS[2]!, phoneNumber: SECRETS[4]! }),
    east.table.put(OTHER, { email: 'stays@example.com' }),
  ]);
  await regions.settle();
  await east.table.patch(ID, { lastName: SECRETS[3]!, email: SECRETS[1]! });
  await west.table.patch(ID, { email: SECRETS[5]! });
  await regions.settle();
  await run('replay', '--from', 'east', '--table', 'Copy', '--apply');
  await west.table.remove(ID);
  await regions.settle();
  return harness;
}

/** The program waits for both regions to have the deletion: they go on beside it. */
async function forget(harness: CliHarness) {
  const { regions, run } = harness;
  const keep = { isOn: true };
  const going = (async () => {
    while (keep.isOn) {
      await regions.clock.sleep(500);
      for (const { replicator } of [regions.east, regions.west]) {
        await replicator.sweepOnce();
        await replicator.receiveOnce(new AbortController().signal);
      }
    }
  })();
  const outcome = await run('forget', ID, '--apply');
  keep.isOn = false;
  await regions.drive(going);
  return outcome;
}

test('tandem forget leaves no byte of a person in any table of any region', async () => {
  const harness = await createLife();
  const { regions, run } = harness;
  const tables = TABLES;
  expect((await findSecrets(harness, tables)).length).toBeGreaterThan(10);
  const plan = await run('forget', ID);
  expect(plan).toMatchObject({ code: 0, json: { id: ID, applied: false } });
  const found = plan.json['regions'] as { conflicts: number; replayTables: number }[];
  expect(found).toMatchObject([{ conflicts: 1, replayTables: 1 }, { conflicts: 1 }]);
  expect((await findSecrets(harness, tables)).length).toBeGreaterThan(10);

  const done = { id: ID, applied: true, left: 0 };
  expect(await forget(harness)).toMatchObject({ code: 0, json: done });
  expect(await findSecrets(harness, tables)).toEqual([]);
  for (const secret of SECRETS) {
    expect(await readRaw(regions.east.store, 'Copy')).not.toContain(secret);
  }
});

test('after tandem forget the regions are equal, and a replay brings nothing back', async () => {
  const harness = await createLife();
  const { regions, run } = harness;
  await forget(harness);
  await regions.settle();
  expect(await run('verify')).toMatchObject({ code: 0, json: { equal: true } });
  for (const region of [regions.east, regions.west]) await expectReplayable(region, customerKind);
  expect(await run('replay', '--from', 'west', '--in-place', '--apply')).toMatchObject({ code: 0 });
  expect(await findSecrets(harness, [...TABLES, 'Replayed'].slice(0, 3))).toEqual([]);
  expect(await regions.east.table.get(ID)).toBeUndefined();
  expect((await regions.west.table.get(OTHER))?.entity.email).toBe('stays@example.com');
});

test('tandem forget is not stopped by the table of a replay that someone has dropped', async () => {
  const harness = await createLife();
  const { store } = harness.regions.east;
  await writeReplayRecord(store, 'Dropped', { content: 'all', bucketsDone: [] });
  expect(await forget(harness)).toMatchObject({ code: 0, json: { left: 0 } });
});

test('tandem forget can be repeated, and a later life is a new one', async () => {
  const harness = await createLife();
  const { regions } = harness;
  await forget(harness);
  await regions.east.table.put(ID, { email: 'new@example.com' });
  await regions.settle();
  expect((await regions.west.table.get(ID))?.entity).toMatchObject({
    email: 'new@example.com',
    firstName: null,
  });
  expect(await forget(harness)).toMatchObject({ code: 0, json: { left: 0 } });
  expect(await readRaw(regions.west.store, ARCHIVE_TABLE)).not.toContain('new@example.com');
});

test('tandem forget erases nothing from archives while a region has not heard of it', async () => {
  const harness = await createLife();
  const { regions, run } = harness;
  regions.bus.setDown('east', true);
  const { code, json } = await run('forget', ID, '--apply', '--wait', '5s');
  expect({ code, json }).toMatchObject({ code: 1, json: { error: { code: 'STATE_NOT_REACHED' } } });
  expect((await findSecrets(harness, [ARCHIVE_TABLE])).length).toBeGreaterThan(0);
  regions.bus.setDown('east', false);
  await regions.clock.advance(20_000);
  expect(await forget(harness)).toMatchObject({ code: 0, json: { left: 0 } });
});

test('tandem forget plans for what one region alone has heard of, and refuses what none has', async () => {
  const { regions, run, runWith } = await createCliHarness();
  regions.bus.setDown('west', true);
  await regions.drive(regions.east.table.put(ID, { email: SECRETS[0]! }));
  const { code, json } = await run('forget', ID);
  expect({ code, json }).toMatchObject({ code: 0, json: { id: ID, applied: false } });
  expect(json['regions']).toMatchObject([{ isKnown: true }, { isKnown: false }]);
  expect((await runWith({}, 'forget', ID)).out).toContain(
    `${String(json['left'])} places hold values of ${ID}. Run it again with --apply to erase them.`,
  );
  for (const args of [[], ['--apply']]) {
    expect(await run('forget', OTHER, ...args)).toMatchObject({
      code: 3,
      json: { error: { code: 'NOT_FOUND' } },
      err: `No region has ever heard of ${OTHER}.\n`,
    });
  }
});

test('tandem forget plans for what only conflicts hold, and finds nothing left of what it forgot', async () => {
  const { regions, run } = await createLife();
  for (const { store } of [regions.east, regions.west]) {
    await emptyTable(store, customerKind.name);
    await emptyTable(store, ARCHIVE_TABLE);
  }
  const { code, json } = await run('forget', ID);
  expect({ code, regions: json['regions'] }).toMatchObject({
    code: 0,
    regions: [
      { isKnown: false, conflicts: 1 },
      { isKnown: false, conflicts: 1 },
    ],
  });

  const other = await createLife();
  await forget(other);
  expect(await other.run('forget', ID)).toMatchObject({ code: 0, json: { left: 0 } });
});

test('tandem forget tells of a damaged archive row, which may hold what it cannot see', async () => {
  const harness = await createLife();
  const { store } = harness.regions.east;
  const { partitionKey, rowKey } = await findArchiveRow(store);
  const properties = new Map([['p0', { type: 'String' as const, value: 'torn' }]]);
  const operations = [{ kind: 'upsert' as const, rowKey, properties }];
  await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
  const { code, json } = await forget(harness);
  expect({ code, json }).toMatchObject({ code: 3, json: { left: 0 } });
  expect(json['regions']).toMatchObject([{ unreadable: 1 }, { unreadable: 0 }]);
  // It may be of one that no region has heard of, too.
  const unknown = idsBeside(ID)[0]!;
  expect(await harness.run('forget', unknown)).toMatchObject({
    code: 0,
    json: {
      id: unknown,
      left: 0,
      regions: [{ isKnown: false, unreadable: 1 }, { isKnown: false }],
    },
  });
});

/** Ids of the same bucket. */
function idsBeside(id: string): readonly string[] {
  const ids = Array.from({ length: 90 }, (_, n) => `${id.slice(0, -2)}${n + 10}`);
  const bucket = bucketOf(id, MEMORY_BUCKET_COUNT);
  return ids.filter((one) => one !== id && bucketOf(one, MEMORY_BUCKET_COUNT) === bucket);
}

async function findArchiveRow(store: TableStore) {
  const bucket = bucketOf(ID, MEMORY_BUCKET_COUNT);
  const kind = customerKind.name;
  const partitions = { from: `${kind}-${bucket}-`, before: `${kind}-${bucket}.` };
  const { rows } = await store.query({ table: ARCHIVE_TABLE, partitions, limit: 1 });
  return rows[0]!;
}
