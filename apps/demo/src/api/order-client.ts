import { setTimeout as delay } from 'node:timers/promises';
import {
  RestError,
  TableClient,
  TableServiceClient,
  type TransactionAction,
} from '@azure/data-tables';
import type { DemoFields } from '../customers/make-customers.ts';
import type { CustomerClient, CustomerPage, WriteAnswer } from './customer-client.ts';

const TIMEOUT_MS = 20_000;
/** The demo counts what fails, and tries again itself. It runs on loopback, without TLS. */
const OPTIONS = { retryOptions: { maxRetries: 0 }, allowInsecureConnection: true };
/** What a region that comes up may answer; the table may not have come to it yet. */
const PASSING = new Set([404, 408, 409, 412, 429]);
const TABLE_MS_MAX = 60_000;
const POLL_MS = 200;

interface Place {
  readonly name: string;
  readonly connection: string;
}

/** Creates the table in the first region, and waits until all have it. */
export async function createOrderTable(
  table: string,
  connections: readonly string[],
): Promise<void> {
  const [first = ''] = connections;
  await TableServiceClient.fromConnectionString(first, OPTIONS).createTable(table);
  const deadlineMs = performance.now() + TABLE_MS_MAX;
  for (const connection of connections) {
    const client = TableClient.fromConnectionString(connection, table, OPTIONS);
    for (;;) {
      try {
        await client.listEntities().byPage({ maxPageSize: 1 }).next();
        break;
      } catch (error) {
        if (!(error instanceof RestError) || performance.now() > deadlineMs) throw error;
      }
      await delay(POLL_MS);
    }
  }
}

/**
 * Writes transactions of orders by the client of Table Storage, to one region, or to the next one once a request to
 * the one before has failed. An order is the row `<transaction>-<number>` of its customer.
 */
export function createOrderClient(
  table: string,
  places: readonly Place[],
): CustomerClient<DemoFields> {
  const clients = places.map(({ name, connection }) => ({
    name,
    rows: TableClient.fromConnectionString(connection, table, OPTIONS),
  }));
  let at = 0;
  const current = (): (typeof clients)[number] => {
    const own = clients[at % clients.length];
    if (own === undefined) throw new Error('The demo needs a region.');
    return own;
  };
  const put = async (id: string, orders: DemoFields): Promise<WriteAnswer> => {
    const asked = at;
    const { name, rows } = current();
    try {
      await rows.submitTransaction(toActions(id, orders), {
        abortSignal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { kind: 'acknowledged', customerId: id, region: name };
    } catch (error) {
      const { status, reason } = describe(error);
      const isFinal = status >= 400 && status < 500 && !PASSING.has(status);
      if (isFinal) return { kind: 'refused', reason };
      // Another request may have gone on to the next one already.
      if (at === asked) at += 1;
      return { kind: 'unanswered', reason };
    }
  };
  return {
    put,
    post: async () => ({ kind: 'refused', reason: 'A transaction of orders has an id.' }),
    async has(id) {
      const { partitionKey, start } = keysOf(id);
      try {
        await current().rows.getEntity(partitionKey, `${start}0`, {
          abortSignal: AbortSignal.timeout(TIMEOUT_MS),
        });
        return true;
      } catch (error) {
        describe(error);
        return false;
      }
    },
    async list() {
      const found = new Map<string, Record<string, string | null>>();
      for await (const { partitionKey = '', rowKey = '', item } of current().rows.listEntities()) {
        const [transaction = '', number = ''] = rowKey.split('-');
        const id = `${partitionKey}/${transaction}`;
        const orders = found.get(id) ?? {};
        orders[number] = typeof item === 'string' ? item : null;
        found.set(id, orders);
      }
      const items = [...found].map(([customerId, fields]) => ({ customerId, fields }));
      return { items, nextCursor: undefined } satisfies CustomerPage<DemoFields>;
    },
  };
}

function keysOf(id: string): { readonly partitionKey: string; readonly start: string } {
  const [partitionKey = '', transaction = ''] = id.split('/');
  return { partitionKey, start: `${transaction}-` };
}

function toActions(id: string, orders: DemoFields): TransactionAction[] {
  const { partitionKey, start } = keysOf(id);
  return Object.entries(orders).map(([number, item]): TransactionAction => {
    const entity = { partitionKey, rowKey: `${start}${number}`, item: item ?? '' };
    // Repeated, it makes the same row.
    return ['upsert', entity, 'Replace'];
  });
}

/** Throws what is no answer of a service, nor the want of one. */
function describe(error: unknown): { readonly status: number; readonly reason: string } {
  if (error instanceof RestError) return { status: error.statusCode ?? 0, reason: error.message };
  if (error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)) {
    return { status: 0, reason: error.message };
  }
  throw error;
}
