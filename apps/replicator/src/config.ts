import { ALLOWED_HOSTS_PATTERN, readAllowedHosts } from '@tandem/core';
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
import { Type } from 'typebox';

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  ...SERVICE_VARIABLES,
  SERVICE_BUS_ADMINISTRATION_CONNECTION: Type.Optional(
    Type.String({
      description:
        "Where this region's queue is created, if elsewhere than where it is used: an emulator has " +
        'a port of its own for it.',
      minLength: 1,
      examples: ['Endpoint=sb://127.0.0.1:5300;SharedAccessKeyName=…;UseDevelopmentEmulator=true'],
    }),
  ),
  ALLOWED_HOSTS: Type.Optional(
    Type.String({
      description:
        'More names under which the health server may be asked (Host), with commas; `*.` stands for every ' +
        'name below, `*` for any. Addresses, localhost, names without a dot and those of a cluster need ' +
        'not be named.',
      pattern: ALLOWED_HOSTS_PATTERN,
      examples: ['replicator.example.com'],
    }),
  ),
});

export interface ReplicatorConfig extends ServiceConfig {
  readonly administrationConnection: string | undefined;
  readonly allowedHosts: readonly string[];
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Environment;
}

/** Reads the environment, and finds all problems at once. */
export function readConfig(environment: Environment): ConfigReading<ReplicatorConfig> {
  const reading = readEnvironment(EnvironmentSchema, environment);
  const problems = [
    ...(reading.ok ? [] : reading.problems.map(describeProblem)),
    ...findRegionProblems(environment),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    ...serviceConfigOf(value),
    administrationConnection: value.SERVICE_BUS_ADMINISTRATION_CONNECTION,
    allowedHosts: readAllowedHosts(value.ALLOWED_HOSTS),
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}
