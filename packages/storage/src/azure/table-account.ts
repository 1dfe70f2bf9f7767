import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type Pipeline,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';
import { TableServiceClient } from '@azure/data-tables';
import { DefaultAzureCredential } from '@azure/identity';
import { TerminalError } from '@tandem/core';
import {
  createSharedKeyPolicy,
  createTableHttpClient,
  SDK_SHARED_KEY_POLICY,
} from './table-http-client.ts';
import type { TableRequest } from './table-request.ts';
import { CallTimedOut } from './translate-table-error.ts';

export type TableAccountOptions =
  /** With the account's key or a shared access signature. */
  | { readonly connectionString: string }
  /** `https://<account>.table.core.windows.net`, with the identity of the environment. */
  | { readonly accountUrl: string };

export interface TableAccount {
  /** Ends in a slash. */
  readonly url: string;
  /** Sends once and answers whatever comes; throws `CallTimedOut` and what the SDK throws. */
  send(request: TableRequest, timeoutMs: number): Promise<PipelineResponse>;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const COMMON_HEADERS = {
  'Accept-Encoding': 'identity',
  // In the logs of the service.
  'User-Agent': 'tandem',
  'x-ms-version': '2019-02-02',
  DataServiceVersion: '3.0',
  MaxDataServiceVersion: '3.0;NetFx',
};

/** Steps of the SDK's pipeline that do nothing for requests that are made, sent and read here. */
const POLICIES_NOT_NEEDED = [
  'serializationPolicy',
  // It parses every answer as JSON, and so do we, more exactly.
  'deserializationPolicy',
  'decompressResponsePolicy',
  'formDataPolicy',
  'multipartPolicy',
  'tablesSecondaryEndpointPolicy',
  'defaultRetryPolicy',
  // The service redirects nobody, and a write that goes elsewhere is no write.
  'redirectPolicy',
  // What it wraps is not used here.
  'wrapAbortSignalLikePolicy',
  // Spans of single requests, with URLs made fit for them, for an instrumentation that nobody registers here.
  'tracingPolicy',
  // An id that is in no log of ours, so that nobody could look for it in those of the service.
  'setClientRequestIdPolicy',
  'userAgentPolicy',
];

/**
 * The SDK's credentials and pipeline, over connections that are kept alive. It never retries:
 * the caller must know how often it asked. Throws `CONFIGURATION_INVALID`.
 */
export function createTableAccount(options: TableAccountOptions): TableAccount {
  const client = createClient(options);
  const url = new URL(client.url);
  const isInsecure = url.protocol === 'http:';
  if (isInsecure && !LOOPBACK.test(url.hostname)) {
    throw invalid(`The storage account at ${url.host} is not on this machine: use https.`);
  }
  const base = `${url.origin}${url.pathname.replace(/\/*$/, '/')}`;
  const signature = url.search.slice(1);
  const { pipeline, httpClient } = createTransport(client, options);
  return {
    url: base,
    async send(request, timeoutMs) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), timeoutMs);
      const { method, body } = request;
      try {
        return await pipeline.sendRequest(
          httpClient,
          createPipelineRequest({
            url: withQuery(`${base}${request.path}`, signature),
            method,
            ...(body === undefined ? {} : { body }),
            headers: createHttpHeaders({ ...COMMON_HEADERS, ...request.headers }),
            abortSignal: controller.signal,
            allowInsecureConnection: isInsecure,
          }),
        );
      } catch (error) {
        if (!controller.signal.aborted) throw error;
        throw new CallTimedOut(`no answer within ${timeoutMs} ms`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function createClient(options: TableAccountOptions): TableServiceClient {
  const clientOptions = { retryOptions: { maxRetries: 0 }, allowInsecureConnection: true };
  try {
    return 'connectionString' in options
      ? TableServiceClient.fromConnectionString(options.connectionString, clientOptions)
      : new TableServiceClient(options.accountUrl, new DefaultAzureCredential(), clientOptions);
  } catch (error) {
    // The SDK's message may quote what it was given, so it is left out.
    if (error instanceof Error) throw invalid('The storage account is not well described.');
    throw error;
  }
}

function createTransport(
  client: TableServiceClient,
  options: TableAccountOptions,
): { pipeline: Pipeline; httpClient: HttpClient } {
  const pipeline = client.pipeline.clone();
  for (const name of POLICIES_NOT_NEEDED) pipeline.removePolicy({ name });
  const signing =
    'connectionString' in options ? createSharedKeyPolicy(options.connectionString) : undefined;
  // Only in its place: whether there is a key to sign with, the SDK says.
  if (signing !== undefined && pipeline.removePolicy({ name: SDK_SHARED_KEY_POLICY }).length > 0) {
    pipeline.addPolicy(signing);
  }
  return { pipeline, httpClient: createTableHttpClient() };
}

function withQuery(url: string, query: string): string {
  if (query === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

function invalid(what: string): TerminalError {
  const remedy =
    'Give a connection string of a storage account (DefaultEndpointsProtocol=https;AccountName=…;' +
    'AccountKey=…) or the URL of its tables (https://<account>.table.core.windows.net).';
  return new TerminalError('CONFIGURATION_INVALID', `${what} ${remedy}`);
}
