import { createHybridClock } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
} from '@tandem/core/memory';
import {
  ARCHIVE_TABLE,
  createReplicatedTable,
  createTableArchive,
  type ReplicatedTable,
} from '@tandem/storage';
import { createLogger } from '@tandem/service-kit';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../app.ts';
import { createCustomerService, type CustomerKind } from '../customers/customer-service.ts';
import type { ProcessReadiness } from '../health/process-readiness.ts';

export interface TestApp {
  readonly app: FastifyInstance;
  readonly table: ReplicatedTable<CustomerKind>;
  /** What was logged, at every level. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

interface TestAppOptions {
  /** Replaces methods of the table, to make it fail. */
  readonly table?: Partial<ReplicatedTable<CustomerKind>>;
  readonly readiness?: () => Promise<ProcessReadiness>;
}

const START_MS = Date.UTC(2026, 10, 1);

/** The whole app over tables in memory, for `app.inject`. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const randomness = createSeededRandomness(1);
  const table = { ...(await createMemoryTable()), ...options.table };
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
    customers: createCustomerService({ customers: table, randomness }),
    readiness: options.readiness ?? (async () => ({ kind: 'ready', notes: [] })),
    logger,
    newRequestId: () => `request-${(requests += 1)}`,
  });
  return { app, table, lines };
}

async function createMemoryTable(): Promise<ReplicatedTable<CustomerKind>> {
  const store = createMemoryTableStore();
  const clock = createVirtualClock(START_MS);
  await store.createTable(customerKind.name);
  await store.createTable(ARCHIVE_TABLE);
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'test',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    clock,
    randomness: createSeededRandomness(2),
    bucketCount: 4,
    peers: [],
    onCommitted: () => undefined,
  });
}
