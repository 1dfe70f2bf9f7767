import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { isLoopback } from '../environment.ts';
import type { AuthSettings } from './auth-settings.ts';
import { isAboutToken, outliveIssuer } from './outlive-issuer.ts';

export interface Caller<S extends string = string> {
  /** Names one caller, by the same text in every region. */
  readonly subject: string;
  /** Those that the service knows, and the token names. */
  readonly scopes: ReadonlySet<S>;
}

type TokenVerdict<S extends string> =
  | { readonly kind: 'caller'; readonly caller: Caller<S> }
  | { readonly kind: 'refused'; readonly reason: TokenFault }
  /** Nothing is known of the token: the issuer does not give its keys. */
  | { readonly kind: 'keys-unreadable'; readonly retryAfterS: number };

/**
 * Why a token is not taken. Issuer, audience and times are looked at only where the signature holds, so nobody
 * without a token of the issuer learns of them; `claims` is all else that an access token must say.
 */
export type TokenFault =
  | 'malformed'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'not-valid-yet'
  | 'expired'
  | 'claims';

/** Never throws. */
export type TokenVerifier<S extends string = string> = (token: string) => Promise<TokenVerdict<S>>;

export interface TokenVerifierSettings<S extends string> extends AuthSettings {
  /** What a token may allow: of its scopes and roles no others are looked at. */
  readonly scopes: readonly S[];
}

/** Public keys only: neither `none` nor a shared secret can ever be meant. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
];
const CLOCK_LEEWAY_S = 60;
const RETRY_AFTER_S = 5;
const TOKEN_LENGTH_MAX = 8_192;

/** Whatever a token says, nothing of it makes the keys unreadable. */
class KeysUnreadable extends Error {}

export function createTokenVerifier<S extends string>(
  settings: TokenVerifierSettings<S>,
  keys: JWTVerifyGetKey = createIssuerKeys(settings),
): TokenVerifier<S> {
  const readKey: JWTVerifyGetKey = async (header, parts) => {
    try {
      return await keys(header, parts);
    } catch (error) {
      if (isAboutToken(error)) throw error;
      throw new KeysUnreadable('The keys of the issuer cannot be read.', { cause: error });
    }
  };
  return async (token) => {
    if (token.length > TOKEN_LENGTH_MAX) return refused('malformed');
    try {
      const { payload, protectedHeader } = await jwtVerify(token, readKey, {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_LEEWAY_S,
        requiredClaims: ['iss', 'aud', 'exp', 'sub'],
      });
      if (!isAccessToken(protectedHeader.typ, payload, settings)) return refused('claims');
      const caller = callerOf(payload, settings.scopes);
      return caller === undefined ? refused('claims') : { kind: 'caller', caller };
    } catch (error) {
      if (!(error instanceof KeysUnreadable)) return refused(faultOf(error));
      return { kind: 'keys-unreadable', retryAfterS: RETRY_AFTER_S };
    }
  };
}

function refused(reason: TokenFault): { readonly kind: 'refused'; readonly reason: TokenFault } {
  return { kind: 'refused', reason };
}

const FAULTS_BY_CLAIM: Readonly<Record<string, TokenFault>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'not-valid-yet',
};

function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return FAULTS_BY_CLAIM[error.claim] ?? 'claims';
  }
  const isText = error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid;
  return isText ? 'malformed' : 'signature';
}

/** Belong to ID tokens (OpenID Connect Core 2 and 3.3.2.11), to logout and other events, to DPoP proofs. */
const FOREIGN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'htm', 'htu'];

/** RFC 9068, section 4, and RFC 8725, 3.11 and 3.12: one kind of JWT is never taken for another. */
function isAccessToken(
  typ: unknown,
  payload: JWTPayload,
  { tokenType }: Pick<AuthSettings, 'tokenType'>,
): boolean {
  const named = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ;
  if (named === 'at+jwt') return true;
  if (tokenType === 'at+jwt' || (named !== undefined && named !== 'jwt')) return false;
  return FOREIGN_CLAIMS.every((claim) => !Object.hasOwn(payload, claim));
}

/** Part of keys and of counts, so it has a bound, and nothing in it that could look like an end. */
const SUBJECT = /^[^\p{Cc}]{1,255}$/u;

/** Returns undefined for claims that are not what RFC 9068 makes them. */
function callerOf<S extends string>(
  payload: JWTPayload,
  known: readonly S[],
): Caller<S> | undefined {
  const { sub, scope, scp, roles } = payload as Readonly<Record<string, unknown>>;
  if (typeof sub !== 'string' || !sub.isWellFormed() || !SUBJECT.test(sub)) return undefined;
  // `scope` is of OAuth 2 (RFC 9068), `scp` and `roles` are what Entra ID writes for users and for apps.
  if (scope !== undefined && typeof scope !== 'string') return undefined;
  const claims = [scope, scp, roles].map(namesIn);
  if (!claims.every((names) => names !== undefined)) return undefined;
  const granted = claims.flat();
  return { subject: sub, scopes: new Set(known.filter((one) => granted.includes(one))) };
}

/** Returns undefined for what is neither a text nor a list of texts. */
function namesIn(claim: unknown): readonly string[] | undefined {
  if (claim === undefined) return [];
  if (typeof claim === 'string') return claim.split(' ');
  if (!Array.isArray(claim)) return undefined;
  const names: readonly unknown[] = claim;
  return names.every((one) => typeof one === 'string') ? names : undefined;
}

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
