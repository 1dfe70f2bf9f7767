import type { Caller, TokenVerifier } from '@tandem/service-kit/tokens';

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
