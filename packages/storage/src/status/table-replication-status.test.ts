import type { Heartbeat } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createTableReplicationStatus, REPLICATION_TABLE } from './table-replication-status.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const YEAR_MS = 365 * 86_400_000;

async function setUp() {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const status = createTableReplicationStatus({ store });
  const beat = (nowMs: number, more: Partial<Heartbeat> = {}): Promise<void> =>
    status.beat({
      nowMs,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'west', passedMs: nowMs - 100, appliedMs: nowMs - 200, isReachable: true }],
      ...more,
    });
  return { store, status, beat };
}

describe('the heartbeat of a region', () => {
  test('A3, I16: that a wrong clock has written ends with the next one of a right clock', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS + YEAR_MS);
    await beat(NOW_MS);
    expect(await status.read()).toMatchObject({
      heartbeatMs: NOW_MS,
      peers: [{ passedMs: NOW_MS - 100, appliedMs: NOW_MS - 200 }],
    });
  });

  test('keeps of several replicators the newest word of each peer, up to the time of the writer', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS);
    await beat(NOW_MS - 150);
    expect(await status.read()).toMatchObject({
      heartbeatMs: NOW_MS,
      peers: [{ passedMs: NOW_MS - 150, appliedMs: NOW_MS - 200 }],
    });
  });

  test.each(['{', '{"heartbeatMs":"x"}', 'null'])(
    'A7: that nobody can read (%s) counts as none, and is replaced by the next',
    async (value) => {
      const { store, status, beat } = await setUp();
      const properties = new Map([['progress', { type: 'String' as const, value }]]);
      await store.commit({
        table: REPLICATION_TABLE,
        partitionKey: 'status',
        operations: [{ kind: 'upsert', rowKey: 'heartbeat', properties }],
      });
      expect(await status.read()).toBeUndefined();
      await beat(NOW_MS);
      expect(await status.read()).toMatchObject({ heartbeatMs: NOW_MS });
    },
  );

  test('tells what several replicators have noticed, until it is not met any more', async () => {
    const { status, beat } = await setUp();
    const notice = {
      kind: 'claim-refused' as const,
      subject: 'west',
      detail: 'it speaks of a time 5 ms ahead',
      count: 1,
      sinceMs: NOW_MS,
      lastMs: NOW_MS,
    };
    await beat(NOW_MS, { notices: [notice] });
    await beat(NOW_MS + 1_000);
    expect((await status.read())?.notices).toEqual([notice]);
    await beat(NOW_MS + 3_600_000);
    expect((await status.read())?.notices).toEqual([]);
  });
});
