import { randomUUID } from 'node:crypto';
import type { CustomerApi } from '@tandem/customer-client';

/** `shed`: told to come back later, in so many seconds. */
export type GoodAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'shed'; readonly retryAfterS: number }
  | { readonly kind: 'error'; readonly what: string };

const LIST_LIMIT = 20;

/** One client of many: writes its customer, reads it, changes it, and now and then reads a page. */
export function createGoodClient(api: CustomerApi): () => Promise<GoodAnswer> {
  const params = { path: { customerId: randomUUID() } };
  let turn = 0;
  const ask = (): Promise<{ readonly response: Response }> => {
    const email = `load${turn}@example.com`;
    if (turn === 0) return api.PUT('/customers/{customerId}', { params, body: { email } });
    switch (turn % 8) {
      case 0:
        return api.GET('/customers', { params: { query: { limit: LIST_LIMIT } } });
      case 1:
      case 3:
        return api.PATCH('/customers/{customerId}', { params, body: { email } });
      case 5:
        return api.PUT('/customers/{customerId}', { params, body: { email, firstName: 'Ada' } });
      default:
        return api.GET('/customers/{customerId}', { params });
    }
  };
  return async () => {
    try {
      const { response } = await ask();
      const answer = judge(response);
      if (answer.kind === 'done') turn += 1;
      return answer;
    } catch (error) {
      return { kind: 'error', what: `no answer: ${describe(error)}` };
    }
  };
}

function judge({ status, headers }: Response): GoodAnswer {
  if (status >= 200 && status < 300) return { kind: 'done' };
  const retryAfterS = Number(headers.get('retry-after') ?? Number.NaN);
  const isTold = status === 429 || status === 503;
  if (isTold && Number.isFinite(retryAfterS)) return { kind: 'shed', retryAfterS };
  return { kind: 'error', what: `answered with ${status}` };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
