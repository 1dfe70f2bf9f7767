import {
  ALLOWED_HOSTS_PATTERN,
  createRequestJudge,
  type JudgeRequest,
  readAllowedHosts,
} from '@tandem/core';
import { findRegionProblems } from '@tandem/region';
import {
  type ConfigReading,
  describeProblem,
  type Environment,
  readEnvironment,
  SERVICE_VARIABLES,
  type ServiceConfig,
  serviceConfigOf,
} from '@tandem/service-kit';
import { type Static, Type } from 'typebox';
import type { AuthSettings } from './auth/token-verifier.ts';
import { isLoopback } from './http/loopback.ts';

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  ...SERVICE_VARIABLES,
  AUTH_ISSUER: Type.Optional(
    Type.String({
      description:
        'Whose access tokens are taken, as they have it in `iss`. Without it no token is asked ' +
        'for, and HOST must be a loopback address.',
      pattern: '^https?://[^\\s?#]+$',
      examples: ['https://login.microsoftonline.com/<tenant>/v2.0'],
    }),
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
  AUTH_OPEN_NETWORK: Type.Boolean({
    description:
      'Asks for no token although HOST is no loopback address: for a network of containers that ' +
      'is itself closed, never for production.',
    default: false,
  }),
  ALLOWED_HOSTS: Type.Optional(
    Type.String({
      description:
        'The names under which it may be asked (Host), and whose pages may ask (Origin), with commas; ' +
        '`*.` stands for every name below, `*` for any Host. Addresses, localhost and names without a dot ' +
        'need not be named. When it is not set, any name and page will do where tokens are asked for, ' +
        'which no browser sends by itself, and none where not.',
      pattern: ALLOWED_HOSTS_PATTERN,
      examples: ['customers.example.com,*.trafficmanager.net'],
    }),
  ),
  REQUESTS_PER_MINUTE_MAX: Type.Integer({
    description:
      'How many requests a caller may send to one process in a minute; more are answered with 429. ' +
      'Only callers with tokens are counted.',
    minimum: 1,
    maximum: 10_000_000,
    default: 60_000,
    examples: [60_000],
  }),
});

export interface Config extends ServiceConfig {
  /** Undefined when no token is asked for. */
  readonly auth: AuthSettings | undefined;
  /** Undefined when requests of any site are taken. */
  readonly judgeRequest: JudgeRequest | undefined;
  readonly requestsPerMinuteMax: number;
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Environment;
}

/** Reads the environment, and finds all problems at once. */
export function readConfig(environment: Environment): ConfigReading<Config> {
  const reading = readEnvironment(EnvironmentSchema, environment);
  const problems = [
    ...(reading.ok ? [] : reading.problems.map(describeProblem)),
    ...findRegionProblems(environment),
    ...(reading.ok ? findAuthProblems(reading.value) : []),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    ...serviceConfigOf(value),
    auth: authOf(value),
    judgeRequest: judgeOf(value),
    requestsPerMinuteMax: value.REQUESTS_PER_MINUTE_MAX,
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}

type EnvironmentValue = Static<typeof EnvironmentSchema>;

function findAuthProblems(value: EnvironmentValue): string[] {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = value;
  if ((issuer === undefined) !== (audience === undefined)) return [AUTH_HALF];
  const isOpen = issuer === undefined && !value.AUTH_OPEN_NETWORK;
  if (isOpen && !isLoopback(value.HOST)) return [AUTH_MISSING];
  const plain = [issuer, jwksUrl].some((url) => url !== undefined && !isSafe(url));
  return plain ? [AUTH_PLAIN] : [];
}

function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || isLoopback(hostname);
}

function judgeOf({ ALLOWED_HOSTS: names, AUTH_ISSUER: issuer }: EnvironmentValue) {
  const isOpen = issuer === undefined;
  return isOpen || names !== undefined ? createRequestJudge(readAllowedHosts(names)) : undefined;
}

function authOf(value: EnvironmentValue): AuthSettings | undefined {
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

const AUTH_MISSING =
  'AUTH_ISSUER is not set and HOST is no loopback address: anyone who reaches it could read and ' +
  'write every customer. Set AUTH_ISSUER and AUTH_AUDIENCE, or HOST=127.0.0.1.';
const AUTH_HALF = 'AUTH_ISSUER and AUTH_AUDIENCE must be set together, or neither.';
const AUTH_PLAIN =
  'AUTH_ISSUER and AUTH_JWKS_URL must be URLs that begin with https://, except on loopback.';
