/**
 * What sends the requests of the table service, beneath the SDK's pipeline: connections that are kept, and
 * answers read as text. The SDK's own client also streams, uncompresses, reports progress and expects 100-continue,
 * which no request here needs, and each took its share of every call.
 */

import { createHmac, createSecretKey } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import {
  createHttpHeaders,
  type HttpClient,
  type PipelinePolicy,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';

/** A URL has them around an IPv6 address, a connection has not. */
const BRACKETS = /^\[|\]$/g;

/** It opens as many connections as there are requests at once, which the caller bounds. */
export function createTableHttpClient(): HttpClient {
  const agent = new Agent({ keepAlive: true });
  const secureAgent = new SecureAgent({ keepAlive: true });
  return {
    sendRequest(request) {
      const { protocol, hostname, port, pathname, search } = new URL(request.url);
      const isInsecure = protocol === 'http:';
      const send = isInsecure ? requestHttp : requestHttps;
      return exchange(request, () =>
        send({
          // A proxy brings an agent of its own.
          agent: (request.agent as Agent | undefined) ?? (isInsecure ? agent : secureAgent),
          hostname: hostname.replace(BRACKETS, ''),
          port,
          path: pathname + search,
          method: request.method,
          headers: request.headers.toJSON({ preserveCase: true }),
        }),
      );
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
export const SDK_SHARED_KEY_POLICY = 'tablesNamedKeyCredentialPolicy';

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
