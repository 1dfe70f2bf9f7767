import { isAscii } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

type BodyDone = (error: Error | null, body?: unknown) => void;

/** Throws `malformed-json`. An empty body is no body. */
export function parseJsonBody(_request: unknown, body: Buffer, done: BodyDone): void {
  if (body.length === 0) done(null, undefined);
  else done(null, parseJson(body));
}

/** Finds in a Content-Type another charset than UTF-8 (RFC 9110, 8.3.2); JSON has no other encoding (RFC 8259, 8.1). */
const OTHER_CHARSET = /;\s*charset\s*=\s*(?!utf-?8\s*(?:;|$)|"utf-?8"\s*(?:;|$))/i;

/** Refused before anything of it is read: what is sent packed can be of any size unpacked. */
function refusalOfCoding(headers: IncomingHttpHeaders): ProblemError | undefined {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity' && coding !== '') {
    return new ProblemError('unsupported-media-type', {
      detail: 'Send the body as it is, without Content-Encoding.',
      headers: { 'accept-encoding': 'identity' },
    });
  }
  if (OTHER_CHARSET.test(headers['content-type'] ?? '')) {
    return new ProblemError('unsupported-media-type', { detail: 'Send the body in UTF-8.' });
  }
  return undefined;
}

/** Nobody looks at what the first two carry, and at a DELETE's only to see that it is nothing. */
const BODILESS = ['GET', 'HEAD', 'DELETE'];

/**
 * For a request that means nothing by a body. Clients and proxies announce one all the same, of any type,
 * and send nothing: that is no body. What is one has to be JSON, as elsewhere, and counts for nothing.
 */
export function parseNoBody(request: FastifyRequest, body: Buffer, done: BodyDone): void {
  if (body.length === 0) return done(null, undefined);
  const { headers } = request;
  const refusal = refusalOfCoding(headers);
  if (refusal !== undefined) done(refusal);
  else if (isJsonType(headers)) parseJsonBody(request, body, done);
  else done(new ProblemError('unsupported-media-type', { detail: 'Send no body, or JSON.' }));
}

const JSON_TYPE = /^\s*application\/json\s*(?:;|$)/i;

export function isJsonType(headers: IncomingHttpHeaders): boolean {
  return JSON_TYPE.test(headers['content-type'] ?? '');
}

/** JSON and nothing else, anywhere: plain text, which the framework takes by itself, is a 415. */
export const jsonBodyPlugin = fp(
  async (app) => {
    // oxlint-disable-next-line max-params -- the framework's; a promise costs each request more.
    app.addHook('preParsing', ({ method, headers }, _reply, payload, done) => {
      const refusal = BODILESS.includes(method) ? undefined : refusalOfCoding(headers);
      if (refusal === undefined) done(null, payload);
      else done(refusal);
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseJsonBody);
  },
  { name: 'json-body' },
);

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws `malformed-json`, also for an object that names a field twice: which one counts, none says. */
export function parseJson(bytes: Buffer): unknown {
  let text: string;
  let value: unknown;
  try {
    text = isAscii(bytes) ? bytes.toString('latin1') : decoder.decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so nothing of it is passed on.
    throw new ProblemError('malformed-json', { detail: 'The body cannot be parsed.' });
  }
  if (!hasRepeatedKey(text)) return value;
  throw new ProblemError('malformed-json', {
    detail: 'An object of the body names a field twice.',
  });
}

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

/**
 * Tells whether an object in the text, which is well-formed JSON, names a field twice. `JSON.parse` takes
 * the last, other readers the first, and what stands between them may have looked at either.
 */
export function hasRepeatedKey(text: string): boolean {
  /** Holds the keys of each object around the place; undefined stands for an array. */
  const around: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '{':
        around.push(new Set());
        isKeyNext = true;
        break;
      case '[':
        around.push(undefined);
        isKeyNext = false;
        break;
      case '}':
      case ']':
        around.pop();
        isKeyNext = false;
        break;
      case ',':
        isKeyNext = around.at(-1) !== undefined;
        break;
      case '"': {
        STRING.lastIndex = at;
        const literal = STRING.exec(text)?.[0] ?? '';
        const keys = isKeyNext ? around.at(-1) : undefined;
        const key = keys === undefined ? '' : nameOf(literal);
        if (keys?.has(key) === true) return true;
        keys?.add(key);
        isKeyNext = false;
        at += literal.length - 1;
        break;
      }
      default:
    }
  }
  return false;
}

/** The same name may be spelled with escapes. */
function nameOf(literal: string): string {
  return literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}
