/**
 * Entity group transactions: a multipart body with one change set of requests, or with one read. Clients differ
 * in line ends, in the case of headers and in their boundaries, and some leave the last boundary out.
 */
import { checkEncoding, verbOf } from './headers.ts';
import { TableError } from './table-error.ts';

/** One request of a batch, as it stands in the body. */
export interface BatchRequest {
  readonly method: string;
  /** Holds path and query, without scheme and host. */
  readonly target: string;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Batch {
  /** Tells a transaction from a single read. */
  readonly isChangeSet: boolean;
  readonly requests: readonly BatchRequest[];
}

/** Bounds the operations of one transaction. */
const BATCH_OPERATIONS_MAX = 100;

/**
 * Splits the body of a `$batch` request, up to one operation beyond the limit. Throws `InvalidInput`, naming
 * what is malformed.
 */
export function parseBatch(contentType: string, body: string): Batch {
  const parts = splitParts(body, boundaryOf(contentType, 'batch'));
  const [part, ...more] = parts;
  if (part === undefined) throw invalid('The batch has no part.');
  if (more.length > 0) throw invalid('A batch has one change set, or one query.');
  const { headers, rest } = readHeaders(part);
  const type = headers['content-type'] ?? '';
  if (!/^multipart\/mixed/i.test(type)) {
    const request = readRequest(part);
    if (request.method !== 'GET') throw invalid('What changes something stands in a change set.');
    return { isChangeSet: false, requests: [request] };
  }
  const requests: BatchRequest[] = [];
  for (const operation of splitParts(rest, boundaryOf(type, 'change set'))) {
    // One more is enough to know that there are too many.
    if (requests.length > BATCH_OPERATIONS_MAX) break;
    requests.push(readRequest(operation));
  }
  if (requests.length === 0) throw invalid('The change set has no operation.');
  if (requests.some(({ method }) => method === 'GET'))
    throw invalid('A change set holds no query.');
  return { isChangeSet: true, requests };
}

/** Throws for a transaction of too many operations, as the service does: of the last that may be. */
export function checkOperationCount({ requests }: Batch): void {
  if (requests.length <= BATCH_OPERATIONS_MAX) return;
  const sentence = `The batch request operation exceeds the maximum ${BATCH_OPERATIONS_MAX} changes per change set.`;
  throw TableError.saying('InvalidInput', sentence, BATCH_OPERATIONS_MAX - 1);
}

const BOUNDARY = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))/i;

function boundaryOf(contentType: string, what: string): string {
  const match = /^multipart\/mixed/i.test(contentType) ? BOUNDARY.exec(contentType) : null;
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw invalid(`The content type of the ${what} names no boundary.`);
  return boundary;
}

/** Cuts at lines that are the boundary; what stands before the first and after the last is nobody's. */
function splitParts(text: string, boundary: string): string[] {
  const parts: string[] = [];
  const delimiter = `--${boundary}`;
  let start: number | undefined;
  for (let at = lineOf(text, delimiter, 0); at >= 0; at = lineOf(text, delimiter, at + 1)) {
    if (start !== undefined) parts.push(withoutLineEnd(text.slice(start, at)));
    const after = at + delimiter.length;
    if (text.startsWith('--', after)) return parts;
    start = afterLine(text, after);
  }
  if (start === undefined)
    throw invalid('The boundary that the content type names is not in the body.');
  const last = withoutLineEnd(text.slice(start));
  if (last.trim() !== '') parts.push(last);
  return parts;
}

/** Returns where the next line begins that is the delimiter, with or without the two hyphens of the last. */
function lineOf(text: string, delimiter: string, from: number): number {
  for (let at = text.indexOf(delimiter, from); at >= 0; at = text.indexOf(delimiter, at + 1)) {
    const isLineStart = at === 0 || text[at - 1] === '\n';
    const after = text.slice(at + delimiter.length, at + delimiter.length + 3);
    if (isLineStart && /^(?:--|[ \t]*\r?\n|[ \t]*$)/.test(after)) return at;
  }
  return -1;
}

function afterLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end + 1;
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

interface Headed {
  readonly headers: Readonly<Record<string, string>>;
  readonly rest: string;
}

// What stands behind the colon is trimmed apart: an expression that did both would look at every blank once for each other.
const HEADER = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/;
/** Bounds the headers of one part: more are none that a client means. */
const HEADERS_MAX = 64;

function readHeaders(text: string): Headed {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  let position = 0;
  for (let count = 0; count <= HEADERS_MAX; count += 1) {
    const end = afterLine(text, position);
    const line = withoutLineEnd(text.slice(position, end));
    if (line === '') return { headers, rest: text.slice(end) };
    const match = HEADER.exec(line);
    if (match === null) throw invalid('A line among the headers of a part is none.');
    const name = (match[1] ?? '').toLowerCase();
    if (name in headers) throw invalid(`A part has the header ${name.slice(0, 40)} twice.`);
    headers[name] = (match[2] ?? '').trim();
    position = end;
  }
  throw invalid(`A part has more than ${HEADERS_MAX} headers.`);
}

/** In the service's own example of a transaction an address has a blank as it is. */
const REQUEST_LINE = /^([A-Z]{3,10}) (\S.*) HTTP\/1\.[01]$/;

function readRequest(part: string): BatchRequest {
  const { headers, rest } = readHeaders(part);
  if (!/^application\/http/i.test(headers['content-type'] ?? '')) {
    throw invalid('A part of a batch is of the type application/http.');
  }
  const end = afterLine(rest, 0);
  const match = REQUEST_LINE.exec(withoutLineEnd(rest.slice(0, end)));
  if (match === null) throw invalid('A part of a batch begins with no request line.');
  const inner = readHeaders(rest.slice(end));
  checkEncoding(inner.headers);
  const method = verbOf(match[1] ?? '', inner.headers);
  return { method, target: targetOf(match[2] ?? ''), headers: inner.headers, body: inner.rest };
}

/** Addresses stand whole in most clients' batches, and relative to the service in others'. */
function targetOf(address: string): string {
  const relative = address.replace(/^https?:\/\/[^/]*/i, '');
  return relative.startsWith('/') ? relative : `/${relative}`;
}

/** Is one answer within a batch. */
export interface BatchAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

interface Multipart {
  readonly contentType: string;
  readonly body: string;
}

/** Returns the body of the answer to a batch; `id` makes its boundaries, so it stands in no other text. */
export function encodeBatch(
  answers: readonly BatchAnswer[],
  { isChangeSet, id }: { readonly isChangeSet: boolean; readonly id: string },
): Multipart {
  const parts = answers.map(encodeAnswer);
  const boundary = `batchresponse_${id}`;
  const inner = `changesetresponse_${id}`;
  const lines = isChangeSet
    ? [
        `--${boundary}`,
        `Content-Type: multipart/mixed; boundary=${inner}`,
        '',
        ...parts.map((part) => `--${inner}\r\n${part}`),
        `--${inner}--`,
      ]
    : parts.map((part) => `--${boundary}\r\n${part}`);
  const body = `${[...lines, `--${boundary}--`].join('\r\n')}\r\n`;
  return { contentType: `multipart/mixed; boundary=${boundary}`, body };
}

function encodeAnswer({ status, reason, headers, body = '' }: BatchAnswer): string {
  return [
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `HTTP/1.1 ${status} ${reason}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    body,
  ].join('\r\n');
}

function invalid(detail: string): TableError {
  return new TableError('InvalidInput', detail);
}
