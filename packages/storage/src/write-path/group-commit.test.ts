import {
  bucketOf,
  encodeVector,
  type OutboxEntry,
  stampTimeMs,
  type Transaction,
  TransientError,
} from '@tandem/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';
import { WAITING_PER_BUCKET_MAX } from './bucket-lane.ts';

const BUCKET = '00';
/** Ids of one bucket, so that their writes share transactions. */
const IDS = Array.from({ length: 20_000 }, (_, index) => `id${index}`).filter(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === BUCKET,
);
const [A = '', B = '', C = '', D = ''] = IDS;
const ELSEWHERE = Array.from({ length: 100 }, (_, index) => `x${index}`).find(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) !== BUCKET,
)!;

let regions: TwoRegions<typeof deviceKind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
});

/** Holds the commits of the bucket until it is released. */
function holdCommits() {
  const seen: Transaction[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  regions.east.store.beforeCommit(async (transaction) => {
    seen.push(transaction);
    if (transaction.partitionKey === BUCKET) await held;
  });
  return { seen, release: () => release() };
}

const sizes = (entries: readonly OutboxEntry[]): number[] =>
  entries.map(({ set }) => set.changes.length);

async function archivedIds(): Promise<string[]> {
  const ids: string[] = [];
  for (const bucket of regions.east.outbox.buckets) {
    const span = { entityKind: deviceKind.name, bucket };
    for await (const set of regions.east.archive.read(span)) {
      ids.push(...set.changes.map(({ entityId }) => entityId));
    }
  }
  return ids;
}

describe('writes of one bucket', () => {
  test('the first leaves at once, and what comes meanwhile leaves together', async () => {
    const { east, clock, drive } = regions;
    const { release } = holdCommits();
    const writing = [east.table.put(A, { label: 'first' })];
    await clock.advance(0);
    for (const id of IDS.slice(1, 50)) writing.push(east.table.put(id, { label: 'more' }));
    await clock.advance(0);
    release();
    await drive(Promise.all(writing));
    expect(sizes(east.committed)).toEqual([1, 49]);
    await regions.settle();
    expect((await archivedIds()).toSorted()).toEqual(IDS.slice(0, 50).toSorted());
    expect((await regions.west.table.list(100)).records).toHaveLength(50);
  });

  test('no more go together than a transaction takes', async () => {
    const { east, drive } = regions;
    await drive(Promise.all(IDS.slice(0, 250).map((id) => east.table.put(id, { label: 'x' }))));
    expect(sizes(east.committed).every((size) => size <= 99)).toBe(true);
    expect(sizes(east.committed).reduce((a, b) => a + b)).toBe(250);
    expect(east.committed.length).toBeLessThan(10);
  });

  test('one of a bucket that hangs does not hold up the other buckets', async () => {
    const { east, clock } = regions;
    const { release } = holdCommits();
    const hanging = east.table.put(A, { label: 'hangs' });
    await clock.advance(300);
    await expect(regions.drive(east.table.put(ELSEWHERE, {}))).resolves.toMatchObject({
      kind: 'created',
    });
    release();
    await hanging;
  });

  test('too many are refused before anything is done', async () => {
    const { east, clock, drive } = regions;
    const { release } = holdCommits();
    const writing = [east.table.put(A, { label: 'first' })];
    await clock.advance(0);
    for (let count = 1; count < WAITING_PER_BUCKET_MAX; count += 1) {
      writing.push(east.table.put(IDS[count]!, { label: 'more' }));
    }
    await expect(east.table.put(IDS[WAITING_PER_BUCKET_MAX]!, {})).rejects.toMatchObject({
      code: 'TABLE_THROTTLED',
      message: expect.stringContaining(String(WAITING_PER_BUCKET_MAX)),
    });
    release();
    await drive(Promise.all(writing));
    await expect(east.table.put(A, {})).resolves.toMatchObject({ kind: 'replaced' });
  });
});

describe('writes of one entity', () => {
  test('follow one another without a read, each on what the one before it left', async () => {
    const { east, drive } = regions;
    await drive(east.table.put(A, { label: 'zero', restarts: 0 }));
    let reads = 0;
    const { get } = east.store;
    Object.assign(east.store, {
      get: (...key: Parameters<typeof get>) => {
        reads += 1;
        return get(...key);
      },
    });
    const outcomes = await drive(
      Promise.all([
        east.table.patch(A, { label: 'one' }),
        east.table.patch(A, { restarts: 1 }),
        east.table.remove(A),
        east.table.put(A, { label: 'two' }),
      ]),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      'replaced',
      'replaced',
      'deleted',
      'created',
    ]);
    expect(outcomes[1]).toMatchObject({ record: { entity: { label: 'one', restarts: 1 } } });
    expect(reads).toBe(0);
    await regions.settle();
    expect(await archivedIds()).toEqual([A, A, A, A, A]);
  });

  test('a condition is never refused on what was only remembered', async () => {
    const { east, drive } = regions;
    await drive(east.table.put(A, { label: 'old' }));
    const other = await drive(east.openTable().put(A, { label: 'new' }));
    if (other.kind !== 'replaced') throw new Error('the row was not there');
    const versions = [encodeVector(other.record.version)];
    await expect(
      drive(east.table.patch(A, { restarts: 1 }, { kind: 'version', versions })),
    ).resolves.toMatchObject({ kind: 'replaced', record: { entity: { label: 'new' } } });
  });
});

describe('a group of which one write fails', () => {
  test('its row was changed by another process: it is settled alone, the rest goes again', async () => {
    const { east, drive } = regions;
    const ids = [A, B, C];
    await drive(Promise.all(ids.map((id) => east.table.put(id, { label: 'old' }))));
    await drive(east.openTable().patch(B, { restarts: 7 }));
    await drive(Promise.all(ids.map((id) => east.table.patch(id, { label: 'new' }))));
    for (const id of ids) expect((await east.table.get(id))?.entity.label).toBe('new');
    expect((await east.table.get(B))?.entity.restarts).toBe(7);
    await regions.settle();
    expect((await archivedIds()).toSorted()).toEqual([A, A, B, B, B, C, C].toSorted());
  });

  test('many rows were: they are read, not found out one transaction at a time', async () => {
    const { east, drive } = regions;
    const ids = IDS.slice(0, 60);
    const other = east.openTable();
    await drive(Promise.all(ids.map((id) => east.table.put(id, { label: 'old' }))));
    await drive(Promise.all(ids.map((id) => other.patch(id, { restarts: 7 }))));
    let commits = 0;
    east.store.beforeCommit(() => void (commits += 1));
    await drive(Promise.all(ids.map((id) => east.table.patch(id, { label: 'new' }))));
    expect(commits).toBeLessThan(8);
    expect((await east.table.get(D))?.entity).toMatchObject({ label: 'new', restarts: 7 });
  });

  test('the store can never accept it: it alone is refused', async () => {
    const { east, drive } = regions;
    const label = 'x'.repeat(40_000);
    const outcomes = await drive(
      Promise.allSettled([
        east.table.put(A, { label: 'good' }),
        east.table.put(B, { label }),
        east.table.put(C, { label: 'good' }),
      ]),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'TABLE_LIMIT_EXCEEDED' } },
      { status: 'fulfilled' },
    ]);
  });

  test('its answer is lost: every write of it is acknowledged and happens exactly once', async () => {
    const { east, drive } = regions;
    const error = new TransientError('TABLE_OUTCOME_UNKNOWN', 'The answer was lost.');
    east.store.failCommits([{ when: 'after', error }]);
    await drive(Promise.all([A, B, C].map((id) => east.table.put(id, { label: 'x' }))));
    await regions.settle();
    expect((await archivedIds()).toSorted()).toEqual([A, B, C].toSorted());
  });

  test('the store is down: all are told, and the next write after it is served', async () => {
    const { east, drive } = regions;
    await drive(Promise.all([A, B, C].map((id) => east.table.put(id, { label: 'x' }))));
    east.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'The store is down.'));
    const writing = [A, B, B, C, D].map((id) => east.table.put(id, { label: 'y' }));
    const outcomes = await drive(Promise.allSettled(writing));
    for (const one of outcomes) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'TABLE_UNAVAILABLE' } });
    }
    east.store.setOutage(undefined);
    await expect(drive(east.table.put(B, { label: 'z' }))).resolves.toMatchObject({
      kind: 'replaced',
    });
  });
});

describe('I8: a row that a broken clock has stamped', () => {
  test('is overwritten, and takes no other write of its group with it', async () => {
    const AHEAD_MS = 500_000;
    regions = await createTwoRegions(deviceKind, { west: { skewMs: AHEAD_MS } });
    const { east, west, clock, drive } = regions;
    await drive(west.table.put(A, { label: 'ahead' }));
    await regions.settle();
    const outcomes = await drive(
      Promise.all([A, B].map((id) => east.table.put(id, { label: 'east' }))),
    );
    const [aheadMs, nearMs] = outcomes.map((outcome) =>
      'record' in outcome ? stampTimeMs(outcome.record.version.get('east')!) : 0,
    );
    expect(aheadMs).toBeGreaterThan(clock.nowMs() + AHEAD_MS / 2);
    expect(nearMs).toBeLessThanOrEqual(clock.nowMs());
  });
});
