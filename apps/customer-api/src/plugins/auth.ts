import { assert } from '@tandem/core';
import type { Caller, TokenVerifier } from '@tandem/service-kit/tokens';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

/** What a token may allow. Without one of them a token allows nothing. */
export const SCOPES = ['customers.read', 'customers.write', 'customers.operate'] as const;

export type Scope = (typeof SCOPES)[number];
export type ApiCaller = Caller<Scope>;
export type ApiTokenVerifier = TokenVerifier<Scope>;

export const BEARER = 'bearer';

type SecurityRequirement = Readonly<Record<string, readonly string[]>>;

/** For the schema of a route: what the document says of it is what is enforced. */
export function requireScope(scope: Scope): readonly SecurityRequirement[] {
  return [{ [BEARER]: [scope] }];
}

/** For the schema of a route that anyone may ask. */
export const ANYONE: readonly SecurityRequirement[] = [];

/** Returns undefined for a route that anyone may ask. */
export function scopeOf(security: readonly SecurityRequirement[]): Scope | undefined {
  const stated = security[0]?.[BEARER]?.[0];
  return SCOPES.find((scope) => scope === stated);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where anyone may ask, and where no tokens are asked for at all. */
    caller: ApiCaller | undefined;
  }
}

export interface AuthPluginOptions {
  /** Undefined when everything is open to everyone who can reach it. */
  readonly verifyToken: ApiTokenVerifier | undefined;
}

const BEARER_TOKEN = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Asks for a bearer token (RFC 6750) wherever the schema of a route names a scope, before anything
 * else of the request is read. A route has to say who may ask it, or it does not start.
 */
export const authPlugin = fp(
  async (app, { verifyToken }: AuthPluginOptions) => {
    app.decorateRequest('caller', undefined);

    app.addHook('onRoute', ({ schema, url, method }) => {
      const security = schema?.hide === true ? ANYONE : schema?.security;
      const isStated = security?.length === 0 || scopeOf(security ?? ANYONE) !== undefined;
      assert(
        isStated,
        `the route ${String(method)} ${url} states no scope, nor that it needs none`,
      );
    });

    if (verifyToken === undefined) return;
    app.addHook('onRequest', async (request) => {
      const scope = scopeOf(request.routeOptions.schema?.security ?? ANYONE);
      if (scope === undefined) return;
      const header = request.headers.authorization;
      if (countAuthorizations(request.raw.rawHeaders) > 1) throw authorizationsTwo();
      if (header === undefined) throw tokenMissing();
      const token = BEARER_TOKEN.exec(header)?.[1];
      const verdict = token === undefined ? undefined : await verifyToken(token);
      if (verdict?.kind === 'keys-unreadable') throw keysUnreadable(verdict.retryAfterS);
      if (verdict?.kind !== 'caller') throw tokenInvalid();
      if (!verdict.caller.scopes.has(scope)) throw scopeMissing(scope);
      request.caller = verdict.caller;
    });
  },
  { name: 'auth', dependencies: ['problems'] },
);

/** Counts the headers: of several Node keeps the first, and what stands before this server may have looked at another. */
function countAuthorizations(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'authorization') count += 1;
  }
  return count;
}

/** Follows RFC 6750, 3.1. */
function authorizationsTwo(): ProblemError {
  return new ProblemError('malformed-request', {
    detail: 'Send one Authorization header.',
    headers: { 'www-authenticate': 'Bearer realm="tandem", error="invalid_request"' },
  });
}

function tokenMissing(): ProblemError {
  return new ProblemError('token-missing', {
    detail: 'Send Authorization: Bearer with an access token for this API.',
    headers: { 'www-authenticate': 'Bearer realm="tandem"' },
  });
}

function keysUnreadable(retryAfterS: number): ProblemError {
  return new ProblemError('service-unavailable', {
    detail: 'The keys of the issuer of access tokens cannot be read at the moment.',
    headers: { 'retry-after': String(retryAfterS) },
  });
}

/** Says no more, whatever was wrong with it. */
function tokenInvalid(): ProblemError {
  return new ProblemError('token-invalid', {
    detail:
      'It is malformed, expired, not for this API, of another issuer, or no access token (RFC 9068).',
    headers: { 'www-authenticate': 'Bearer realm="tandem", error="invalid_token"' },
  });
}

function scopeMissing(scope: string): ProblemError {
  const error = `Bearer realm="tandem", error="insufficient_scope", scope="${scope}"`;
  return new ProblemError('scope-missing', {
    detail: `This takes a token with the scope ${scope}.`,
    headers: { 'www-authenticate': error },
  });
}

/** Whose places a request takes: where no token is asked for, those of the address that it came from. */
export function placeHolder({ caller, ip }: FastifyRequest): string {
  return caller === undefined ? `address ${ip}` : `subject ${caller.subject}`;
}
