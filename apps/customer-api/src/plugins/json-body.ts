import fp from 'fastify-plugin';
import { parseJson } from '../validation/parse-json.ts';

/** Throws `malformed-json`. An empty body is no body: a DELETE may announce JSON and send none. */
export async function parseJsonBody(_request: unknown, body: Buffer): Promise<unknown> {
  if (body.length === 0) return undefined;
  return parseJson(body);
}

/** JSON and nothing else, anywhere: plain text, which the framework takes by itself, is a 415. */
export const jsonBodyPlugin = fp(
  async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseJsonBody);
  },
  { name: 'json-body' },
);
