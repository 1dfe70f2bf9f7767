import { bucketOf, TerminalError, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  createTableLease,
  recordBucketCount,
} from '@tandem/storage';
import {
  emptyTable,
  expectReplayable,
  MEMORY_BUCKET_COUNT,
  MEMORY_TOMBSTONE_AGE_MS,
} from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { createCliHarness } from '../testing/cli-harness.ts';
import { at, createHistory, IDS, readLive, readTable } from '../testing/history.ts';

const [ID = ''] = IDS;
/** In another bucket than the first. */
const FAR =
  IDS.find((id) => bucketOf(id, MEMORY_BUCKET_COUNT) !== bucketOf(ID, MEMORY_BUCKET_COUNT)) ?? '';

describe('tandem replay', () => {
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

  test('in place says into which regions, and gives it to all of them', async () => {
    const harness = await createCliHarness('north');
    const { regions, runWith } = harness;
    await createHistory(harness, 10);
    const before = await readLive(harness, 'west');
    for (const { store } of regions.regions) await emptyTable(store, customerKind.name);
    const args = ['replay', '--from', 'north', '--into', 'west', '--in-place', '--apply'];
    const { out } = await runWith({}, ...args);
    expect(out).toContain(
      'Joined into the rows of west, east, north: changeSets 5, rowsWritten 3.',
    );
    for (const name of ['east', 'west'] as const) {
      expect(await readLive(harness, name)).toEqual(before);
    }
  });

  test('in place makes a deletion again that is young, and none that may have been collected', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.east.table.remove(ID);
    await regions.settle();
    const lose = async (): Promise<void> => {
      for (const { store } of regions.regions) await emptyTable(store, customerKind.name);
    };
    const args = ['replay', '--from', 'east', '--in-place'];
    await lose();
    expect(await run(...args)).toMatchObject({ code: 0, json: { changes: [{ id: ID }] } });
    expect(await run(...args, '--apply')).toMatchObject({ json: { rowsWritten: 1 } });
    await lose();
    await regions.clock.advance(MEMORY_TOMBSTONE_AGE_MS + 1);
    expect(await run(...args)).toMatchObject({ code: 0, json: { changes: [] } });
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { rowsWritten: 0 } });
  });

  test('of what was written since a time is of that alone, and says from when on', async () => {
    const harness = await createCliHarness();
    const { regions, run, runWith } = harness;
    await regions.east.table.put(ID, { email: 'before@example.com' });
    await regions.clock.advance(10);
    const sinceMs = regions.clock.nowMs();
    await regions.east.table.put(FAR, { email: 'after@example.com' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--table', 'Late', '--since', at(sinceMs)];
    const { out } = await runWith({}, ...args);
    expect(out).toContain(`1 change sets from ${at(sinceMs)} on: `);
    expect(await run(...args, '--apply')).toMatchObject({
      code: 0,
      json: { sinceMs, beforeMs: null, table: 'Late', changeSets: 1, rowsWritten: 1 },
    });
    expect(Object.keys(await readTable(regions.east.store, 'Late'))).toEqual([FAR]);
  });

  test('between two times is of what was written there alone', async () => {
    const { regions, run } = await createCliHarness();
    const times: string[] = [];
    for (const id of [ID, FAR, ID]) {
      await regions.east.table.put(id, { email: 'one@example.com' });
      await regions.clock.advance(10);
      times.push(at(regions.clock.nowMs()));
    }
    await regions.settle();
    const [since = '', before = ''] = times;
    const args = ['--table', 'Span', '--since', since, '--before', before, '--apply'];
    expect(await run('replay', '--from', 'east', ...args)).toMatchObject({
      code: 0,
      json: { changeSets: 1, rowsWritten: 1 },
    });
    expect(Object.keys(await readTable(regions.east.store, 'Span'))).toEqual([FAR]);
  });

  test('into a table of its own asks nothing of the live one, which may be gone', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const { store } = regions.east;
    const { query } = store;
    store.query = async (range) => {
      if (range.table === customerKind.name)
        throw new TerminalError('TABLE_MISSING', 'It is gone.');
      return query(range);
    };
    const args = ['--from', 'east', '--table', 'Own', '--apply'];
    expect(await run('replay', ...args)).toMatchObject({ code: 0, json: { rowsWritten: 1 } });
  });

  test('into a table of another region says which table, and where', async () => {
    const harness = await createCliHarness();
    const { regions, runWith } = harness;
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--into', 'west', '--table', 'Copy', '--apply'];
    const { out } = await runWith({}, ...args);
    expect(out).toBe(
      'Replayed into table Copy of west: table Copy, changeSets 1, rowsWritten 1.\n',
    );
    expect(Object.keys(await readTable(regions.west.store, 'Copy'))).toEqual([ID]);
  });

  test.each(['east', 'west', 'north'])(
    'in place is refused while someone recovers %s',
    async (busy) => {
      const { regions, run } = await createCliHarness('north');
      await regions.east.table.put(ID, { email: 'one@example.com' });
      await regions.settle();
      const { store } = regions.regions.find(({ region }) => region === busy)!;
      const lease = createTableLease({
        store,
        clock: regions.clock,
        name: 'recovery',
        holder: 'another',
      });
      await lease.acquire(60_000);
      const args = ['replay', '--from', 'east', '--into', 'west'];
      expect(await run(...args, '--in-place', '--apply')).toMatchObject({ code: 6 });
      // A table of its own is none of a third region's business.
      const code = busy === 'north' ? 0 : 6;
      expect(await run(...args, '--table', 'Own', '--apply')).toMatchObject({ code });
    },
  );

  test('tells how far it is', async () => {
    const harness = await createCliHarness();
    const { regions, runWith } = harness;
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    await regions.east.table.put(ID, { email: 'two@example.com' });
    await regions.settle();
    const shown = async (...args: readonly string[]): Promise<readonly string[]> => {
      const told: string[] = [];
      const onProgress = (text: string): void => void told.push(text);
      await runWith({ onProgress }, 'replay', '--from', 'east', ...args);
      return told;
    };
    expect(await shown('--in-place')).toEqual(['change sets 1 · 0/s']);
    const read = [expect.stringMatching(/^change sets \d · 0\/s$/u)];
    expect(await shown('--in-place', '--apply')).toEqual(read);
    expect(await shown('--table', 'Own', '--apply')).toEqual(read);
    expect(await shown('--in-place', '--before', before, '--apply')).toEqual([
      ...read,
      expect.stringMatching(/^restored 1\/1 /u),
    ]);
  });

  test('is planned no further when it is told to stop', async () => {
    const { regions, runWith } = await createCliHarness();
    for (const id of [ID, FAR]) await regions.east.table.put(id, { email: 'one@example.com' });
    await regions.settle();
    const stop = new AbortController();
    const io = { signal: stop.signal, onProgress: () => stop.abort() };
    const cut = await runWith(io, 'replay', '--from', 'east', '--in-place');
    expect(cut).toMatchObject({ code: 130, out: '' });
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

  test('reads its bucket alone, and is content with what is so already', async () => {
    const { regions, run } = await createCliHarness();
    for (const id of [ID, FAR]) await regions.east.table.put(id, { email: 'one@example.com' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--entity', ID];
    expect(await run(...args)).toMatchObject({
      code: 0,
      json: { same: 1, changeSets: 1, changes: [] },
    });
  });

  test('of which the archive lacks a write is left alone, not called unknown', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    await emptyTable(regions.east.store, ARCHIVE_TABLE);
    await regions.clock.advance(10);
    const before = at(regions.clock.nowMs());
    await regions.clock.advance(10);
    await regions.east.table.patch(ID, { firstName: 'new' });
    await regions.settle();
    const args = ['replay', '--from', 'east', '--in-place', '--before', before, '--entity', ID];
    expect(await run(...args, '--before-archive')).toMatchObject({
      code: 7,
      json: { same: 0, changes: [], unarchived: [ID] },
    });
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
    ['both', ['--from', 'east', '--in-place', '--table', 'Own'], 'one of them'],
    ['a future to begin in', ['--from', 'east', '--in-place', '--since', '2999-01-01'], 'future'],
    [
      'a span that ends where it begins',
      ['--from', 'east', '--in-place', '--before', '2025-12-31', '--since', '2025-12-31'],
      '--since',
    ],
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

  test('a time that no clock may be ahead by, and takes one that some are', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const minuteMs = regions.clock.nowMs() + 60_000;
    const args = ['replay', '--from', 'east', '--in-place', '--before'];
    expect(await run(...args, at(minuteMs))).toMatchObject({ code: 0 });
    expect(await run(...args, at(minuteMs + 1))).toMatchObject({ code: 2 });
  });

  test('a region that has another number of buckets', async () => {
    const { regions, run } = await createCliHarness();
    await emptyTable(regions.west.store, CONFIGURATION_TABLE);
    await recordBucketCount(regions.west.store, customerKind, MEMORY_BUCKET_COUNT * 2);
    const refused = await run('replay', '--from', 'east', '--into', 'west', '--table', 'Own');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('The two regions have different numbers of buckets');
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
