import { Pool } from 'undici';
import { CallTimedOut } from './translate-table-error.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly header: (name: string) => string | undefined;
}

/** Sends once and answers whatever comes. Throws `CallTimedOut`, and errors with Node's codes. */
export type HttpTransport = (request: HttpRequest, timeoutMs: number) => Promise<HttpAnswer>;

/** Kept alive between calls; what comes while all are busy waits within its time. */
const CONNECTIONS_MAX = 256;
/** Shorter than what services allow, so that a call seldom meets a connection just closed. */
const KEEP_ALIVE_MS = 4_000;

/**
 * HTTP over undici's dispatcher, without its streams: half the processor time of Node's own client
 * behind the SDK's pipeline. Nothing is pipelined (a call that breaks would leave others in doubt), and
 * nothing is asked twice: whoever calls must know how often it asked.
 */
export function createHttpTransport(origin: string): HttpTransport {
  const pool = new Pool(origin, {
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // One time limit holds for the whole of a call.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return ({ method, path, headers, body }, timeoutMs) =>
    new Promise((resolve, reject) => {
      let abort: ((reason: Error) => void) | undefined;
      let lateError: CallTimedOut | undefined;
      let status = 0;
      let answered: Readonly<Record<string, string | string[] | undefined>> = {};
      const chunks: Buffer[] = [];
      const timer = setTimeout(() => {
        lateError = new CallTimedOut(`no answer within ${timeoutMs} ms`);
        abort?.(lateError);
        // Before it has a connection there is nothing to abort; it is not sent any more then.
        reject(lateError);
      }, timeoutMs);
      pool.dispatch(
        { method, path, headers, body: body ?? null, idempotent: false },
        {
          onRequestStart(controller) {
            abort = (reason) => controller.abort(reason);
            if (lateError !== undefined) abort(lateError);
          },
          onResponseStart(_, statusCode, responseHeaders) {
            status = statusCode;
            answered = responseHeaders;
          },
          onResponseData(_, chunk) {
            chunks.push(chunk);
          },
          onResponseEnd() {
            clearTimeout(timer);
            resolve({ status, text: textOf(chunks), header: (name) => single(answered[name]) });
          },
          onResponseError(_, error) {
            clearTimeout(timer);
            reject(error);
          },
        },
      );
    });
}

function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  return first !== undefined && chunks.length === 1
    ? first.toString()
    : Buffer.concat(chunks).toString();
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
