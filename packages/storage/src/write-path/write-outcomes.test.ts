import { encodeVector, TransientError } from '@tandem/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import type { StoreFault } from '../testing/faulty-store.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';

const UNKNOWN = new TransientError('TABLE_OUTCOME_UNKNOWN', 'The answer was lost.');
const LOST_BEFORE: StoreFault = { when: 'before', error: UNKNOWN };
const LOST_AFTER: StoreFault = { when: 'after', error: UNKNOWN };

let regions: TwoRegions<typeof deviceKind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
});

async function archivedCount(): Promise<number> {
  let count = 0;
  for (const bucket of regions.east.outbox.buckets) {
    const span = { entityKind: deviceKind.name, bucket };
    for await (const set of regions.east.archive.read(span)) count += set.changes.length;
  }
  return count;
}

describe('I1: an ambiguous answer to a commit', () => {
  test.each([
    ['not done', [LOST_BEFORE]],
    ['done', [LOST_AFTER]],
    ['not done three times', [LOST_BEFORE, LOST_BEFORE, LOST_BEFORE]],
    ['not done, then done', [LOST_BEFORE, LOST_AFTER]],
  ])('%s: the write is acknowledged and happens exactly once', async (_, faults) => {
    const { east, drive, settle } = regions;
    east.store.failCommits(faults);
    await expect(drive(east.table.put('a', { label: 'one' }))).resolves.toMatchObject({
      kind: 'created',
    });
    await settle();
    expect(await archivedCount()).toBe(1);
    expect(east.conflicts).toEqual([]);
  });

  test('done and written over since: the outbox row still tells that it was done', async () => {
    const { east, drive } = regions;
    await drive(east.table.put('a', { label: 'zero' }));
    east.store.failCommits([LOST_AFTER]);
    const writing = east.table.patch('a', { label: 'one' });
    // The writer waits before it looks; meanwhile another process changes the row.
    await regions.clock.advance(0);
    await drive(Promise.all([writing, east.openTable().patch('a', { restarts: 7 })]));
    expect((await east.table.get('a'))?.entity).toMatchObject({ label: 'one', restarts: 7 });
    await regions.settle();
    expect(await archivedCount()).toBe(3);
  });

  test('done, archived and gone from the outbox since: the archive row tells', async () => {
    const { east, drive } = regions;
    east.store.failCommits([LOST_AFTER]);
    const writing = east.table.put('a', { label: 'one' });
    // The writer waits before it looks; meanwhile a sweep moves the row on.
    await regions.clock.advance(0);
    let relayed = 0;
    for (const bucket of east.outbox.buckets) {
      const { entries } = await east.outbox.scan({ bucket, limit: 10 });
      await east.archive.append(entries);
      await east.outbox.remove(entries);
      relayed += entries.length;
    }
    await expect(drive(writing)).resolves.toMatchObject({ kind: 'created' });
    expect(relayed).toBe(1);
    expect(await archivedCount()).toBe(1);
  });

  test('not done until late, while it is being repeated: the repetition is refused, and was ours', async () => {
    const { east, drive } = regions;
    east.store.failCommits([LOST_BEFORE]);
    let isFirst = true;
    east.store.beforeCommit(async (transaction) => {
      if (!isFirst) return;
      isFirst = false;
      await east.store.commit(transaction);
    });
    await expect(drive(east.table.put('a', { label: 'one' }))).resolves.toMatchObject({
      kind: 'created',
    });
    await regions.settle();
    expect(await archivedCount()).toBe(1);
  });

  test('never definite: the caller is told that the outcome is unknown', async () => {
    const { east, drive } = regions;
    east.store.failCommits(Array.from({ length: 8 }, () => LOST_BEFORE));
    await expect(drive(east.table.put('a', { label: 'one' }))).rejects.toMatchObject({
      code: 'TABLE_OUTCOME_UNKNOWN',
    });
  });
});

describe('writers of the same row', () => {
  test('an unconditional write rereads and goes on', async () => {
    const { east, drive } = regions;
    await drive(east.table.put('a', { label: 'zero', restarts: 0 }));
    let isFirst = true;
    east.store.beforeCommit(async () => {
      if (!isFirst) return;
      isFirst = false;
      await east.openTable().patch('a', { restarts: 1 });
    });
    await drive(east.table.patch('a', { label: 'one' }));
    expect((await east.table.get('a'))?.entity).toMatchObject({ label: 'one', restarts: 1 });
  });

  test('a write under a version that no longer holds fails its condition', async () => {
    const { east, drive } = regions;
    const written = await drive(east.table.put('a', { label: 'zero' }));
    if (written.kind !== 'created') throw new Error('the row was there before');
    const condition = {
      kind: 'version',
      versions: [encodeVector(written.record.version)],
    } as const;
    await drive(east.table.patch('a', { label: 'one' }));
    await expect(drive(east.table.patch('a', { label: 'two' }, condition))).resolves.toMatchObject({
      kind: 'condition-failed',
      current: { entity: { label: 'one' } },
    });
  });

  test('without end are given up with a clear error', async () => {
    const { east, drive } = regions;
    await drive(east.table.put('a', { restarts: 0 }));
    let depth = 0;
    let others = 0;
    east.store.beforeCommit(async () => {
      if (depth > 0) return;
      depth += 1;
      others += 1;
      await east.openTable().patch('a', { label: `other ${others}` });
      depth -= 1;
    });
    await expect(drive(east.table.patch('a', { label: 'one' }))).rejects.toMatchObject({
      code: 'WRITE_CONTENDED',
    });
  });

  test('two creates under "absent": one is told of the other', async () => {
    const { east, drive } = regions;
    const condition = { kind: 'absent' } as const;
    const outcomes = await drive(
      Promise.all([
        east.table.put('a', { label: 'one' }, condition),
        east.table.put('a', { label: 'two' }, condition),
      ]),
    );
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['condition-failed', 'created']);
  });
});

describe('a write that can never be accepted', () => {
  test('one larger than a message names the limit', async () => {
    const { east } = regions;
    const label = 'x'.repeat(32_000);
    const firmware = new Uint8Array(64 * 1024);
    await expect(east.table.put('a', { label, firmware })).resolves.toMatchObject({
      kind: 'created',
    });
    const huge = new Uint8Array(200 * 1024);
    await expect(east.table.put('b', { firmware: huge })).rejects.toMatchObject({
      code: 'TABLE_LIMIT_EXCEEDED',
    });
    expect(await east.table.get('b')).toBeUndefined();
  });

  test.each([
    ['an unknown field', { colour: 'red' }],
    ['a value of another type', { restarts: 1.5 }],
    ['an Int64 out of range', { bytesSent: 2n ** 63n }],
    ['a date that is none', { seenAt: 'yesterday' }],
  ])('%s is refused by name', async (_, entity) => {
    await expect(regions.east.table.put('a', entity as object)).rejects.toMatchObject({
      code: 'ENTITY_INVALID',
    });
  });
});

describe('tombstones', () => {
  test('I4: a deleted entity reads as absent and can be created anew', async () => {
    const { east, drive } = regions;
    await drive(east.table.put('a', { label: 'one', restarts: 5 }));
    await drive(east.table.remove('a'));
    await expect(drive(east.table.remove('a'))).resolves.toEqual({ kind: 'not-found' });
    await expect(drive(east.table.patch('a', { label: 'x' }))).resolves.toEqual({
      kind: 'not-found',
    });
    await expect(drive(east.table.put('a', { label: 'two' }))).resolves.toMatchObject({
      kind: 'created',
      record: { entity: { label: 'two', restarts: null } },
    });
  });
});
