import createClient, { type Client, defaultBodySerializer, type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema.generated.ts';

export type * from './schema.generated.ts';

const LINES = 'application/x-ndjson';
const EXPORT = '/customers/export';
const IMPORT = '/customers/import';

/** The document says what a line is; an answer is as many of them as there are. */
type OfLines<Operation extends { responses: { 200: object } }> = Omit<Operation, 'responses'> & {
  responses: Omit<Operation['responses'], 200> & {
    200: Omit<Operation['responses'][200], 'content'> & { content: { [LINES]: string } };
  };
};

interface ClientPaths extends Omit<paths, typeof EXPORT | typeof IMPORT> {
  [EXPORT]: Omit<paths[typeof EXPORT], 'get'> & { get: OfLines<paths[typeof EXPORT]['get']> };
  [IMPORT]: Omit<paths[typeof IMPORT], 'post'> & { post: OfLines<paths[typeof IMPORT]['post']> };
}

/**
 * One method for each HTTP method; paths, parameters, bodies and answers are the document's. Lines, which an
 * import takes and an export gives, are one text; ask with `parseAs: 'stream'` for more than memory holds.
 */
export type CustomerApi = Client<ClientPaths>;

export interface ClientOptions {
  /** Leads to one region, or to what stands in front of all: `http://127.0.0.1:7700`. */
  readonly baseUrl: string;
  /** Returns the bearer token of a request; it is asked for each time, so that it may be renewed. */
  readonly token?: () => string | Promise<string>;
  /** Bounds what one request may take, its body included. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS_DEFAULT = 15_000;

/**
 * A client that does what `fetch` does: an answer of any status is returned, as `data` or as
 * `error`, with its `response`. It rejects only when there is no answer. It never repeats a request.
 */
export function createApiClient(options: ClientOptions): CustomerApi {
  const { baseUrl, token, timeoutMs = TIMEOUT_MS_DEFAULT } = options;
  const client = createClient<ClientPaths>({
    baseUrl,
    bodySerializer: (body: unknown): unknown =>
      typeof body === 'string' ? body : defaultBodySerializer(body),
    fetch: (request) => {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
      return fetch(new Request(request, { signal }));
    },
  });
  client.use(linesAsText);
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

/** Names the types that the library takes for JSON, as it takes everything that nobody told it of. */
const linesAsText: Middleware = {
  onRequest({ request, schemaPath }) {
    if (schemaPath === IMPORT) request.headers.set('content-type', LINES);
    return request;
  },
  async onResponse({ response, options }) {
    const isLines = response.headers.get('content-type')?.startsWith(LINES) === true;
    if (!isLines || options.parseAs !== 'json') return response;
    const headers = new Headers(response.headers);
    headers.delete('content-length');
    const { status, statusText } = response;
    return new Response(JSON.stringify(await response.text()), { status, statusText, headers });
  },
};

type ListedCustomer = components['schemas']['ListedCustomer'];

const PAGE_LIMIT_DEFAULT = 200;

/**
 * All customers of the region that answers, page by page. Throws when a page is answered with a
 * problem, naming its status and type.
 */
export async function* eachCustomer(
  api: CustomerApi,
  limit = PAGE_LIMIT_DEFAULT,
): AsyncGenerator<ListedCustomer> {
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? { limit } : { limit, cursor };
    const { data, error, response } = await api.GET('/customers', { params: { query } });
    if (data === undefined) {
      throw new Error(`A page was answered with ${response.status} ${error.type}.`);
    }
    yield* data.items;
    cursor = data.nextCursor;
  } while (cursor !== undefined);
}
