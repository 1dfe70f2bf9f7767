import { bucketNames, type TableStore, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { ARCHIVE_TABLE, createTableRowScanner } from '@tandem/storage';
import { emptyTable, expectReplayable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const IDS = Array.from({ length: 8 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047c18${n}`);
const [ID = ''] = IDS;

type Seen = Readonly<Record<string, unknown>>;

/** What a reader is answered: the live customers by id. */
async function readLive({ regions }: CliHarness, name: 'east' | 'west'): Promise<Seen> {
  const { records } = await regions[name].table.list(1_000);
  return Object.fromEntries(records.map(({ entityId, entity }) => [entityId, entity]));
}

/** The same of a table that a replay made. */
async function readTable(store: TableStore, table: string): Promise<Seen> {
  const seen: Record<string, unknown> = {};
  const fields = [...customerKind.edmTypes.keys()];
  for (const bucket of bucketNames(MEMORY_BUCKET_COUNT)) {
    for await (const row of createTableRowScanner({ store, kind: customerKind, table }).scan(
      bucket,
    )) {
      if (row.kind === 'damaged') throw new Error(row.problem);
      const { alive = '', deleted = '', fields: values } = row.row.state;
      if (alive < deleted) continue;
      const entity = fields.map((name) => [name, values.get(name)?.value?.value ?? null]);
      seen[row.row.entityId] = Object.fromEntries(entity);
    }
  }
  return seen;
}

interface Point {
  readonly atMs: number;
  readonly seen: Seen;
}

/** Random writes in both regions; after each, what a reader was answered at that time. */
async function createHistory(harness: CliHarness, count: number): Promise<readonly Point[]> {
  const { regions } = harness;
  const random = createSeededRandomness(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.fraction() * items.length)]!;
  const points: Point[] = [];
  for (let n = 0; n < count; n += 1) {
    const { table } = regions[pick(['east', 'west'] as const)];
    const id = pick(IDS);
    const kind = pick(['put', 'put', 'patch', 'patch', 'remove'] as const);
    if (kind === 'put') await table.put(id, { email: `${n}@example.com`, firstName: `first ${n}` });
    if (kind === 'patch') await table.patch(id, { phoneNumber: `555-${n}` });
    if (kind === 'remove') await table.remove(id);
    await regions.settle();
    await regions.clock.advance(5);
    points.push({ atMs: regions.clock.nowMs(), seen: await readLive(harness, 'east') });
    await regions.clock.advance(5);
  }
  return points;
}

function at(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

describe('tandem replay', () => {
  test('I5: to 50 points in time into new tables, each as a reader was answered then', async () => {
    const harness = await createCliHarness();
    const points = await createHistory(harness, 50);
    for (const [index, { atMs, seen }] of points.entries()) {
      const table = `Replay${index}`;
      const from = index % 2 === 0 ? 'east' : 'west';
      const args = ['--from', from, '--table', table, '--before', at(atMs), '--apply'];
      expect(await harness.run('replay', ...args)).toMatchObject({ code: 0 });
      expect(await readTable(harness.regions[from].store, table)).toEqual(seen);
    }
  });

  test('shows the difference first, and writes nothing', async () => {
    const harness = await createCliHarness();
    const { regions, run, runWith } = harness;
    await regions.east.table.put(ID, { email: 'old@example.com' });
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    await regions.east.table.patch(ID, { email: 'new@example.com' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--before', before];
    const { code, json } = await run(...args);
    expect({ code, applied: json['applied'] }).toEqual({ code: 0, applied: false });
    expect(json['changes']).toMatchObject([{ id: ID, fields: [{ name: 'email' }] }]);
    expect((await runWith({}, ...args)).out).toContain('Nothing was written');
    expect((await regions.east.table.get(ID))?.entity.email).toBe('new@example.com');
  });

  test('in place to a point in time is a write that every region follows', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    const points = await createHistory(harness, 20);
    const { atMs, seen } = points[9]!;
    const args = ['replay', '--from', 'west', '--in-place', '--before', at(atMs), '--apply'];
    const { code } = await run(...args);
    expect(code).toBe(0);
    await regions.settle();
    expect(await readLive(harness, 'west')).toEqual(seen);
    expect(await readLive(harness, 'east')).toEqual(seen);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('in place leaves alone what the archive does not have, and says so', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const [, untouched = '', archived = ''] = IDS;
    for (const id of [ID, untouched])
      await regions.east.table.put(id, { email: 'old@example.com' });
    await regions.settle();
    await emptyTable(regions.east.store, ARCHIVE_TABLE);
    await regions.east.table.put(archived, { email: 'old@example.com' });
    await regions.settle();
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    await regions.clock.advance(10);
    for (const id of [ID, archived]) await regions.east.table.patch(id, { firstName: 'new' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--before', before];
    expect((await runWith({}, ...args)).out).toContain(
      `lacks writes of theirs from before then: ${ID}`,
    );
    expect(await run(...args, '--apply')).toMatchObject({
      code: 7,
      json: { written: 1, deleted: 0, unarchived: [ID] },
    });
    expect((await regions.east.table.get(ID))?.entity.firstName).toBe('new');
    expect((await regions.east.table.get(untouched))?.entity.email).toBe('old@example.com');
    expect((await regions.east.table.get(archived))?.entity.firstName).toBeNull();
  });

  test('of one entity leaves the others as they are', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    const [, other = ''] = IDS;
    for (const id of [ID, other]) await regions.east.table.put(id, { email: 'old@example.com' });
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    for (const id of [ID, other]) await regions.east.table.put(id, { email: 'new@example.com' });
    await regions.settle();
    const args = ['--from', 'east', '--in-place', '--before', before, '--entity', ID, '--apply'];
    expect(await run('replay', ...args)).toMatchObject({ code: 0, json: { written: 1 } });
    expect((await regions.east.table.get(ID))?.entity.email).toBe('old@example.com');
    expect((await regions.east.table.get(other))?.entity.email).toBe('new@example.com');
  });

  test('in place brings back an emptied table, under writes, and overwrites nothing newer', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    await createHistory(harness, 20);
    const before = await readLive(harness, 'east');
    await emptyTable(regions.west.store, customerKind.name);
    await regions.east.table.put(ID, { email: 'newer@example.com' });
    await regions.settle();
    const { code } = await run('replay', '--from', 'west', '--in-place', '--apply');
    expect(code).toBe(0);
    const after = await readLive(harness, 'west');
    expect(after).toEqual(await readLive(harness, 'east'));
    expect(Object.keys(after).toSorted()).toEqual(
      Object.keys({ ...before, [ID]: true }).toSorted(),
    );
    expect(after[ID]).toMatchObject({ email: 'newer@example.com' });
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('I2, I5: in place, what comes back is in every region and in every archive', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    await createHistory(harness, 20);
    const before = await readLive(harness, 'east');
    for (const { store } of [regions.east, regions.west]) {
      await emptyTable(store, customerKind.name);
    }
    await emptyTable(regions.west.store, ARCHIVE_TABLE);
    const args = ['replay', '--from', 'east', '--into', 'west', '--in-place', '--apply'];
    expect(await run(...args)).toMatchObject({ code: 0, json: { outOfReach: [] } });
    for (const name of ['east', 'west'] as const) {
      expect(await readLive(harness, name)).toEqual(before);
      await expectReplayable(regions[name], customerKind);
    }
    expect(await run('verify')).toMatchObject({ code: 0 });
    expect(await run(...args)).toMatchObject({ code: 0, json: { rowsWritten: 0 } });
  });

  test('in place goes on without a region that is down, and names it', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    await createHistory(harness, 10);
    const before = await readLive(harness, 'west');
    await emptyTable(regions.west.store, customerKind.name);
    regions.east.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'East is down.'));
    const outcome = await run('replay', '--from', 'west', '--in-place', '--apply');
    expect(outcome).toMatchObject({ code: 3, json: { applied: true, outOfReach: ['east'] } });
    expect(await readLive(harness, 'west')).toEqual(before);
  });

  test('goes on where it was interrupted', async () => {
    const harness = await createCliHarness();
    await createHistory(harness, 30);
    const args = ['replay', '--from', 'east', '--table', 'Again', '--apply'];
    for (const commits of [1, 3, 5]) {
      const stop = new AbortController();
      let left = commits;
      harness.regions.east.store.beforeCommit(() => {
        left -= 1;
        if (left === 0) stop.abort();
      });
      const { code, json } = await harness.runWith({ signal: stop.signal }, '--json', ...args);
      expect([0, 130]).toContain(code);
      expect(json['ok']).toBe(code === 0);
    }
    harness.regions.east.store.beforeCommit(() => undefined);
    expect(await harness.run(...args)).toMatchObject({ code: 0 });
    const live = await readLive(harness, 'east');
    expect(await readTable(harness.regions.east.store, 'Again')).toEqual(live);
  });
});

describe('tandem replay refuses', () => {
  test.each([
    ['a region that does not exist', ['--from', 'north', '--in-place'], 'north'],
    ['a time in the future', ['--from', 'east', '--in-place', '--before', '2999-01-01'], 'future'],
    ['a text that is no time', ['--from', 'east', '--in-place', '--before', 'noon'], 'zone'],
    ['one of the product’s tables', ['--from', 'east', '--table', 'archive', '--apply'], 'product'],
    ['a name that is none', ['--from', 'east', '--table', 'a/b', '--apply'], 'no name'],
    ['neither table nor place', ['--from', 'east'], '--in-place'],
    ['a bucket that is none', ['--from', 'east', '--in-place', '--bucket', 'zz'], 'bucket'],
    [
      'a span in which nothing lies',
      ['--from', 'east', '--in-place', '--before', '2025-12-30', '--since', '2025-12-31'],
      '--since',
    ],
  ])('%s', async (_, args, text) => {
    const { runWith } = await createCliHarness();
    const { code, err } = await runWith({}, 'replay', ...args);
    expect({ code, told: err.includes(text) }).toEqual({ code: 2, told: true });
  });

  test('a table that holds something else, and a replay of another span', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    await createHistory(harness, 5);
    const { store } = regions.east;
    await store.createTable('Orders');
    const operations = [{ kind: 'insert' as const, rowKey: 'one', properties: new Map() }];
    await store.commit({ table: 'Orders', partitionKey: '00', operations });
    const args = ['replay', '--from', 'east', '--apply', '--table'];
    expect(await run(...args, 'Orders')).toMatchObject({
      code: 2,
      json: { error: { code: 'TABLE_FOREIGN' } },
    });
    expect(await run(...args, 'Mine')).toMatchObject({ code: 0 });
    expect(await run(...args, 'Mine')).toMatchObject({ code: 0 });
    expect(await run(...args, 'Mine', '--entity', ID)).toMatchObject({ code: 2 });
  });

  test('an archive with a damaged row, naming it, unless told to leave it out', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    await createHistory(harness, 10);
    const { store } = regions.east;
    const { rows } = await store.query({
      table: ARCHIVE_TABLE,
      partitions: { from: '!', before: '~~' },
      limit: 1,
    });
    const { partitionKey = '', rowKey = '' } = rows[0] ?? {};
    const operations = [{ kind: 'upsert' as const, rowKey, properties: new Map() }];
    await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
    const args = ['replay', '--from', 'east', '--table', 'Damaged', '--apply'];
    const refused = await run(...args);
    expect(refused).toMatchObject({ code: 7, json: { error: { code: 'ARCHIVE_DAMAGED' } } });
    expect(refused.err).toContain(rowKey);
    const left = await run(...args, '--skip-damaged');
    expect(left).toMatchObject({ code: 7, json: { applied: true, damaged: [{ rowKey }] } });
  });
});
