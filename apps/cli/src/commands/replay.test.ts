import { bucketNames, bucketOf, type TableStore, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { ARCHIVE_TABLE, createTableRowScanner } from '@tandem/storage';
import { emptyTable, expectReplayable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const IDS = Array.from({ length: 8 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047c18${n}`);
const [ID = ''] = IDS;
/** In the bucket of the first: whatever does too much to a bucket is seen on it. */
const NEIGHBOUR =
  IDS.slice(1).find(
    (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucketOf(ID, MEMORY_BUCKET_COUNT),
  ) ?? '';

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
      // The first of the writes found nothing to change, so that the archive begins later.
      const isBefore = Object.keys(seen).length === 0 ? ['--before-archive'] : [];
      expect(await harness.run('replay', ...args, ...isBefore)).toMatchObject({ code: 0 });
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
    const { code } = await run(...args, '--confirm', 'west');
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

  test('B7: of one entity leaves the others of its bucket as they are', async () => {
    const harness = await createCliHarness();
    const { regions, run } = harness;
    const other = NEIGHBOUR;
    expect(bucketOf(other, MEMORY_BUCKET_COUNT)).toBe(bucketOf(ID, MEMORY_BUCKET_COUNT));
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

describe('B1: a replay to a point in time', () => {
  const put = (harness: CliHarness, id: string, email: string) =>
    harness.regions.east.table.put(id, { email });

  /** One row that is to change, one that is to be deleted, one that is to come back. */
  async function createThree() {
    const harness = await createCliHarness();
    const { regions } = harness;
    const [changes = '', isNew = '', isGone = ''] = IDS;
    await put(harness, changes, 'old@example.com');
    await put(harness, isGone, 'gone@example.com');
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    await regions.clock.advance(10);
    await put(harness, changes, 'new@example.com');
    await put(harness, isNew, 'new@example.com');
    await regions.east.table.remove(isGone);
    await regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--before', before] as const;
    return { ...harness, harness, before, args, changes, isNew, isGone };
  }

  test.each([
    '2026-02-30T00:00:00Z',
    '2026-02-30',
    '2025-02-29T10:00:00+01:00',
    '2025-12-31T24:00:00Z',
    '2025-12-31T23:60:00Z',
    '2025-12-31T10:00:00',
  ])('is refused for a time that does not exist: %s', async (time) => {
    const { harness, args } = await createThree();
    const before = await readLive(harness, 'east');
    for (const option of ['--before', '--since']) {
      const given = [...args.slice(0, 4), option, time, '--apply', '--confirm', 'east'];
      const { code, err } = await harness.runWith({}, ...given);
      expect({ code, told: err.includes('a time that there is') }).toEqual({ code: 2, told: true });
    }
    expect(await readLive(harness, 'east')).toEqual(before);
  });

  test('says in its plan and its result to which instant, in UTC, and how many rows', async () => {
    const { run, runWith, args, before } = await createThree();
    const beforeMs = Date.parse(before);
    const counts = { written: 2, changed: 1, deleted: 1 };
    expect(await run(...args)).toMatchObject({
      code: 0,
      json: { applied: false, beforeMs, sinceMs: null, ...counts },
    });
    const local = `${at(beforeMs + 3_600_000).slice(0, -1)}+01:00`;
    const plan = await runWith({}, ...args.slice(0, -1), local);
    expect(plan.out).toContain(`to ${before}`);
    expect(plan.out).toContain('written: 2 (1 of them are there and change); deleted: 1.');
    const done = await runWith({}, ...args, '--apply', '--confirm', 'east');
    expect(done.code).toBe(0);
    expect(done.out).toContain(`Restored in east to ${before}: changeSets`);
    expect(done.out).toContain('written 2, changed 1, deleted 1');
  });

  test('deletes nothing unless the region is named, on the terminal or in the command', async () => {
    const { harness, run, runWith, args, isNew } = await createThree();
    const live = await readLive(harness, 'east');
    for (const confirm of [[], ['--confirm', 'west'], ['--confirm', '']]) {
      const refused = await run(...args, '--apply', ...confirm);
      expect(refused).toMatchObject({ code: 2, json: { error: { code: 'USAGE' } } });
      expect(refused.err).toContain('delete 1 of Customers in east');
    }
    const questions: string[] = [];
    const answer = (text: string) => ({
      ask: async (question: string) => {
        questions.push(question);
        return text;
      },
    });
    expect(await runWith(answer('yes'), ...args, '--apply')).toMatchObject({ code: 2 });
    expect(await readLive(harness, 'east')).toEqual(live);
    expect(await runWith(answer('east '), ...args, '--apply')).toMatchObject({ code: 0 });
    expect(questions).toHaveLength(2);
    expect(questions[0]).toContain('Type the name of the region, east');
    expect((await readLive(harness, 'east'))[isNew]).toBeUndefined();
  });

  test('asks nobody when nothing is deleted', async () => {
    const { harness, regions, run, args, isNew } = await createThree();
    await regions.east.table.remove(isNew);
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { deleted: 0 } });
    expect(Object.keys(await readLive(harness, 'east'))).toHaveLength(2);
  });

  test('before the first record of the archive wants a flag of its own', async () => {
    const { harness, run, runWith } = await createThree();
    const args = ['replay', '--from', 'east', '--before', '2025-06-01', '--confirm', 'east'];
    for (const where of [['--in-place'], ['--table', 'Nothing']]) {
      const refused = await runWith({}, ...args, ...where, '--apply');
      expect(refused.code).toBe(2);
      expect(refused.err).toContain('begins at 2026-01-01T00:00:00.');
    }
    expect(Object.keys(await readLive(harness, 'east'))).toHaveLength(2);
    expect(await run(...args, '--in-place', '--before-archive', '--apply')).toMatchObject({
      code: 0,
      json: { written: 0, deleted: 2 },
    });
    expect(await readLive(harness, 'east')).toEqual({});
  });

  test('the very instant of the first record is before it, and the next one is not', async () => {
    const harness = await createCliHarness();
    await put(harness, ID, 'old@example.com');
    const firstMs = harness.regions.clock.nowMs();
    await harness.regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--before'];
    expect(await harness.run(...args, at(firstMs))).toMatchObject({ code: 2 });
    expect(await harness.run(...args, at(firstMs + 1))).toMatchObject({ code: 0 });
  });

  test('of an empty archive is refused', async () => {
    const harness = await createCliHarness();
    await put(harness, ID, 'old@example.com');
    await harness.regions.settle();
    await emptyTable(harness.regions.east.store, ARCHIVE_TABLE);
    const before = at(harness.regions.clock.nowMs());
    const refused = await harness.run('replay', '--from', 'east', '--in-place', '--before', before);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('is empty') });
  });

  test('I19: leaves alone what is written while it is at it, and says what', async () => {
    const { regions, run, runWith, args, changes, isNew, isGone } = await createThree();
    const { store } = regions.east;
    const other = regions.east.openTable();
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      store.beforeCommit(() => undefined);
      for (const id of [changes, isNew, isGone])
        await other.put(id, { email: 'newest@example.com' });
    });
    const outcome = await run(...args, '--apply', '--confirm', 'east');
    expect(outcome).toMatchObject({
      code: 3,
      json: { written: 0, changed: 0, deleted: 0, changedMeanwhile: 3 },
    });
    expect((outcome.json['leftAlone'] as string[]).toSorted()).toEqual(
      [changes, isNew, isGone].toSorted(),
    );
    for (const id of [changes, isNew, isGone]) {
      expect((await regions.east.table.get(id))?.entity.email).toBe('newest@example.com');
    }
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      store.beforeCommit(() => undefined);
      await other.put(changes, { email: 'newer-still@example.com' });
    });
    const { out } = await runWith({}, ...args, '--apply', '--confirm', 'east');
    expect(out).toContain(`written since this was planned: ${changes}`);
  });
});

describe('B2: a replay of an entity', () => {
  test('finds it however its id is spelt', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    await emptyTable(regions.east.store, customerKind.name);
    const args = ['replay', '--from', 'east', '--in-place', '--entity', ID.toUpperCase()];
    expect(await run(...args)).toMatchObject({ code: 0, json: { changes: [{ id: ID }] } });
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { rowsWritten: 1 } });
  });

  test.each([
    ['that nothing knows', IDS[5] ?? '', 3, 'NOT_FOUND'],
    ['whose id is none', 'nonsense', 2, 'USAGE'],
    ['without an id', '', 2, 'USAGE'],
  ])('%s is not found', async (_, entity, code, error) => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const before = at(regions.clock.nowMs());
    for (const where of [['--in-place'], ['--in-place', '--before', before], ['--table', 'Own']]) {
      for (const apply of [[], ['--apply', '--confirm', 'east']]) {
        const args = ['replay', '--from', 'east', ...where, '--entity', entity, ...apply];
        expect(await run(...args)).toMatchObject({ code, json: { error: { code: error } } });
      }
    }
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
