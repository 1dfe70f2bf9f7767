import { createHybridClock, type OutboxEntry } from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createTableArchive } from '../tables/table-archive.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createReplicatedTable } from './create-replicated-table.ts';

test('the first write of an idle bucket waits for those that gather, and no longer', async () => {
  const store = createMemoryTableStore();
  await store.createTable(deviceKind.name);
  const clock = createVirtualClock(0);
  const committed: OutboxEntry[] = [];
  const gathering = Promise.withResolvers<void>();
  const table = createReplicatedTable({
    kind: deviceKind,
    store,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'w1',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: 1,
    peers: [],
    gather: () => gathering.promise,
    onCommitted: (entry) => committed.push(entry),
  });
  const first = table.put('a', { label: 'first' });
  await clock.advance(0);
  const second = table.put('b', { label: 'second' });
  await clock.advance(0);
  expect(committed).toEqual([]);

  gathering.resolve();
  await Promise.all([first, second]);
  expect(committed.map(({ set }) => set.changes.length)).toEqual([2]);
});
