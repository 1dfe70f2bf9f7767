/** What the table service says when it does not do what it was asked. */
export interface ServiceRefusal {
  readonly status: number;
  /** Such as `EntityAlreadyExists`; empty when the answer names none. */
  readonly code: string;
  readonly message: string;
  /** Which operation of a batch it is about, when the message leads with it. */
  readonly index: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Every kind of header access fits: `(name) => headers.get(name)`. */
export type HeaderLookup = (name: string) => string | undefined;

const MESSAGE_LENGTH_MAX = 300;
const NO_HEADERS: HeaderLookup = () => undefined;

/** Reads JSON and XML alike: what stands before the tables (load, authentication) answers in XML. */
export function readRefusal(
  status: number,
  text: string,
  header: HeaderLookup = NO_HEADERS,
): ServiceRefusal {
  const code = header('x-ms-error-code') ?? readMember(text, 'code') ?? '';
  const full = readMember(text, 'value') ?? readMember(text, 'message') ?? '';
  const index = /^(\d{1,3}):/.exec(full)?.[1];
  return {
    status,
    code,
    // The rest is the request's id and time, and for a failed signature what was signed.
    message: (full.split('\n')[0] ?? '').replace(/^\d{1,3}:/, '').slice(0, MESSAGE_LENGTH_MAX),
    index: index === undefined ? undefined : Number(index),
    retryAfterMs: readRetryAfterMs(header),
  };
}

function readMember(text: string, name: string): string | undefined {
  const json = new RegExp(`"${name}":("(?:[^"\\\\]|\\\\.)*")`).exec(text)?.[1];
  if (json !== undefined) return String(JSON.parse(json));
  return new RegExp(`<(?:m:)?${name}[^>]*>([^<]*)<`).exec(text)?.[1];
}

function readRetryAfterMs(header: HeaderLookup): number | undefined {
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const milliseconds = Number(header(name) ?? Number.NaN);
    if (milliseconds >= 0) return milliseconds;
  }
  const seconds = Number(header('retry-after') ?? Number.NaN);
  return seconds >= 0 ? seconds * 1_000 : undefined;
}
