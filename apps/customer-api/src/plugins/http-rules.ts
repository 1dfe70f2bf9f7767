import type { JudgeRequest } from '@tandem/core';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

export interface HttpRulesOptions {
  /** Undefined where every request brings a token, which no browser sends by itself. */
  readonly judgeRequest: JudgeRequest | undefined;
}

/**
 * What Node would answer by itself, without a body: a request that names no host or two, and one that
 * expects what nobody knows (RFC 9110, 10.1.1, lets a server pass over that). And whether pages of other
 * sites may ask here.
 */
export const httpRulesPlugin = fp<HttpRulesOptions>(
  async (app, { judgeRequest }) => {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // Nothing is upgraded here, and Node reads nothing of what was sent behind such a request: it would
      // never be answered.
      if (raw.headers.upgrade !== undefined) void reply.header('connection', 'close');
      const hosts = countHosts(raw.rawHeaders);
      if (hosts === 1 || (hosts === 0 && raw.httpVersion !== '1.1')) return done();
      done(new ProblemError('malformed-request', { detail: 'HTTP/1.1 asks for one Host header.' }));
    });
    if (judgeRequest === undefined) return;
    app.addHook('onRequest', ({ method, raw }, _reply, done) => {
      const { url: target = '/', rawHeaders } = raw;
      const verdict = judgeRequest({ method, target, rawHeaders });
      if (verdict.kind === 'taken') return done();
      done(new ProblemError('site-refused', { detail: verdict.why }));
    });
  },
  { name: 'http-rules', dependencies: ['common-headers', 'problems'] },
);

/** Node keeps the first and drops the others, which RFC 9112, 3.2, has refused. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}
