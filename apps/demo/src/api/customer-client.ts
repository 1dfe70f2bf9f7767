import { type components, createApiClient } from '@tandem/customer-client';
import type { CustomerFields, DemoFields } from '../customers/make-customers.ts';

const TIMEOUT_MS = 20_000;
const PAGE_LIMIT = 1_000;
const DETAIL_LENGTH_MAX = 300;

export type WriteAnswer =
  | { readonly kind: 'acknowledged'; readonly customerId: string; readonly region: string }
  /** Sending the same again will not help. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Had no answer, or one that says to try again: it may have been written all the same. */
  | { readonly kind: 'unanswered'; readonly reason: string };

export interface CustomerPage<F extends DemoFields = CustomerFields> {
  readonly items: readonly { readonly customerId: string; readonly fields: F }[];
  readonly nextCursor: string | undefined;
}

/** Speaks to the REST API or the Table endpoint of one region, or to what stands in front of all. */
export interface CustomerClient<F extends DemoFields = CustomerFields> {
  put(customerId: string, fields: F): Promise<WriteAnswer>;
  post(fields: F): Promise<WriteAnswer>;
  /** Resolves with false for a 404 and for no answer. */
  has(customerId: string): Promise<boolean>;
  /** Throws when it is not answered with a page. */
  list(cursor: string | undefined): Promise<CustomerPage<F>>;
}

export function createCustomerClient(baseUrl: string): CustomerClient {
  const api = createApiClient({ baseUrl, timeoutMs: TIMEOUT_MS });
  return {
    put: (customerId, fields) => {
      const params = { path: { customerId } };
      return readWriteAnswer(api.PUT('/customers/{customerId}', { params, body: toBody(fields) }));
    },
    post: (fields) => readWriteAnswer(api.POST('/customers', { body: toBody(fields) })),
    async has(customerId) {
      try {
        const params = { path: { customerId } };
        const { response } = await api.GET('/customers/{customerId}', { params });
        return response.status === 200;
      } catch (error) {
        if (isNoAnswer(error)) return false;
        throw error;
      }
    },
    async list(cursor) {
      const query = { limit: PAGE_LIMIT, ...(cursor === undefined ? {} : { cursor }) };
      const asked = api.GET('/customers', { params: { query } });
      const { data, error, response } = await asked.catch((failure: unknown) => {
        const reason = describeFailure(failure);
        throw new Error(`${baseUrl} gave no answer: ${reason}`, { cause: failure });
      });
      if (data === undefined) throw new Error(describeAnswer(response.status, error));
      return { items: data.items.map(toItem), nextCursor: data.nextCursor };
    },
  };
}

/** A customer without an e-mail is sent as it is: the API says what is wrong with it. */
function toBody(fields: CustomerFields): CustomerFields & { readonly email: string } {
  return fields as CustomerFields & { readonly email: string };
}

interface Answer {
  readonly data?: { readonly customerId: string } | undefined;
  readonly error?: unknown;
  readonly response: Response;
}

async function readWriteAnswer(asked: Promise<Answer>): Promise<WriteAnswer> {
  try {
    const { data, error, response } = await asked;
    const { status } = response;
    const region = response.headers.get('x-tandem-region');
    if (data !== undefined && region !== null) {
      return { kind: 'acknowledged', customerId: data.customerId, region };
    }
    const reason = describeAnswer(status, error);
    const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
    return isFinal ? { kind: 'refused', reason } : { kind: 'unanswered', reason };
  } catch (error) {
    return { kind: 'unanswered', reason: describeFailure(error) };
  }
}

function describeAnswer(status: number, error: unknown): string {
  return `${status} ${JSON.stringify(error ?? '').slice(0, DETAIL_LENGTH_MAX)}`;
}

/** Refused, reset, cut, timed out: what the client throws when there is no whole answer. */
function isNoAnswer(error: unknown): error is Error {
  return (
    error instanceof TypeError ||
    error instanceof SyntaxError ||
    (error instanceof DOMException && error.name !== 'SyntaxError')
  );
}

function describeFailure(error: unknown): string {
  if (!isNoAnswer(error)) throw error;
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function toItem(customer: components['schemas']['ListedCustomer']): CustomerPage['items'][number] {
  const { customerId, email, firstName, lastName, phoneNumber } = customer;
  return { customerId, fields: { email, firstName, lastName, phoneNumber } };
}
