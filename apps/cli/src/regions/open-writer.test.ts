import { customerKind } from '@tandem/core/customers';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  REPLICATION_TABLE,
  recordBucketCount,
} from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

interface Released extends CliHarness {
  /** Undoes the last write, by one of the command's own. */
  undo(): ReturnType<CliHarness['run']>;
}

/** As released by the charts: the environment of the services names the peers, the table does not. */
async function createReleased(): Promise<Released> {
  const harness = await createCliHarness();
  const { regions, run } = harness;
  await regions.east.table.put(ID, { email: 'one@example.com' });
  await regions.clock.advance(10);
  const before = new Date(regions.clock.nowMs()).toISOString();
  await regions.clock.advance(10);
  await regions.east.table.patch(ID, { email: 'two@example.com' });
  await regions.settle();
  const { store } = regions.east;
  await emptyTable(store, CONFIGURATION_TABLE);
  await emptyTable(store, REPLICATION_TABLE);
  await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
  const args = ['replay', '--from', 'east', '--in-place', '--before', before, '--apply'];
  return { ...harness, undo: () => run(...args) };
}

test('a write of the command is owed to the peers that the replicator names', async () => {
  const { regions, undo } = await createReleased();
  await createTableReplicationStatus(regions.east).beat({
    nowMs: regions.clock.nowMs(),
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer: 'west', passedMs: undefined, isReachable: true }],
  });
  expect(await undo()).toMatchObject({ code: 0, json: { written: 1 } });
  await regions.settle();
  expect((await regions.west.table.get(ID))?.entity.email).toBe('one@example.com');
});

test('where nobody can tell the peers, nothing is written that would stay in one region', async () => {
  const { regions, undo } = await createReleased();
  expect(await undo()).toMatchObject({
    code: 2,
    json: { error: { code: 'CONFIGURATION_INVALID' } },
  });
  expect((await regions.east.table.get(ID))?.entity.email).toBe('two@example.com');
});
