import { ServiceBusClient } from '@azure/service-bus';
import { completeWithSdk, sendWithSdk } from './sdk-client.ts';
import { type BrokerKind, QUEUE, withBroker } from './with-broker.ts';

/** Is small, so that a million of them fit a queue of the default size. */
const PROBE_BYTES = 100;
const PROBE = 2_000;
const PROBES = 3;

export interface DepthCost {
  readonly queued: number;
  /** Counts what sending, receiving and completing one message takes while so many others are queued. */
  readonly microsecondsPerMessage: number;
  /** The broker's part of it, which the load of the machine does not change as much. */
  readonly processorMicrosecondsPerMessage: number | undefined;
}

/** Fills one queue step by step, and measures at each step. */
export async function measureDepth(
  kind: Exclude<BrokerKind, 'bare'>,
  depths: readonly number[],
  say: (cost: DepthCost) => void,
): Promise<DepthCost[]> {
  return withBroker(kind, async ({ connectionString, processorMs }) => {
    const client = new ServiceBusClient(connectionString);
    const pass = { connectionString, queue: QUEUE, bytes: PROBE_BYTES };
    const costs: DepthCost[] = [];
    const probe = async (): Promise<number> => {
      const startMs = performance.now();
      await sendWithSdk(client, { ...pass, count: PROBE });
      await completeWithSdk(client, { ...pass, count: PROBE });
      return ((performance.now() - startMs) / PROBE) * 1_000;
    };
    await probe();
    let queued = 0;
    for (const depth of depths.toSorted((a, b) => a - b)) {
      await sendWithSdk(client, { ...pass, count: depth - queued });
      queued = depth;
      const times: number[] = [];
      const before = await processorMs();
      for (let round = 0; round < PROBES; round += 1) times.push(await probe());
      const after = await processorMs();
      const cost = {
        queued,
        // The least: what else the machine does only ever adds.
        microsecondsPerMessage: Math.min(...times),
        processorMicrosecondsPerMessage:
          before === undefined || after === undefined
            ? undefined
            : ((after - before) / (PROBES * PROBE)) * 1_000,
      };
      say(cost);
      costs.push(cost);
    }
    await client.close();
    return costs;
  });
}

const MESSAGES = 100_000;
const BYTES = 1_024;

export interface Footprint {
  readonly startMs: number;
  /** Resident, in mebibytes; undefined where the system does not tell. */
  readonly idleMebibytes: number | undefined;
  /** With 100,000 messages of 1 KiB. */
  readonly filledMebibytes: number | undefined;
}

export async function measureMemory(kind: Exclude<BrokerKind, 'bare'>): Promise<Footprint> {
  return withBroker(kind, async (broker) => {
    const idleMebibytes = await broker.memoryMebibytes();
    const client = new ServiceBusClient(broker.connectionString);
    const { connectionString } = broker;
    await sendWithSdk(client, { connectionString, queue: QUEUE, count: MESSAGES, bytes: BYTES });
    const filledMebibytes = await broker.memoryMebibytes();
    await client.close();
    return { startMs: broker.startMs, idleMebibytes, filledMebibytes };
  });
}
