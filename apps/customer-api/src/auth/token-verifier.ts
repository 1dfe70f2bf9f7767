import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { ProblemError } from '../http/problem.ts';
import { createIssuerKeys } from './issuer-keys.ts';
import { type Scope, SCOPES } from './scopes.ts';

/** Whose tokens are taken: those of Microsoft Entra ID, or of any OpenID Connect issuer. */
export interface AuthSettings {
  /** As the tokens have it in `iss`. */
  readonly issuer: string;
  /** As the tokens have it in `aud`: this API. */
  readonly audience: string;
  /** Undefined to look it up at the issuer. */
  readonly jwksUrl: string | undefined;
}

export interface Caller {
  /** The same for one caller in every region. */
  readonly subject: string;
  readonly scopes: ReadonlySet<Scope>;
}

type TokenVerdict =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused' };

/** Throws `service-unavailable` when the keys of the issuer cannot be read, and nothing else. */
export type TokenVerifier = (token: string) => Promise<TokenVerdict>;

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

/** Codes of errors that are about the keys' own way here, not about the token. */
const KEYS_UNREADABLE = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC']);

export function createTokenVerifier(
  settings: AuthSettings,
  keys: JWTVerifyGetKey = createIssuerKeys(settings),
): TokenVerifier {
  return async (token) => {
    if (token.length > TOKEN_LENGTH_MAX) return { kind: 'refused' };
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_LEEWAY_S,
        requiredClaims: ['sub', 'exp'],
      });
      return { kind: 'caller', caller: { subject: payload.sub ?? '', scopes: scopesIn(payload) } };
    } catch (error) {
      if (error instanceof errors.JOSEError && !KEYS_UNREADABLE.has(error.code)) {
        return { kind: 'refused' };
      }
      throw new ProblemError('service-unavailable', {
        detail: 'The keys of the issuer of access tokens cannot be read at the moment.',
        headers: { 'retry-after': String(RETRY_AFTER_S) },
      });
    }
  };
}

/** `scope` is of OAuth 2 (RFC 9068), `scp` and `roles` are what Entra ID writes for users and for apps. */
function scopesIn(payload: JWTPayload): ReadonlySet<Scope> {
  const { scope, scp, roles } = payload as Readonly<Record<string, unknown>>;
  const granted = [scope, scp, roles].flatMap((claim) => {
    if (typeof claim === 'string') return claim.split(' ');
    return Array.isArray(claim) ? claim.map(String) : [];
  });
  return new Set(SCOPES.filter((one) => granted.includes(one)));
}
