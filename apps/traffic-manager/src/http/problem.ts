import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';

const PROBLEM_CONTENT_TYPE = 'application/problem+json';

export const problemSchema = Type.Object({
  type: Type.Literal('about:blank'),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.String(),
  endpoint: Type.Optional(Type.String()),
});

type Problem = Omit<Static<typeof problemSchema>, 'type'>;

/** Answers with problem+json (RFC 9457); `code` is the stable part for programs. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .type(PROBLEM_CONTENT_TYPE)
    .send({ type: 'about:blank', ...problem });
}

// What the server makes of a request before any route sees it (RFC 9112).
const ABSOLUTE_FORM = /^https?:\/\/(?<authority>[^/?#]*)(?<path>[^#]*)/i;
/** A name or an address, with or without a port; who asks as whom is no part of a Host. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::\d{1,5})?$/i;

type HeadOfRequest = Pick<IncomingMessage, 'url' | 'headers' | 'rawHeaders'>;

/**
 * Returns the path that is asked for. A target that is a whole URL, as clients send it to a proxy, is taken
 * apart: its authority becomes the Host, whatever that said (3.2.2).
 */
export function pathOfTarget(request: HeadOfRequest): string {
  const { url = '/', headers, rawHeaders } = request;
  const groups = ABSOLUTE_FORM.exec(url)?.groups;
  if (groups === undefined) return url;
  const { authority = '', path = '' } = groups;
  headers.host = authority;
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && isHost(name));
  if (at >= 0) rawHeaders[at + 1] = authority;
  return path.startsWith('/') ? path : `/${path}`;
}

/** Refuses a request that has no Host, two, or one that is none, and closes after one that was not upgraded. */
export function addRequestRules(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw }, reply) => {
    // Node reads nothing of what was sent behind it, which would never be answered.
    if (raw.headers.upgrade !== undefined) reply.header('connection', 'close');
    const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && isHost(name));
    const isOld = raw.httpVersion === '1.0' && hosts.length === 0;
    if (isOld || (hosts.length === 1 && HOST.test(raw.headers.host ?? ''))) return undefined;
    return sendProblem(reply, {
      title: 'Bad Request',
      status: 400,
      code: 'HOST_MALFORMED',
      detail: 'A request names one host, in one Host header.',
    });
  });
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host';
}
