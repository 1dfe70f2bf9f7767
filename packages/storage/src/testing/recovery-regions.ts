import { deepStrictEqual } from 'node:assert';
import { createHash } from 'node:crypto';
import {
  bucketNames,
  type Digest,
  type EntityKind,
  type RecoveryRegion,
  replayInto,
  type TableStore,
  type TypedKind,
  type VerifyReport,
  verifyRegions,
} from '@tandem/core';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createRecoveryRegion } from '../recovery/recovery-region.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { MEMORY_BUCKET_COUNT, type MemoryRegion, readRows } from './memory-region.ts';
import type { TwoRegions } from './two-regions.ts';

const DAY_MS = 24 * 3_600_000;
export const MEMORY_TOMBSTONE_AGE_MS: number = 90 * DAY_MS;

export function createTestDigest(): Digest {
  const hash = createHash('sha256');
  return { update: (text) => void hash.update(text), hex: () => hash.digest('hex') };
}

/** Both regions as the recovery use cases see them. */
export function recoveryRegionsOf<K extends TypedKind>(
  { east, west }: TwoRegions<K>,
  kind: K,
): readonly [RecoveryRegion, RecoveryRegion] {
  const names = [east.region, west.region];
  return [recoveryRegionOf(east, kind, names), recoveryRegionOf(west, kind, names)];
}

/** A region as the recovery use cases see it, among the regions `names`. */
export function recoveryRegionOf(
  { region, store }: { readonly region: string; readonly store: TableStore },
  kind: EntityKind,
  names: readonly string[],
): RecoveryRegion {
  const peers = names.filter((name) => name !== region);
  return createRecoveryRegion({ region, store, kind, bucketCount: MEMORY_BUCKET_COUNT, peers });
}

export function verifyTwo<K extends TypedKind>(
  regions: TwoRegions<K>,
  kind: K,
): Promise<VerifyReport> {
  const own = recoveryRegionsOf(regions, kind);
  return regions.drive(
    verifyRegions({
      regions: own,
      buckets: own[0].buckets,
      clock: regions.clock,
      createDigest: createTestDigest,
      tombstoneAgeMs: MEMORY_TOMBSTONE_AGE_MS,
      recheckCountMax: 2,
      recheckDelayMs: 100,
    }),
  );
}

/** What is left of a table that was dropped and made again. */
export async function emptyTable(store: TableStore, table: string): Promise<void> {
  const partitions = { from: '!', before: '~~' };
  for (;;) {
    const { rows } = await store.query({ table, partitions, limit: 100 });
    if (rows.length === 0) return;
    for (const { partitionKey, rowKey } of rows) {
      await store.commit({ table, partitionKey, operations: [{ kind: 'delete', rowKey }] });
    }
  }
}

/** The messages that wait in a queue are gone, as when someone purges it. */
export async function purgeQueue<K extends TypedKind>(
  { bus, drive }: TwoRegions<K>,
  queue: string,
): Promise<void> {
  const receiver = bus.receiverFor(queue);
  for (;;) {
    const messages = await drive(receiver.receive(100, 0));
    if (messages.length === 0) return;
    for (const one of messages) await receiver.settle(one, { kind: 'complete' });
  }
}

/** I5: its archive, replayed from empty, gives its live table. */
export async function expectReplayable<K extends TypedKind>(
  { region, store }: Pick<MemoryRegion<K>, 'region' | 'store'>,
  kind: K,
): Promise<void> {
  const table = 'Replayed';
  await store.createTable(table);
  await emptyTable(store, table);
  const bucketCount = MEMORY_BUCKET_COUNT;
  await replayInto({
    archive: createTableArchiveKeeper({ store }),
    buckets: bucketNames(bucketCount),
    into: createTableReplica({ store, kind, bucketCount, table }),
    region,
    span: {},
  });
  deepStrictEqual(await readRows({ store }, table), await readRows({ store }, kind.name));
}
