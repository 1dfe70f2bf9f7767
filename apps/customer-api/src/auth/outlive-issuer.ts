import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** Keys of an issuer, as `createRemoteJWKSet` reads and caches them. */
export interface IssuerKeys extends JWTVerifyGetKey {
  /** Whether they are young enough to be used without asking. */
  readonly fresh: boolean;
  /** The last that were read. */
  jwks(): JSONWebKeySet | undefined;
}

export interface OutliveOptions {
  /** How long keys are used that cannot be read anew, in milliseconds. */
  readonly staleMsMax: number;
  /** An issuer that has failed is asked again no sooner: requests would all wait for it. */
  readonly cooldownMs: number;
  readonly nowMs: () => number;
}

/**
 * The same keys, which an issuer that does not answer takes away only after `staleMsMax`. Rejects
 * with the issuer's failure for a key that was not known before.
 */
export function outliveIssuer(keys: IssuerKeys, options: OutliveOptions): JWTVerifyGetKey {
  const { staleMsMax, cooldownMs, nowMs } = options;
  let freshMs = 0;
  let failure: { readonly error: unknown; readonly atMs: number } | undefined;

  const readAnew: JWTVerifyGetKey = async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (!isAboutToken(error)) failure = { error, atMs: nowMs() };
      throw error;
    } finally {
      if (keys.fresh) {
        freshMs = nowMs();
        failure = undefined;
      }
    }
  };

  return async (header, token) => {
    const known = keys.jwks();
    const isCooling = failure !== undefined && nowMs() < failure.atMs + cooldownMs;
    try {
      if (keys.fresh || known === undefined || !isCooling) return await readAnew(header, token);
    } catch (error) {
      if (isAboutToken(error)) throw error;
    }
    const reason = failure?.error ?? new errors.JWKSTimeout();
    if (known === undefined || nowMs() > freshMs + staleMsMax) throw reason;
    return createLocalJWKSet(known)(header, token).catch((error: unknown) => {
      throw error instanceof errors.JWKSNoMatchingKey ? reason : error;
    });
  };
}

function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
  );
}
