import {
  type Archive,
  archiveInRounds,
  bucketNames,
  bucketOf,
  type Clock,
  type Conflict,
  type ConflictJournal,
  createAppliedClaim,
  createApplier,
  createHybridClock,
  createPeerLink,
  createRelay,
  createRelayQueue,
  createReplicator,
  finishAtOnce,
  finishLate,
  type HybridClock,
  type LargeSetBounds,
  NEWEST_WIRE_VERSION,
  type Outbox,
  type OutboxEntry,
  pagesOf,
  type Randomness,
  type ReadinessSettings,
  type Relay,
  type RelayQueue,
  type ReplicationStatus,
  type Replicator,
  type TableStore,
  type TypedKind,
} from '@tandem/core';
import { createMemoryTableStore, type MemoryBus } from '@tandem/core/memory';
import type { ReplicatedTable } from '../replicated-table.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createTableLease } from '../status/status-tables.ts';
import { createStoreProbe } from '../status/store-probe.ts';
import { createTableReplicationStatus } from '../status/table-replication-status.ts';
import type { RowMemory } from '../tables/row-memory.ts';
import { ARCHIVE_TABLE, createTableArchive } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE, createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableFragments } from '../tables/table-fragments.ts';
import { createTableOutbox } from '../tables/table-outbox.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createReplicatedTable } from '../write-path/create-replicated-table.ts';
import { createFaultyStore, type FaultyStore } from './faulty-store.ts';

export interface MemoryRegionOptions<K extends TypedKind> {
  readonly region: string;
  readonly peers: readonly string[];
  readonly kind: K;
  readonly bus: MemoryBus;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** By default a memory store of its own. */
  readonly store?: TableStore;
  /** Writes reach the peers only by the sweep, as after a crash of the process that wrote. */
  readonly relaysAtOnce?: boolean;
  readonly tombstoneAgeMs?: number;
  /** The newest that both regions read; the newest of all by default. */
  readonly wireVersion?: number;
  /** Says which change sets are large, and where these are cut. */
  readonly largeSets?: LargeSetBounds;
  /** What it receives is archived in rounds, as in a replicator; each batch at once by default. */
  readonly archivesInRounds?: boolean;
  /** What the table, and what the replicator, remember of rows; their own by default. */
  readonly memories?: { readonly table: RowMemory; readonly replica: RowMemory };
  /** Called besides for what its table commits. */
  readonly onCommitted?: (entry: OutboxEntry) => void;
  /** `MEMORY_BUCKET_COUNT` by default. */
  readonly bucketCount?: number;
  /** This region's wall clock runs ahead by so much, its store's does not. */
  readonly skewMs?: number | (() => number);
}

/** A region of shipping code over stores, a bus and a clock that a test holds in its hands. */
export interface MemoryRegion<K extends TypedKind> {
  readonly region: string;
  readonly store: FaultyStore;
  readonly table: ReplicatedTable<K>;
  readonly archive: Archive;
  readonly outbox: Outbox;
  readonly journal: ConflictJournal;
  readonly status: ReplicationStatus;
  readonly hybridClock: HybridClock;
  readonly relay: Relay;
  readonly relayQueue: RelayQueue;
  readonly replicator: Replicator;
  /** The same table as another process of the region has it open. */
  openTable(): ReplicatedTable<K>;
  readonly committed: readonly OutboxEntry[];
  readonly conflicts: readonly Conflict[];
}

export const MEMORY_BUCKET_COUNT = 4;
export const MEMORY_GRACE_MS = 2_000;
const DRIFT_MS_MAX = 60_000;
export const MEMORY_READINESS: ReadinessSettings = {
  lagMsMax: 15_000,
  waitMsMax: 600_000,
  heartbeatMsMax: 15_000,
  driftMsMax: DRIFT_MS_MAX,
};

const TOMBSTONE_AGE_MS = 90 * 24 * 3_600_000;

export async function createMemoryRegion<K extends TypedKind>(
  options: MemoryRegionOptions<K>,
): Promise<MemoryRegion<K>> {
  const { region, peers, kind, bus, randomness, skewMs = 0, memories } = options;
  const aheadMs = typeof skewMs === 'number' ? () => skewMs : skewMs;
  const clock: Clock = { ...options.clock, nowMs: () => options.clock.nowMs() + aheadMs() };

  const store = createFaultyStore(
    options.store ?? createMemoryTableStore({ nowMs: () => options.clock.nowMs() }),
  );
  for (const table of [kind.name, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE]) {
    await store.createTable(table);
  }
  const newWriter = (): string => randomness.uuid().slice(0, 8);
  const newClock = (writer: string): HybridClock =>
    createHybridClock({ region, writer, nowMs: () => clock.nowMs(), driftMsMax: DRIFT_MS_MAX });
  const writer = newWriter();
  const hybridClock = newClock(writer);
  const { bucketCount = MEMORY_BUCKET_COUNT, wireVersion = NEWEST_WIRE_VERSION } = options;
  const stored = { store, kind, bucketCount };
  const archive = createTableArchive(stored);
  const outbox = createTableOutbox(stored);
  const journal = createTableConflictJournal({ ...stored, kinds: [kind], peers });
  const status = createTableReplicationStatus(stored);
  const links = peers.map((peer) =>
    createPeerLink({
      publisher: bus.publisherFor(peer, peer),
      clock,
      randomness,
      wireVersion,
    }),
  );
  const outboxes = new Map([[kind.name, outbox]]);
  const relay = createRelay({ finish: finishAtOnce({ archive, outboxes }), links });
  const late = finishLate({ archive, outboxes, clock });
  const relayQueue = createRelayQueue({ relay: createRelay({ finish: late, links }) });
  const committed: OutboxEntry[] = [];
  const conflicts: Conflict[] = [];
  const rounds =
    options.archivesInRounds === true ? archiveInRounds({ archive, clock }) : undefined;
  const applier = createApplier({
    region,
    regions: new Set([region, ...peers]),
    replicas: new Map([[kind.name, createTableReplica({ ...stored, memory: memories?.replica })]]),
    archive: rounds ?? archive,
    conflicts: journal,
    clock,
    hybridClock,
    tombstoneAgeMs: options.tombstoneAgeMs ?? TOMBSTONE_AGE_MS,
    store,
    driftMsMax: DRIFT_MS_MAX,
    onConflict: (conflict) => conflicts.push(conflict),
  });
  const receiver = bus.receiverFor(region);
  const replicator = createReplicator({
    region,
    clock,
    receiver,
    appliedClaim: createAppliedClaim({ status, receiver, clock, driftMsMax: DRIFT_MS_MAX }),
    conflicts: journal,
    links,
    status,
    lease: createTableLease({ store, clock, name: 'sweep', holder: writer }),
    leaseMs: 10_000,
    readiness: MEMORY_READINESS,
    sweep: { outboxes: async () => [outbox], relay, graceMs: MEMORY_GRACE_MS },
    inbound: {
      applier,
      fragments: createTableFragments({ store, archive, clock }),
      randomness,
      lockRenewMs: 10_000,
      probe: createStoreProbe({ store }),
      ...(rounds && { rounds }),
    },
  });
  const openTableWith = (tableClock: HybridClock): ReplicatedTable<K> =>
    createReplicatedTable({
      ...stored,
      memory: memories?.table,
      archive,
      hybridClock: tableClock,
      clock,
      randomness,
      wireVersion,
      largeSets: options.largeSets,
      peers,
      onCommitted: (entry) => {
        committed.push(entry);
        options.onCommitted?.(entry);
        if (options.relaysAtOnce !== false) relayQueue.offer(entry);
      },
    });
  const table = openTableWith(hybridClock);
  const openTable = (): ReplicatedTable<K> => openTableWith(newClock(newWriter()));
  const parts = { region, store, table, openTable, archive, outbox, journal, status, hybridClock };
  return { ...parts, relay, relayQueue, replicator, committed, conflicts };
}

/** The first id with this beginning that lies in the bucket, of `MEMORY_BUCKET_COUNT`. */
export function idInBucket(beginning: string, bucket: string): string {
  for (let number = 0; ; number += 1) {
    const entityId = `${beginning}${number}`;
    if (bucketOf(entityId, MEMORY_BUCKET_COUNT) === bucket) return entityId;
  }
}

/** Every row of the entity table, in order, tombstones included, outbox rows not. */
export async function readRows(
  region: Pick<MemoryRegion<TypedKind>, 'store'>,
  table: string,
): Promise<readonly { readonly key: string; readonly properties: unknown }[]> {
  const rows: { key: string; properties: unknown }[] = [];
  for (const bucket of bucketNames(MEMORY_BUCKET_COUNT)) {
    const range = { table, partitions: bucket, rowsBefore: '~', limit: 1_000 };
    for await (const page of pagesOf((from) => region.store.query({ ...range, ...from }))) {
      for (const row of page.rows) {
        rows.push({
          key: `${row.partitionKey}/${row.rowKey}`,
          properties: Object.fromEntries(row.properties),
        });
      }
    }
  }
  return rows;
}
