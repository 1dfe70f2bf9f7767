import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './schema.generated.ts';

/** One method for each HTTP method; paths, parameters, bodies and answers are the document's. */
export type CustomerApi = Client<paths>;

export interface ClientOptions {
  /** Of one region, or of what stands in front of all: `http://127.0.0.1:7700`. */
  readonly baseUrl: string;
  /** The bearer token of a request; asked for each time, so that it may be renewed. */
  readonly token?: () => string | Promise<string>;
  /** How long one request may take, its body included. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS_DEFAULT = 15_000;

/**
 * A client that does what `fetch` does: an answer of any status is returned, as `data` or as
 * `error`, with its `response`. It rejects only when there is no answer. It never repeats a request.
 */
export function createApiClient(options: ClientOptions): CustomerApi {
  const { baseUrl, token, timeoutMs = TIMEOUT_MS_DEFAULT } = options;
  const client = createClient<paths>({
    baseUrl,
    fetch: (request) => {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
      return fetch(new Request(request, { signal }));
    },
  });
  if (token !== undefined) {
    client.use({
      async onRequest({ request }) {
        request.headers.set('authorization', `Bearer ${await token()}`);
        return request;
      },
    });
  }
  return client;
}
