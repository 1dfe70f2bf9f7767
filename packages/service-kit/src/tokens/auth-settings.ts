import { type Static, type TObject, type TOptional, type TString, Type } from 'typebox';
import { isLoopback } from '../environment.ts';

const ISSUER_MEANING = 'Whose access tokens are taken, as they have it in `iss`. ';

/** Returns what `AUTH_ISSUER` says of itself, with a sentence of what a service does without it. */
export function authIssuerVariable(without: string): TOptional<TString> {
  return Type.Optional(
    Type.String({
      description: ISSUER_MEANING + without,
      pattern: '^https?://[^\\s?#]+$',
      examples: ['https://login.microsoftonline.com/<tenant>/v2.0'],
    }),
  );
}

/** What a service that takes access tokens reads of its environment. */
export const AUTH_VARIABLES = {
  AUTH_ISSUER: authIssuerVariable(
    'Without it no token is asked for, and HOST must be a loopback address.',
  ),
  AUTH_AUDIENCE: Type.Optional(
    Type.String({
      description: 'What access tokens for this API have in `aud`.',
      examples: ['api://tandem'],
    }),
  ),
  AUTH_JWKS_URL: Type.Optional(
    Type.String({
      description: 'The keys of the issuer; looked up at the issuer when not set.',
      pattern: '^https?://\\S+$',
      examples: ['https://login.microsoftonline.com/<tenant>/discovery/v2.0/keys'],
    }),
  ),
  AUTH_TOKEN_TYPE: Type.Optional(
    Type.Enum(['at+jwt', 'jwt'], {
      description:
        'What the issuer writes into `typ` of access tokens: `at+jwt` (RFC 9068) and nothing else is ' +
        'taken by default; from Microsoft Entra ID, and where this is `jwt`, `JWT` and none at all too, ' +
        'but for tokens with claims of ID tokens, logout tokens and DPoP proofs.',
    }),
  ),
} as const;

type AuthVariables = Static<TObject<typeof AUTH_VARIABLES>>;

/** Whose tokens are taken: those of Microsoft Entra ID, or of any OpenID Connect issuer. */
export interface AuthSettings {
  /** As the tokens have it in `iss`. */
  readonly issuer: string;
  /** As the tokens have it in `aud`: this API. */
  readonly audience: string;
  /** Is undefined where it is looked up at the issuer. */
  readonly jwksUrl: string | undefined;
  readonly tokenType: TokenType;
}

/**
 * What the issuer writes into `typ` of an access token: `at+jwt`, as RFC 9068 has it, or `jwt`, as those do
 * that are older than it, Microsoft Entra ID among them: then what else is a JWT is told by its claims.
 */
export type TokenType = 'at+jwt' | 'jwt';

/** Returns what is wrong with the variables together, each of which is well-formed. */
export function findAuthProblems(value: AuthVariables): readonly string[] {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = value;
  if ((issuer === undefined) !== (audience === undefined)) return [AUTH_HALF];
  const plain = [issuer, jwksUrl].some((url) => url !== undefined && !isSafe(url));
  return plain ? [AUTH_PLAIN] : [];
}

function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || isLoopback(hostname);
}

/** Returns undefined where no token is taken. */
export function authSettingsOf(value: AuthVariables): AuthSettings | undefined {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = value;
  if (issuer === undefined || audience === undefined) return undefined;
  const tokenType = value.AUTH_TOKEN_TYPE ?? (isEntra(issuer) ? 'jwt' : 'at+jwt');
  return Object.freeze({ issuer, audience, jwksUrl, tokenType });
}

const ENTRA_HOSTS = [
  'login.microsoftonline.com',
  'login.microsoftonline.us',
  'login.partner.microsoftonline.cn',
  'sts.windows.net',
];

/** Its access tokens say JWT, and nothing can be set there that makes them say at+jwt. */
function isEntra(issuer: string): boolean {
  return URL.canParse(issuer) && ENTRA_HOSTS.includes(new URL(issuer).hostname);
}

const AUTH_HALF = 'AUTH_ISSUER and AUTH_AUDIENCE must be set together, or neither.';
const AUTH_PLAIN =
  'AUTH_ISSUER and AUTH_JWKS_URL must be URLs that begin with https://, except on loopback.';
