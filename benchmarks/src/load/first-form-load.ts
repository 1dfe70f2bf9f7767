/**
 * The pattern's first form, small and faithful: in line an upsert, an archive row under a random key and
 * one message; at the other side one upsert for each message.
 */
import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { ServiceBusClient } from '@azure/service-bus';
import { customerFor, customerId } from './customers.ts';

export interface FirstFormLoad {
  write(customer: number, revision: number): Promise<void>;
  untilReplicated(): Promise<void>;
  close(): Promise<void>;
}

const PARTITION = 'Customer';
const MESSAGES_AT_ONCE = 64;
const POLL_MS = 5;

export async function createFirstForm(options: {
  readonly tables: string;
  readonly peerTables: string;
  readonly peerBroker: string;
  readonly queue: string;
}): Promise<FirstFormLoad> {
  const open = async (connection: string, name: string): Promise<TableClient> => {
    const insecure = { allowInsecureConnection: true };
    const client = TableClient.fromConnectionString(connection, name, insecure);
    await client.createTable();
    return client;
  };
  const own = await open(options.tables, 'FirstForm');
  const archive = await open(options.tables, 'FirstFormArchive');
  const peer = await open(options.peerTables, 'FirstForm');
  const bus = new ServiceBusClient(options.peerBroker);
  const sender = bus.createSender(options.queue);
  const receiver = bus.createReceiver(options.queue);
  const count = { sent: 0, applied: 0 };
  receiver.subscribe(
    {
      async processMessage({ body }: { body: { partitionKey: string; rowKey: string } }) {
        await peer.upsertEntity(body, 'Replace');
        count.applied += 1;
      },
      async processError({ error }) {
        process.emitWarning(error);
      },
    },
    { maxConcurrentCalls: MESSAGES_AT_ONCE },
  );
  return {
    async write(customer, revision) {
      const rowKey = customerId(customer);
      const body = { partitionKey: PARTITION, rowKey, ...customerFor(customer, revision) };
      await own.upsertEntity(body, 'Replace');
      const archived = { ...body, partitionKey: PARTITION, rowKey: randomUUID() };
      await archive.createEntity(archived);
      await sender.sendMessages({ body: { ...body, referenceId: archived.rowKey } });
      count.sent += 1;
    },
    async untilReplicated() {
      while (count.applied < count.sent) {
        await new Promise<void>((resolve) => {
          setTimeout(resolve, POLL_MS);
        });
      }
    },
    async close() {
      await bus.close();
    },
  };
}
