import type { Clock } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createTableLease } from './table-lease.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const DURATION_MS = 10_000;
const HOUR_MS = 3_600_000;

async function setUp() {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const leaseOf = (holder: string, aheadMs = 0) => {
    const skewed: Clock = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
    return createTableLease({ store, clock: skewed, name: 'sweep', holder });
  };
  return { clock, leaseOf };
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
});
