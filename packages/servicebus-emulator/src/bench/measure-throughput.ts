import { passWithRhea } from './bare-client.ts';
import { passWithSdk } from './sdk-client.ts';
import { QUEUE, withBroker } from './with-broker.ts';

const BYTES = 1_024;

export interface Throughput {
  /** Messages per second, medians of the rounds. */
  readonly bareRhea: number;
  readonly inMemory: number;
  readonly durable: number;
  /** Medians of each round's ratio to bare rhea. */
  readonly inMemoryRatio: number;
  readonly durableRatio: number;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/**
 * Passes the same messages through each broker in turn, from one process to another and back, so
 * that what else the machine does falls on all of them.
 */
export async function measureThroughput(rounds: number, messages: number): Promise<Throughput> {
  const size = { count: messages, bytes: BYTES };
  const runs: { bare: number; inMemory: number; durable: number }[] = [];
  await withBroker('bare', (bare) =>
    withBroker('memory', (inMemory) =>
      withBroker('folder', async (durable) => {
        // The first round warms everything up and does not count.
        for (let round = 0; round <= rounds; round += 1) {
          const pass = { ...size, queue: QUEUE };
          runs.push({
            bare: await passWithRhea(bare.amqpPort, size),
            inMemory: await passWithSdk({ ...pass, connectionString: inMemory.connectionString }),
            durable: await passWithSdk({ ...pass, connectionString: durable.connectionString }),
          });
        }
      }),
    ),
  );
  const counted = runs.slice(1);
  return {
    bareRhea: median(counted.map((run) => run.bare)),
    inMemory: median(counted.map((run) => run.inMemory)),
    durable: median(counted.map((run) => run.durable)),
    inMemoryRatio: median(counted.map((run) => run.inMemory / run.bare)),
    durableRatio: median(counted.map((run) => run.durable / run.bare)),
  };
}
