import { bucketOf, type Transaction, TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { beforeEach, describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';

/** What the documents promise for one customer. */
const ANSWER_MS_MAX = 10_000;
/** As the adapter of Azure has them. */
const READ_MS = 5_500;
const COMMIT_MS = 9_000;

type Regions = TwoRegions<typeof deviceKind>;

let regions: Regions;
let hangs: { reads: boolean; commits: boolean; doesItAllTheSame: boolean };

/** A store that takes what it is asked, and gives no answer before the time of its adapter is over. */
beforeEach(async () => {
  hangs = { reads: false, commits: false, doesItAllTheSame: false };
  const inner = createMemoryTableStore();
  const late = async (ms: number, error: TransientError): Promise<never> => {
    await regions.clock.sleep(ms);
    throw error;
  };
  const unavailable = new TransientError('TABLE_UNAVAILABLE', 'no answer');
  const unknown = new TransientError('TABLE_OUTCOME_UNKNOWN', 'no answer');
  const store = {
    ...inner,
    get: (table: string, partitionKey: string, rowKey: string) =>
      hangs.reads ? late(READ_MS, unavailable) : inner.get(table, partitionKey, rowKey),
    query: (range: Parameters<typeof inner.query>[0]) =>
      hangs.reads ? late(READ_MS, unavailable) : inner.query(range),
    async commit(transaction: Transaction) {
      if (!hangs.commits) return inner.commit(transaction);
      if (hangs.doesItAllTheSame) await inner.commit(transaction);
      return late(COMMIT_MS, unknown);
    },
  };
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false, store } });
});

interface Told {
  readonly code: unknown;
  readonly tookMs: number;
}

/** What became of each, and how long that took. */
async function timed<T>(...works: readonly Promise<T>[]): Promise<Told[]> {
  const beganMs = regions.clock.nowMs();
  const told = works.map((work) =>
    work.then(
      () => ({ code: 'done', tookMs: regions.clock.nowMs() - beganMs }),
      ({ code }: { code?: unknown }) => ({ code, tookMs: regions.clock.nowMs() - beganMs }),
    ),
  );
  return regions.drive(Promise.all(told));
}

const IN_TIME: unknown = expect.toSatisfy((ms: number) => ms < ANSWER_MS_MAX);

describe('A20: a store that hangs', () => {
  test('a read is given up within the bound, though it is tried again', async () => {
    hangs.reads = true;
    const told = await timed(regions.east.table.get('a'));
    expect(told).toEqual([{ code: 'TABLE_UNAVAILABLE', tookMs: IN_TIME }]);
  });

  test('a write that was never begun is said not to have been done, and is not done later', async () => {
    const { east, clock } = regions;
    hangs.reads = true;
    hangs.commits = true;
    const told = await timed<unknown>(
      east.table.put('a', { label: 'late' }),
      east.table.patch('b', { label: 'late' }),
      east.table.remove('c'),
    );
    expect(told).toEqual(told.map(() => ({ code: 'TABLE_UNAVAILABLE', tookMs: IN_TIME })));
    hangs = { reads: false, commits: false, doesItAllTheSame: false };
    await clock.advance(600_000);
    expect(await regions.drive(east.table.get('a'))).toBeUndefined();
  });

  test.each([
    ['and does it all the same', true, /^after$/],
    ['and does not do it', false, /^(before|after)$/],
  ])('a write that the store has is said to be unknown: it hangs %s', async (_, doesIt, label) => {
    const { east, clock } = regions;
    await regions.drive(east.table.put('a', { label: 'before' }));
    hangs = { reads: true, commits: true, doesItAllTheSame: doesIt };
    const told = await timed(east.table.put('a', { label: 'after' }));
    expect(told).toEqual([{ code: 'TABLE_OUTCOME_UNKNOWN', tookMs: IN_TIME }]);
    hangs = { reads: false, commits: false, doesItAllTheSame: false };
    await clock.advance(600_000);
    // Nobody writes twice, and the bucket goes on.
    const next = await timed(east.table.patch('a', { restarts: 1 }));
    expect(next).toMatchObject([{ code: 'done' }]);
    const { entity } = (await regions.drive(east.table.get('a'))) ?? {};
    expect(entity?.restarts).toBe(1);
    expect(entity?.label).toMatch(label);
  });

  test('who waits behind a write that hangs is answered too, and has not written', async () => {
    const { east, clock } = regions;
    await regions.drive(east.table.put('a', { label: 'before' }));
    hangs = { reads: false, commits: true, doesItAllTheSame: false };
    const puts = Array.from({ length: 50 }, (__, n) => east.table.put('a', { label: `n${n}` }));
    const [first, ...behind] = await timed(...puts);
    expect(first).toEqual({ code: 'TABLE_OUTCOME_UNKNOWN', tookMs: IN_TIME });
    expect(behind).toEqual(behind.map(() => ({ code: 'TABLE_UNAVAILABLE', tookMs: IN_TIME })));
    hangs = { reads: false, commits: false, doesItAllTheSame: false };
    await clock.advance(600_000);
    const { entity } = (await regions.drive(east.table.get('a'))) ?? {};
    expect(entity?.label).toMatch(/^(before|n0)$/);
  });
});

describe('I15: what fails in a round of a bucket', () => {
  test('is told to those who wait for it, and the bucket goes on', async () => {
    const { east } = regions;
    let isBroken = true;
    const table = east.openTable();
    const { tick } = east.hybridClock;
    Object.assign(east.hybridClock, {
      tick: (floor: Parameters<typeof tick>[0]) => {
        if (isBroken) throw new Error('the end of time');
        return tick.call(east.hybridClock, floor);
      },
    });
    await expect(regions.drive(east.table.put('a', { label: 'x' }))).rejects.toThrow('end of time');
    isBroken = false;
    expect((await regions.drive(east.table.put('a', { label: 'y' }))).kind).toBe('created');
    expect((await regions.drive(table.get('a')))?.entity.label).toBe('y');
  });

  test('one that cannot be decided is told so alone, whoever goes with it', async () => {
    const { table } = regions.east;
    const ids = Array.from({ length: 200 }, (_, n) => `id${n}`);
    const [a = '', b = '', c = ''] = ids.filter((id) => bucketOf(id, MEMORY_BUCKET_COUNT) === '00');
    await regions.drive(Promise.all([a, b, c].map((id) => table.put(id, { label: 'old' }))));
    const condition = {
      kind: 'etag' as const,
      get etag(): string {
        throw new Error('what nobody foresaw');
      },
    };
    const puts = [
      table.put(a, { label: 'new' }),
      table.put(b, { label: 'new' }, condition),
      table.put(c, { label: 'new' }),
      table.put(b, { label: 'behind' }),
    ];
    const told = await regions.drive(Promise.allSettled(puts));
    expect(told).toMatchObject([
      { value: { kind: 'replaced' } },
      { reason: { message: 'what nobody foresaw' } },
      { value: { kind: 'replaced' } },
      { value: { kind: 'replaced' } },
    ]);
  });
});
