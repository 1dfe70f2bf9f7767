import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

/**
 * What Node would answer by itself, without a body: a request that names no host or two, and one that
 * expects what nobody knows (RFC 9110, 10.1.1, lets a server pass over that).
 */
export const httpRulesPlugin = fp(
  async (app) => {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.addHook('onRequest', ({ raw }, _reply, done) => {
      const hosts = countHosts(raw.rawHeaders);
      if (hosts === 1 || (hosts === 0 && raw.httpVersion !== '1.1')) return done();
      done(new ProblemError('malformed-request', { detail: 'HTTP/1.1 asks for one Host header.' }));
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
