import { TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { emptyTable, expectReplayable } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { createCliHarness } from '../testing/cli-harness.ts';
import { at, createHistory, IDS, readLive, readTable } from '../testing/history.ts';

const [ID = ''] = IDS;

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
