import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

/**
 * What Node would answer by itself, without a body: a request that names no host, and one that expects
 * what nobody knows (RFC 9110, 10.1.1, lets a server pass over that).
 */
export const httpRulesPlugin = fp(
  async (app) => {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.addHook('onRequest', ({ raw }, _reply, done) => {
      if (raw.headers.host !== undefined || raw.httpVersion !== '1.1') return done();
      done(new ProblemError('malformed-request', { detail: 'HTTP/1.1 asks for a Host header.' }));
    });
  },
  { name: 'http-rules', dependencies: ['common-headers', 'problems'] },
);
