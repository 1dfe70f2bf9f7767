// The few requests that these tests make: raw where the test is about the answer.
import { type components, createApiClient, eachCustomer } from '@tandem/customer-client';

export type Customer = components['schemas']['Customer'];

export interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly region: string | null;
  readonly body: Customer & { readonly [name: string]: unknown };
}

const REQUEST_MS_MAX = 15_000;
/** For machines that have five times as much to do as they can. */
const UNTIL_MS_MAX = 180_000;

export async function send(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    region: response.headers.get('x-tandem-region'),
    body: text === '' ? {} : JSON.parse(text),
  };
}

/** Every customer of a region, page by page, by id. */
export async function listCustomers(api: string, limit = 200): Promise<Map<string, Customer>> {
  const found = new Map<string, Customer>();
  const client = createApiClient({ baseUrl: api, timeoutMs: REQUEST_MS_MAX });
  for await (const customer of eachCustomer(client, limit))
    found.set(customer.customerId, customer);
  return found;
}

/** Without the one field that differs between regions by design. */
export function fieldsOf(customers: ReadonlyMap<string, Customer>): Record<string, unknown> {
  const entries = [...customers].map(([id, customer]) => [
    id,
    { ...customer, referenceId: undefined },
  ]);
  return Object.fromEntries(entries);
}

/** Waits until `check` returns something, polling; fails with what it was waiting for. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined>,
  deadlineMs = UNTIL_MS_MAX,
): Promise<T> {
  const endMs = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < endMs) {
    try {
      const found = await check();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error(`waited ${deadlineMs} ms in vain for ${what}`, { cause: last });
}
