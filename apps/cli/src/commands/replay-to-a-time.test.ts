import { bucketOf } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { createTableArchiveKeeper, emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { at, createHistory, IDS, readLive, readTable } from '../testing/history.ts';

const [ID = ''] = IDS;
/** In the bucket of the first: whatever does too much to a bucket is seen on it. */
const NEIGHBOUR =
  IDS.slice(1).find(
    (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucketOf(ID, MEMORY_BUCKET_COUNT),
  ) ?? '';

describe('tandem replay --before', () => {
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

  test('asks on a clean line: how far it was is shown no more', async () => {
    const { runWith, args } = await createThree();
    let shown = '';
    let above = '';
    const err = (text: string): void => void (shown += text);
    const ask = async (): Promise<string> => {
      above = shown;
      return 'east';
    };
    await runWith({ isTerminal: true, err, ask }, ...args, '--apply');
    expect(above).toContain('change sets');
    expect(above.endsWith('\r\u001B[K')).toBe(true);
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

  test('I22: before what was trimmed is refused, and says how far back the archive goes', async () => {
    const { harness, run, runWith } = await createThree();
    const horizonMs = harness.regions.clock.nowMs();
    const { store } = harness.regions.east;
    await createTableArchiveKeeper({ store }).raiseHorizon(customerKind.name, horizonMs);
    const args = ['replay', '--from', 'east', '--in-place', '--confirm', 'east', '--apply'];
    for (const more of [[], ['--before-archive']]) {
      const refused = await runWith({}, ...args, '--before', at(horizonMs - 1), ...more);
      expect(refused.code).not.toBe(0);
      expect(refused.err).toContain(at(horizonMs));
    }
    expect(Object.keys(await readLive(harness, 'east'))).toHaveLength(2);
    expect(await run('history', ID)).toMatchObject({
      json: { archiveFromMs: { east: horizonMs, west: null } },
    });
    expect((await runWith({}, 'status')).out).toContain(at(horizonMs));
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
