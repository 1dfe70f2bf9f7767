import {
  type Archive,
  createHybridClock,
  createRelay,
  createRelayQueue,
  DEFLATED_WIRE_VERSION,
  finishLate,
  type OutboxEntry,
  type RelayQueue,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createServiceBusPublisher } from '@tandem/messaging';
import { createPeerLinks, createRegionTables } from '@tandem/region';
import {
  createSystemClock,
  createSystemRandomness,
  createWriterId,
  type Logger,
} from '@tandem/service-kit';
import { createReplicatedTable, createTableArchive, type ReplicatedTable } from '@tandem/storage';

export interface ReplicatedLoadOptions {
  readonly region: string;
  readonly peer: string;
  readonly store: TableStore;
  readonly peerStore: TableStore;
  readonly peerBroker: string;
  readonly queue: string;
  readonly bucketCount: number;
}

export interface ReplicatedLoad {
  readonly table: ReplicatedTable<typeof customerKind>;
  readonly relayQueue: RelayQueue;
  readonly committedSets: () => number;
  readonly archive: Archive;
  readonly peerStore: TableStore;
  /** Resolves when the peer has applied and archived all that was committed so far. */
  untilReplicated(): Promise<void>;
}

const POLL_MS = 5;
const REPLICATED_MS_MAX = 60_000;
const NO_LOG: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields, message) => process.emitWarning(`${message} ${JSON.stringify(fields)}`),
  error: (fields, message) => process.emitWarning(`${message} ${JSON.stringify(fields)}`),
};

const LINKS = { logger: NO_LOG, settings: { wireVersion: DEFLATED_WIRE_VERSION } };

/** What writes in the API of a region, without HTTP. */
export function createReplicatedLoad(options: ReplicatedLoadOptions): ReplicatedLoad {
  const { region, peer, store, peerBroker, queue, bucketCount } = options;
  const clock = createSystemClock();
  const randomness = createSystemRandomness();
  const tables = createRegionTables({ store, kinds: [customerKind], bucketCount });
  const publisher = createServiceBusPublisher({ peer, connection: peerBroker, queue });
  const links = createPeerLinks({ publishers: [publisher], clock, randomness, ...LINKS });
  const late = finishLate({ archive: tables.archive, outboxes: tables.outboxes, clock });
  const relay = createRelay({ finish: late, links });
  const relayQueue = createRelayQueue({
    relay,
    clock,
    onFailure: (error) => process.emitWarning(String(error)),
  });
  const hybridClock = createHybridClock({
    region,
    writer: createWriterId(randomness),
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const last = new Map<string, OutboxEntry>();
  let committedSets = 0;
  const table = createReplicatedTable({
    kind: customerKind,
    store,
    archive: tables.archive,
    hybridClock,
    clock,
    randomness,
    bucketCount,
    wireVersion: DEFLATED_WIRE_VERSION,
    peers: [peer],
    onCommitted: (entry) => {
      committedSets += 1;
      last.set(entry.set.bucket, entry);
      relayQueue.offer(entry);
    },
  });
  const peerArchive = createTableArchive({ store: options.peerStore });
  return {
    table,
    relayQueue,
    archive: tables.archive,
    peerStore: options.peerStore,
    committedSets: () => committedSets,
    async untilReplicated() {
      const deadlineMs = clock.nowMs() + REPLICATED_MS_MAX;
      // A peer archives what it has applied, and one bucket's sets in their order.
      for (const { set } of last.values()) {
        while (!(await peerArchive.has(set))) {
          if (clock.nowMs() > deadlineMs) throw new Error(`${set.stamp} never reached ${peer}.`);
          await clock.sleep(POLL_MS);
        }
      }
      last.clear();
    },
  };
}
