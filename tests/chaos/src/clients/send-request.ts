import type { Outcome, Seen } from '../history/operation.ts';
import { readSeen } from './read-seen.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST';
  readonly url: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly outcome: Outcome;
  readonly status?: number;
  readonly region?: string | undefined;
  readonly version?: string | undefined;
  readonly customer?: string | undefined;
  readonly seen?: Seen | undefined;
  readonly note?: string | undefined;
}

const REQUEST_MS_MAX = 6_000;
const NOTE_LENGTH_MAX = 300;

/** Problems with which the API says that it has not begun. Any other 5xx leaves it open. */
const NOT_BEGUN = ['/problems/version-not-reached', '/problems/overloaded'];

/** One request, with nothing but fetch; never rejects. */
export async function sendRequest({ method, url, body, headers }: ApiRequest): Promise<ApiAnswer> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    return toAnswer(response, await response.text());
  } catch (error) {
    return { outcome: isNeverSent(error) ? 'refused' : 'unknown', note: describe(error) };
  }
}

function toAnswer({ status, headers }: Response, text: string): ApiAnswer {
  const region = headers.get('x-tandem-region') ?? undefined;
  const answered = { status, region };
  if (status === 404 || status === 204 || status === 304 || status === 412 || status === 409) {
    return {
      ...answered,
      outcome: status === 204 ? 'acknowledged' : 'refused',
      version: headers.get('x-tandem-version') ?? undefined,
      ...(status === 404 ? { seen: { kind: 'absent' } } : {}),
    };
  }
  if (status === 200 || status === 201) {
    const { customer, seen } = readSeen(text, headers.get('etag') ?? undefined);
    const version = headers.get('x-tandem-version') ?? undefined;
    return { ...answered, outcome: 'acknowledged', version, customer, seen };
  }
  const isRefused = status < 500 || isNotBegun(text);
  return {
    ...answered,
    outcome: isRefused ? 'refused' : 'unknown',
    note: text.slice(0, NOTE_LENGTH_MAX),
  };
}

/** The stand-in, too, tells when a region was not there to take the request. */
function isNotBegun(text: string): boolean {
  return NOT_BEGUN.some((type) => text.includes(type)) || text.includes('ECONNREFUSED');
}

function isNeverSent(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } };
  return cause?.code === 'ECONNREFUSED';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
