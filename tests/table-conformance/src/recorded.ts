/**
 * What the real Table service answered: facts read from the traffic that Azure/azure-sdk-for-net keeps of its
 * live tests, one exchange a line. The README of this package says how they are written.
 */
import { readFileSync } from 'node:fs';

type Headers = Readonly<Record<string, string>>;

/** One operation of a transaction, with the address as it stands in the body. */
export interface RecordedOperation {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface RecordedRequest<Body = string | readonly RecordedOperation[] | undefined> {
  readonly method: string;
  /** Absent where it is the account's own. */
  readonly host?: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body?: Body;
}

export interface RecordedAnswer<Body = string | readonly RecordedPart[] | undefined> {
  readonly status: number;
  readonly code?: string;
  readonly headers: Headers;
  readonly body?: Body;
}

/** One answer within the answer to a transaction. */
export interface RecordedPart extends RecordedAnswer<string | undefined> {
  readonly reason: string;
}

export interface Exchange {
  /** Path beneath `SessionRecords`, and the commit that was read. */
  readonly file: string;
  readonly request: RecordedRequest;
  readonly answer: RecordedAnswer;
}

/** Returns all exchanges in their recorded order, with a time for each that the facts leave open. */
export function readExchanges(): readonly Exchange[] {
  const text = readFileSync(new URL('../exchanges.ndjson', import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line, (_, value: unknown) => resolve(value)) as Exchange);
}

/** A header is a symbol as a whole; elsewhere symbols stand within JSON, where quotes are escaped. */
function resolve(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const own = /^<etag(\d+)>$/.exec(value)?.[1];
  if (own !== undefined) return tagOf(own);
  return value
    .replaceAll(TABLE, 'Table$1')
    .replaceAll(/<time(\d+)>/g, (_, number: string) => timeOf(number))
    .replaceAll(/<etag(\d+)>/g, (_, number: string) => tagOf(number).replaceAll('"', '\\"'));
}

/** The facts call tables more shortly than any may be called. */
const TABLE = /(?:(?<![\w+])|(?<=%27))T(\d{0,2})(?=['"(?&/%]|$)/g;

function timeOf(number: string): string {
  return `2026-01-01T00:00:00.${number.padStart(6, '0')}7Z`;
}

function tagOf(number: string): string {
  return `W/"datetime'${encodeURIComponent(timeOf(number))}'"`;
}

/** Returns exchanges by the file that they were read from. */
export function byFile(exchanges: readonly Exchange[]): ReadonlyMap<string, readonly Exchange[]> {
  return Map.groupBy(exchanges, ({ file }) => file);
}
