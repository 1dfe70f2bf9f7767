import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import { createTwoRegions, MEMORY_BUCKET_COUNT, type TwoRegions } from '@tandem/storage/testing';
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
  const clock = createSystemClock();
  const appOf = (region: 'east' | 'west', seed: number): Promise<FastifyInstance> => {
    const { table, store } = regions[region];
    const randomness = createSeededRandomness(seed);
    const bucketCount = MEMORY_BUCKET_COUNT;
    let requests = 0;
    return createApp({
      region,
      customers: customersOver({
        region,
        table,
        store,
        bucketCount,
        randomness,
        clock,
        wallClock: regions.clock,
        peers: [region === 'east' ? 'west' : 'east'],
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
  };
  const east = await appOf('east', 1);
  const west = await appOf('west', 2);
  return {
    regions,
    east,
    west,
    async close() {
      await Promise.all([east.close(), west.close()]);
    },
  };
}
