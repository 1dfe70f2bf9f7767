import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '../http/problem.ts';
import { parseJson } from '../validation/parse-json.ts';

type BodyDone = (error: Error | null, body?: unknown) => void;

/** Throws `malformed-json`. An empty body is no body. */
export function parseJsonBody(_request: unknown, body: Buffer, done: BodyDone): void {
  if (body.length === 0) done(null, undefined);
  else done(null, parseJson(body));
}

/** Of Content-Type (RFC 9110, 8.3.2); JSON has no other encoding (RFC 8259, 8.1). */
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
