import { CUSTOMER_FIELDS, type CustomerFields } from '../customers/demo-customer.ts';

const TIMEOUT_MS = 20_000;
const PAGE_LIMIT = 1_000;
const DETAIL_LENGTH_MAX = 300;

export type WriteAnswer =
  | { readonly kind: 'acknowledged'; readonly customerId: string; readonly region: string }
  /** Sending the same again will not help. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer, or one that says to try again: it may have been written all the same. */
  | { readonly kind: 'unanswered'; readonly reason: string };

export interface CustomerPage {
  readonly items: readonly { readonly customerId: string; readonly fields: CustomerFields }[];
  readonly nextCursor: string | undefined;
}

/** The REST API of one region, or the traffic manager in front of all. */
export interface CustomerClient {
  put(customerId: string, fields: CustomerFields): Promise<WriteAnswer>;
  post(fields: CustomerFields): Promise<WriteAnswer>;
  /** False for a 404 and for no answer. */
  has(customerId: string): Promise<boolean>;
  /** Throws when it is not answered with a page. */
  list(cursor: string | undefined): Promise<CustomerPage>;
}

export function createCustomerClient(baseUrl: string): CustomerClient {
  const write = async (method: string, path: string, fields: CustomerFields) => {
    try {
      const response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(fields),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return await readWriteAnswer(response);
    } catch (error) {
      return { kind: 'unanswered', reason: describeFailure(error) } as const;
    }
  };
  return {
    put: (customerId, fields) => write('PUT', `/customers/${customerId}`, fields),
    post: (fields) => write('POST', '/customers', fields),
    async has(customerId) {
      try {
        const response = await fetch(`${baseUrl}/customers/${customerId}`, {
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        await response.arrayBuffer();
        return response.status === 200;
      } catch (error) {
        if (isNoAnswer(error)) return false;
        throw error;
      }
    },
    async list(cursor) {
      const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const response = await fetch(`${baseUrl}/customers?limit=${PAGE_LIMIT}${query}`, {
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }).catch((error: unknown) => {
        throw new Error(`${baseUrl} gave no answer: ${describeFailure(error)}`, { cause: error });
      });
      const text = await response.text();
      if (response.status !== 200) throw new Error(describeAnswer(response.status, text));
      return readPage(JSON.parse(text));
    },
  };
}

async function readWriteAnswer(response: Response): Promise<WriteAnswer> {
  const { status } = response;
  const text = await response.text();
  if (status === 200 || status === 201) {
    const { customerId } = JSON.parse(text) as { customerId?: unknown };
    const region = response.headers.get('x-tandem-region');
    if (typeof customerId === 'string' && region !== null) {
      return { kind: 'acknowledged', customerId, region };
    }
  }
  const reason = describeAnswer(status, text);
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return isFinal ? { kind: 'refused', reason } : { kind: 'unanswered', reason };
}

function describeAnswer(status: number, text: string): string {
  return `${status} ${text.slice(0, DETAIL_LENGTH_MAX)}`;
}

/** Refused, reset, cut, timed out: what `fetch` throws when there is no whole answer. */
function isNoAnswer(error: unknown): error is Error {
  return (
    error instanceof TypeError || (error instanceof DOMException && error.name !== 'SyntaxError')
  );
}

function describeFailure(error: unknown): string {
  if (!isNoAnswer(error)) throw error;
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function readPage(json: unknown): CustomerPage {
  const { items, nextCursor } = json as {
    items: readonly Readonly<Record<string, unknown>>[];
    nextCursor?: string;
  };
  return {
    items: items.map((item) => ({
      customerId: String(item['customerId']),
      fields: Object.fromEntries(
        CUSTOMER_FIELDS.map((field) => [field, (item[field] ?? null) as string | null]),
      ) as CustomerFields,
    })),
    nextCursor,
  };
}
