/** The few requests that these tests make, as a caller without our code would make them. */
interface CustomerBody {
  readonly email: string;
  readonly firstName?: string | null;
  readonly lastName?: string | null;
  readonly phoneNumber?: string | null;
}

export interface Customer extends CustomerBody {
  readonly customerId: string;
  readonly referenceId?: string;
}

export interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly region: string | null;
  readonly body: Customer & { readonly [name: string]: unknown };
}

const REQUEST_MS_MAX = 15_000;

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
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await send(`${api}/customers?limit=${limit}${query}`, 'GET');
    if (status !== 200) throw new Error(`a page was answered with ${status}`);
    for (const customer of body['items'] as Customer[]) found.set(customer.customerId, customer);
    cursor = body['nextCursor'] as string | undefined;
  } while (cursor !== undefined);
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
  deadlineMs = 60_000,
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
