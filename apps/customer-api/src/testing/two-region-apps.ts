import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import {
  createTwoRegions,
  MEMORY_BUCKET_COUNT,
  type MemoryRegion,
  type TwoRegions,
} from '@tandem/storage/testing';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../app.ts';
import type { CustomerKind } from '../customers/customer-service.ts';
import { customersOver } from './customers-over.ts';

export interface TwoRegionApps {
  readonly regions: TwoRegions<CustomerKind>;
  readonly east: FastifyInstance;
  readonly west: FastifyInstance;
  close(): Promise<void>;
}

/** The app of either region, over shipping code; nothing replicates but by `regions.settle()`. */
export async function createTwoRegionApps(): Promise<TwoRegionApps> {
  const regions = await createTwoRegions(customerKind, {
    east: { relaysAtOnce: false },
    west: { relaysAtOnce: false },
  });
  const wallClock = regions.clock;
  const east = await createAppOver(regions.east, { peers: ['west'], wallClock });
  const west = await createAppOver(regions.west, { peers: ['east'], wallClock });
  return {
    regions,
    east,
    west,
    async close() {
      await Promise.all([east.close(), west.close()]);
    },
  };
}

/** The app of one region in memory. */
export function createAppOver(
  { region, table, store }: MemoryRegion<CustomerKind>,
  options: Pick<Parameters<typeof customersOver>[0], 'peers' | 'wallClock' | 'acknowledgements'>,
): Promise<FastifyInstance> {
  let requests = 0;
  return createApp({
    region,
    customers: customersOver({
      region,
      table,
      store,
      bucketCount: MEMORY_BUCKET_COUNT,
      randomness: createSeededRandomness(region.length + region.charCodeAt(0)),
      clock: createSystemClock(),
      ...options,
    }),
    readiness: async () => ({ kind: 'ready', notes: [] }),
    serving: () => ({ kind: 'ready', notes: [] }),
    eventLoopDelayMsMax: 0,
    requestsPerMinuteMax: 100_000,
    logger: createLogger({
      service: 'customer-api',
      region,
      level: 'fatal',
      destination: { write: () => undefined },
    }),
    newRequestId: () => `request-${(requests += 1)}`,
  });
}
