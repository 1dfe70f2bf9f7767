import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws `malformed-json`. An empty body is no body: a DELETE may announce JSON and send none. */
export async function parseJsonBody(_request: unknown, body: Buffer): Promise<unknown> {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    // The parser's own message quotes the body, so nothing of it is passed on.
    throw new ProblemError('malformed-json', { detail: 'The body cannot be parsed.' });
  }
}

/** JSON and nothing else, anywhere: plain text, which the framework takes by itself, is a 415. */
export const jsonBodyPlugin = fp(
  async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseJsonBody);
  },
  { name: 'json-body' },
);
