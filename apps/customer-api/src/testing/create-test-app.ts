import {
  createHybridClock,
  createRelay,
  createRelayQueue,
  createRequestJudge,
  finishAtOnce,
  NEWEST_WIRE_VERSION,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import type { ProcessReadiness } from '@tandem/region';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  createReplicatedTable,
  createTableArchive,
  createTableOutbox,
  type ReplicatedTable,
} from '@tandem/storage';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../app.ts';
import type { Pace } from '../bulk/pace.ts';
import type { CustomerKind } from '../customers/customer-service.ts';
import type { ApiTokenVerifier } from '../plugins/auth.ts';
import { customersOver } from './customers-over.ts';

export interface TestApp {
  readonly app: FastifyInstance;
  readonly table: ReplicatedTable<CustomerKind>;
  /** What was logged, at every level. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

interface TestAppOptions {
  /** In memory, with its tables, by default. */
  readonly store?: TableStore;
  /** Replaces methods of the table, to make it fail. */
  readonly table?: Partial<ReplicatedTable<CustomerKind>>;
  readonly readiness?: () => Promise<ProcessReadiness>;
  readonly verifyToken?: ApiTokenVerifier;
  readonly requestsPerMinuteMax?: number;
  readonly pace?: Pace;
  readonly isPreconditionRequired?: boolean;
  /** By default nothing is shed: a test that computes without a pause is no overload. */
  readonly eventLoopDelayMsMax?: number;
}

const BUCKET_COUNT = 4;
const START_MS = Date.UTC(2026, 10, 1);

/** The whole app over tables in memory, for `app.inject`. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const randomness = createSeededRandomness(1);
  const store = options.store ?? (await createMemoryStore());
  const table = { ...createMemoryTable(store), ...options.table };
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    service: 'customer-api',
    region: 'east',
    level: 'trace',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  let requests = 0;
  const app = await createApp({
    region: 'east',
    customers: customersOver({
      region: 'east',
      table,
      store,
      bucketCount: BUCKET_COUNT,
      randomness,
      clock: createSystemClock(),
      isPreconditionRequired: options.isPreconditionRequired ?? false,
    }),
    readiness: options.readiness ?? (async () => ({ kind: 'ready', notes: [] })),
    serving: () => ({ kind: 'ready', notes: [] }),
    verifyToken: options.verifyToken,
    judgeRequest: createRequestJudge(),
    pace: options.pace,
    eventLoopDelayMsMax: options.eventLoopDelayMsMax ?? 0,
    requestsPerMinuteMax: options.requestsPerMinuteMax ?? 100_000,
    logger,
    newRequestId: () => `request-${(requests += 1)}`,
  });
  return { app, table, lines };
}

async function createMemoryStore(): Promise<TableStore> {
  const store = createMemoryTableStore();
  await store.createTable(customerKind.name);
  await store.createTable(ARCHIVE_TABLE);
  return store;
}

function createMemoryTable(store: TableStore): ReplicatedTable<CustomerKind> {
  const clock = createVirtualClock(START_MS);
  const archive = createTableArchive({ store });
  const outbox = createTableOutbox({ store, kind: customerKind, bucketCount: BUCKET_COUNT });
  const outboxes = new Map([[customerKind.name, outbox]]);
  const relayQueue = createRelayQueue({
    relay: createRelay({ finish: finishAtOnce({ archive, outboxes }), links: [] }),
  });
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive,
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'test',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    clock,
    randomness: createSeededRandomness(2),
    bucketCount: BUCKET_COUNT,
    wireVersion: NEWEST_WIRE_VERSION,
    peers: [],
    onCommitted: (entry) => relayQueue.offer(entry),
  });
}
