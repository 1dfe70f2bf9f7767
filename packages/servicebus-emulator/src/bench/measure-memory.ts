import { ServiceBusClient } from '@azure/service-bus';
import { sendWithSdk } from './sdk-client.ts';
import { type BrokerKind, QUEUE, withBroker } from './with-broker.ts';

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
