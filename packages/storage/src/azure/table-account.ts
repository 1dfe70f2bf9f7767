/**
 * The way to a storage account: its credentials and the SDK's pipeline, the client beneath it that keeps
 * connections, and the signature of each request.
 */

import { createHmac, createSecretKey } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type Pipeline,
  type PipelinePolicy,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import { TableServiceClient } from '@azure/data-tables';
import { DefaultAzureCredential } from '@azure/identity';
import { TerminalError } from '@tandem/core';
import type { TableRequest } from './table-requests.ts';
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

/** A URL has them around an IPv6 address, a connection has not. */
const BRACKETS = /^\[|\]$/g;

/**
 * Sends requests beneath the SDK's pipeline, over connections that are kept, and reads answers as text. The
 * SDK's own client also streams, uncompresses, reports progress and expects 100-continue, which no request here
 * needs, and each took its share of every call. It opens as many connections as there are requests at once,
 * which the caller bounds.
 */
function createTableHttpClient(): HttpClient {
  const agent = new Agent({ keepAlive: true });
  const secureAgent = new SecureAgent({ keepAlive: true });
  return {
    async sendRequest(request) {
      const { method, abortSignal } = request;
      const { protocol, hostname, port, pathname, search } = new URL(request.url);
      const isInsecure = protocol === 'http:';
      const send = isInsecure ? requestHttp : requestHttps;
      const open = (kept: Agent | false): ClientRequest =>
        send({
          // A proxy brings an agent of its own.
          agent: (request.agent as Agent | undefined) ?? kept,
          hostname: hostname.replace(BRACKETS, ''),
          port,
          path: pathname + search,
          method,
          headers: request.headers.toJSON({ preserveCase: true }),
        });
      let sent: ClientRequest | undefined;
      try {
        return await exchange(request, () => (sent = open(isInsecure ? agent : secureAgent)));
      } catch (error) {
        // The service closes connections that have rested, some in the moment in which they are used again. A read can be
        // asked once more, on a new one; of a write nobody knows here whether it was done.
        const wasKept = sent?.reusedSocket === true && abortSignal?.aborted !== true;
        if (!wasKept || method !== 'GET') throw error;
        return exchange(request, () => open(false));
      }
    },
  };
}

function exchange(request: PipelineRequest, open: () => ClientRequest): Promise<PipelineResponse> {
  const { abortSignal, body } = request;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      abortSignal?.removeEventListener('abort', abort);
      const code = error.code ?? RestError.REQUEST_SEND_ERROR;
      reject(new RestError(error.message, { code, request }));
    };
    let isAnswered = false;
    const sent = open();
    const abort = (): void => void sent.destroy(new Error('The request was given up.'));
    if (abortSignal?.aborted === true) abort();
    else abortSignal?.addEventListener('abort', abort);
    sent.on('error', fail);
    // Whatever was answered in its place, such as another protocol: nobody says anything more.
    sent.on('close', () => {
      if (!isAnswered) fail(new Error('The connection was closed before it answered.'));
    });
    sent.on('response', (answer) => {
      isAnswered = true;
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        abortSignal?.removeEventListener('abort', abort);
        resolve(toResponse(request, answer, chunks));
      });
    });
    if (typeof body === 'string') sent.end(body);
    else sent.end();
  });
}

function toResponse(
  request: PipelineRequest,
  answer: IncomingMessage,
  chunks: readonly Buffer[],
): PipelineResponse {
  const headers = createHttpHeaders();
  for (const [name, value] of Object.entries(answer.headers)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers.set(name, first);
  }
  const [only] = chunks;
  const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
  return { request, status: answer.statusCode ?? 0, headers, bodyAsText: bytes.toString('utf8') };
}

/** The SDK's own step, which this one takes the place of. */
const SDK_SHARED_KEY_POLICY = 'tablesNamedKeyCredentialPolicy';

/**
 * Signs with the account's key as the SDK does (Shared Key Lite), with a key that is prepared once: of its
 * bytes Node makes one for each request, a tenth of what a transaction costs here. Undefined for a connection
 * string that the SDK does not take name and key from: with a shared access signature, or of the local emulator.
 * https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
export function createSharedKeyPolicy(connectionString: string): PipelinePolicy | undefined {
  const isOther = ['SharedAccessSignature', 'UseDevelopmentStorage'].some(
    (name) => memberOf(connectionString, name) !== undefined,
  );
  if (isOther) return undefined;
  const account = memberOf(connectionString, 'AccountName');
  const base64 = memberOf(connectionString, 'AccountKey');
  if (account === undefined || base64 === undefined) return undefined;
  const key = createSecretKey(Buffer.from(base64, 'base64'));
  const sign = ({ url, headers, body }: PipelineRequest): void => {
    const date = new Date().toUTCString();
    const text = `${date}\n/${account}${new URL(url).pathname}`;
    const signature = createHmac('sha256', key).update(text).digest('base64');
    headers.set('x-ms-date', date);
    headers.set('Authorization', `SharedKeyLite ${account}:${signature}`);
    if (typeof body === 'string') headers.set('Content-Length', Buffer.byteLength(body));
  };
  return {
    name: 'sharedKeyPolicy',
    sendRequest(request, next) {
      sign(request);
      return next(request);
    },
  };
}

function memberOf(connectionString: string, name: string): string | undefined {
  const prefix = `${name}=`.toLowerCase();
  const members = connectionString.split(';');
  const member = members.find((text) => text.trim().toLowerCase().startsWith(prefix));
  const value = member?.trim().slice(prefix.length);
  return value === '' ? undefined : value;
}
