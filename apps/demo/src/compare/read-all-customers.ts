import { setTimeout as delay } from 'node:timers/promises';
import type { CustomerClient, CustomerPage } from '../api/customer-client.ts';
import type { CustomersById } from './compare-customers.ts';
import type { CustomerFields } from '../customers/demo-customer.ts';

const PAGES_MAX = 100_000;
const TRIES_MAX = 10;
const RETRY_DELAY_MS = 500;

/** Reads the whole list of a region, page by page. Throws when a page is not answered. */
export async function readAllCustomers(client: CustomerClient): Promise<CustomersById> {
  const found = new Map<string, CustomerFields>();
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, nextCursor } = await readPage(client, cursor);
    for (const { customerId, fields } of items) found.set(customerId, fields);
    if (nextCursor === undefined) return found;
    cursor = nextCursor;
  }
  throw new Error(`The list of customers has more than ${PAGES_MAX} pages.`);
}

async function readPage(client: CustomerClient, cursor: string | undefined): Promise<CustomerPage> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.list(cursor);
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await delay(RETRY_DELAY_MS);
    }
  }
}
