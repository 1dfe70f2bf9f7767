/**
 * A region's tables in memory, in a process of their own, so that what they cost is told apart from
 * what is ours. Unlike Azurite it finds a row or the start of a range without looking at the others.
 */
import {
  bucketOf,
  CHANGES_PER_SET_MAX,
  formatStamp,
  type RowWrite,
  toAllFieldValues,
  writeEntity,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createRowMemory, createTableReplica } from '@tandem/storage';
import { customerFor, customerId } from '../load/customers.ts';
import type { SeedRequest, StoreAnswer, StoreRequest } from './store-messages.ts';

const store = createMemoryTableStore();
/** Of the rows that are there from the start: older than any write, younger than any tombstone. */
const SEEDED_MS_AGO = 3_600_000;
const NO_MEMORY = { bytesMax: 1 };

async function seed({ customers, bucketCount, nowMs }: SeedRequest): Promise<void> {
  await store.createTable(customerKind.name);
  const memory = createRowMemory(NO_MEMORY);
  const replica = createTableReplica({ store, kind: customerKind, bucketCount, memory });
  const stamp = formatStamp({
    timeMs: nowMs - SEEDED_MS_AGO,
    counter: 0,
    region: 'east',
    writer: 'seed',
  });
  const waiting = new Map<string, RowWrite[]>();
  for (let nth = 0; nth < customers; nth += 1) {
    const entityId = customerId(nth);
    const values = toAllFieldValues(customerKind, customerFor(nth, 0));
    const state = writeEntity(
      { kind: 'put', values },
      { stored: undefined, stamp, policy: customerKind.policy },
    );
    const bucket = bucketOf(entityId, bucketCount);
    const writes = waiting.get(bucket) ?? [];
    waiting.set(bucket, writes);
    writes.push({ entityId, row: { state, referenceId: undefined }, stored: undefined });
    if (writes.length >= CHANGES_PER_SET_MAX) await replica.write(bucket, writes.splice(0));
  }
  for (const [bucket, writes] of waiting)
    if (writes.length > 0) await replica.write(bucket, writes);
}

async function answer(request: StoreRequest): Promise<unknown> {
  switch (request.kind) {
    case 'seed':
      return seed(request);
    case 'createTable':
      return store.createTable(...request.args);
    case 'get':
      return store.get(...request.args);
    case 'commit':
      return store.commit(...request.args);
    case 'query':
      return store.query(...request.args);
    case 'timeMs':
      return store.timeMs(...request.args);
    default:
      return request satisfies never;
  }
}

process.on('message', ({ id, request }: { id: number; request: StoreRequest }) => {
  const send = (message: StoreAnswer): void => void process.send?.(message);
  answer(request).then(
    (result) => send({ id, result }),
    (error: unknown) =>
      send({ id, error: error instanceof Error ? String(error.stack) : 'unknown' }),
  );
});
process.on('disconnect', () => process.exit());
process.stdout.write('{"event":"ready"}\n');
