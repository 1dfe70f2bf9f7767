import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { isLoopback } from '../http/loopback.ts';
import { outliveIssuer } from './outlive-issuer.ts';
import type { AuthSettings } from './token-verifier.ts';

const ANSWER_MS_MAX = 5_000;
/** An issuer that has failed is asked again no sooner. */
const COOLDOWN_MS = 30_000;
const KEYS_AGE_MS_MAX = 10 * 60_000;

/** As long as its last tokens live, more or less: an issuer that is down makes no new ones. */
const STALE_MS_MAX = 60 * 60_000;

const Discovery = Type.Object({ issuer: Type.String(), jwks_uri: Type.String() });

/** The public keys of the issuer: found, cached, and read anew for a token of one that was rotated in. */
export function createIssuerKeys(
  settings: Pick<AuthSettings, 'issuer' | 'jwksUrl'>,
): JWTVerifyGetKey {
  let finding: Promise<JWTVerifyGetKey> | undefined;

  const find = async (): Promise<JWTVerifyGetKey> => {
    const url = settings.jwksUrl ?? (await discover(settings.issuer));
    const keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: ANSWER_MS_MAX,
      // What it does not know is asked for elsewhere, where the questions are counted.
      cooldownDuration: Infinity,
      cacheMaxAge: KEYS_AGE_MS_MAX,
    });
    // The time of day may be set back, and would make an issuer wait that is up again.
    const nowMs = (): number => performance.now();
    return outliveIssuer(keys, { staleMsMax: STALE_MS_MAX, cooldownMs: COOLDOWN_MS, nowMs });
  };

  return async (header, token) => {
    finding ??= find().catch((error: unknown) => {
      finding = undefined;
      throw error;
    });
    return (await finding)(header, token);
  };
}

/** OpenID Connect Discovery 1.0, section 4. Throws `JWKSInvalid` for an answer that is none. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  const found: unknown = response.ok ? await response.json() : undefined;
  if (!Value.Check(Discovery, found) || found.issuer !== issuer) {
    throw new errors.JWKSInvalid('The issuer does not describe itself at its well-known path.');
  }
  const { protocol, hostname } = new URL(found.jwks_uri);
  if (protocol === 'https:' || isLoopback(hostname)) return found.jwks_uri;
  throw new errors.JWKSInvalid('The issuer names keys that are not behind https.');
}
