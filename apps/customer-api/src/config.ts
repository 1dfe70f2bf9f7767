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
  isLoopback,
  readEnvironment,
  SERVICE_VARIABLES,
  type ServiceConfig,
  serviceConfigOf,
} from '@tandem/service-kit';
import {
  AUTH_VARIABLES,
  type AuthSettings,
  authSettingsOf,
  findAuthProblems,
} from '@tandem/service-kit/tokens';
import { type Static, Type } from 'typebox';

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  ...SERVICE_VARIABLES,
  ...AUTH_VARIABLES,
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
    ...(reading.ok ? findProblems(reading.value) : []),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    ...serviceConfigOf(value),
    auth: authSettingsOf(value),
    judgeRequest: judgeOf(value),
    requestsPerMinuteMax: value.REQUESTS_PER_MINUTE_MAX,
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}

type EnvironmentValue = Static<typeof EnvironmentSchema>;

function findProblems(value: EnvironmentValue): readonly string[] {
  const problems = findAuthProblems(value);
  if (problems.length > 0) return problems;
  const isOpen = value.AUTH_ISSUER === undefined && !value.AUTH_OPEN_NETWORK;
  return isOpen && !isLoopback(value.HOST) ? [AUTH_MISSING] : [];
}

function judgeOf({ ALLOWED_HOSTS: names, AUTH_ISSUER: issuer }: EnvironmentValue) {
  const isOpen = issuer === undefined;
  return isOpen || names !== undefined ? createRequestJudge(readAllowedHosts(names)) : undefined;
}

const AUTH_MISSING =
  'AUTH_ISSUER is not set and HOST is no loopback address: anyone who reaches it could read and ' +
  'write every customer. Set AUTH_ISSUER and AUTH_AUDIENCE, or HOST=127.0.0.1.';
