import type { Clock } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { createTableLease } from './table-lease.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const DURATION_MS = 10_000;
const HOUR_MS = 3_600_000;
const SKEW_MS = 60_000;

async function setUp() {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(REPLICATION_TABLE);
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const leaseOf = (holder: string, aheadMs = 0) => {
    const skewed: Clock = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
    return createTableLease({ store, clock: skewed, name: 'sweep', holder });
  };
  return { store, clock, leaseOf };
}

describe('a lease', () => {
  test('is held by one at a time, until it ends', async () => {
    const { clock, leaseOf } = await setUp();
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
    await clock.advance(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('taken by a clock that ran far ahead is free to others, since its holder may be dead', async () => {
    const { leaseOf } = await setUp();
    expect(await leaseOf('a', HOUR_MS).acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('released is free', async () => {
    const { leaseOf } = await setUp();
    await leaseOf('a').acquire(DURATION_MS);
    await leaseOf('a').release();
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('is released by its holder alone', async () => {
    const { leaseOf } = await setUp();
    await leaseOf('b').release();
    await leaseOf('a').acquire(DURATION_MS);
    await leaseOf('b').release();
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
  });

  test('that was taken over is not released by its former holder', async () => {
    const { clock, leaseOf } = await setUp();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS);
    await leaseOf('b').acquire(DURATION_MS);
    await leaseOf('a').release();
    expect(await leaseOf('c').acquire(DURATION_MS)).toBe(false);
  });

  test('that is taken over while it is released stays with whoever took it', async () => {
    const { store, clock, leaseOf } = await setUp();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS);
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    });
    await leaseOf('a').release();
    expect(await leaseOf('c').acquire(DURATION_MS)).toBe(false);
  });

  test.each(['that nobody has', 'that has ended'])('%s goes to one of two', async (which) => {
    const { store, clock, leaseOf } = await setUp();
    if (which === 'that has ended') {
      await leaseOf('z').acquire(DURATION_MS);
      await clock.advance(DURATION_MS);
    }
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    });
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });

  test('ends neither sooner nor later than it was taken for', async () => {
    const { clock, leaseOf } = await setUp();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS - 1);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    await clock.advance(1);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    await clock.advance(DURATION_MS - 1);
    await leaseOf('b').acquire(DURATION_MS);
    await clock.advance(DURATION_MS - 1);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });

  test('of a clock that is ahead by no more than clocks may be is honoured', async () => {
    const { leaseOf } = await setUp();
    await leaseOf('a', SKEW_MS).acquire(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    await leaseOf('a', SKEW_MS + 1).acquire(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('whose end nobody can read is free', async () => {
    const { store, leaseOf } = await setUp();
    const properties = new Map([
      ['holder', { type: 'String' as const, value: 'a' }],
      ['untilMs', { type: 'String' as const, value: '9999999999999' }],
    ]);
    const operations = [{ kind: 'insert' as const, rowKey: 'sweep', properties }];
    await store.commit({ table: REPLICATION_TABLE, partitionKey: 'lease', operations });
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });
});
