import fp from 'fastify-plugin';
import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '../http/problem.ts';
import { parseJson } from '../validation/parse-json.ts';

type BodyDone = (error: Error | null, body?: unknown) => void;

/** Throws `malformed-json`. An empty body is no body: a DELETE may announce JSON and send none. */
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

/** Nobody looks at what they may carry. */
const BODILESS = ['GET', 'HEAD'];

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
