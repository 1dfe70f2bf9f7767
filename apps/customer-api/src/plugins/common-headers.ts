import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';

export interface CommonHeadersOptions {
  readonly region: string;
}

/** Which region answered, and under which id the request is in its log: on every answer. */
export const commonHeadersPlugin = fp(
  async (app, { region }: CommonHeadersOptions) => {
    app.addHook('onRequest', (request, reply, done) => {
      setCommonHeaders(reply, { region, requestId: request.id });
      done();
    });
  },
  { name: 'common-headers' },
);

interface CommonHeaders {
  readonly region: string;
  readonly requestId: string;
}

export function setCommonHeaders(reply: FastifyReply, headers: CommonHeaders): void {
  reply.header('x-tandem-region', headers.region).header('x-request-id', headers.requestId);
}
