import { ALLOWED_HOSTS_PATTERN, readAllowedHosts } from '@tandem/core';
import { type ConfigReading, findRegionProblems } from '@tandem/region-kit';
import {
  describeProblem,
  type Environment,
  LOG_LEVELS,
  type LogLevel,
  readEnvironment,
} from '@tandem/service-kit';
import { Type } from 'typebox';

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  REGION_ID: Type.String({
    description: 'The region that this process belongs to.',
    pattern: '^[a-z][a-z0-9]{0,30}$',
    examples: ['east'],
  }),
  STORAGE_CONNECTION: Type.Optional(
    Type.String({
      description:
        "The region's storage account: a connection string, or its URL for the identity of the " +
        'environment. Needed unless CUSTOMER_DATA_ACCESS is memory.',
      minLength: 1,
      examples: ['https://tandemeast.table.core.windows.net'],
    }),
  ),
  SERVICE_BUS_ADMINISTRATION_CONNECTION: Type.Optional(
    Type.String({
      description:
        "Where this region's queue is created, if elsewhere than where it is used: an emulator has " +
        'a port of its own for it.',
      minLength: 1,
      examples: ['Endpoint=sb://127.0.0.1:5300;SharedAccessKeyName=…;UseDevelopmentEmulator=true'],
    }),
  ),
  HOST: Type.String({
    description: 'The address that the health server listens on.',
    default: '127.0.0.1',
    minLength: 1,
    examples: ['0.0.0.0'],
  }),
  PORT: Type.Integer({
    description: 'The port of the health server; 0 takes a free one.',
    minimum: 0,
    maximum: 65_535,
    examples: [8081],
  }),
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
  LOG_LEVEL: Type.Enum([...LOG_LEVELS], {
    description: 'The least level that is logged.',
    default: 'info',
    examples: ['debug'],
  }),
  SHUTDOWN_DEADLINE_MS: Type.Integer({
    description: 'How long the batch in hand may take when the process is told to stop.',
    minimum: 0,
    maximum: 600_000,
    default: 20_000,
    examples: [20_000],
  }),
});

export interface ReplicatorConfig {
  readonly region: string;
  /** Undefined only where the data is kept in memory. */
  readonly storageConnection: string | undefined;
  readonly administrationConnection: string | undefined;
  readonly listen: { readonly host: string; readonly port: number };
  readonly allowedHosts: readonly string[];
  readonly logLevel: LogLevel;
  readonly drainDeadlineMs: number;
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Environment;
}

/** Pure; finds all problems at once. */
export function readConfig(environment: Environment): ConfigReading<ReplicatorConfig> {
  const reading = readEnvironment(EnvironmentSchema, environment);
  const problems = [
    ...(reading.ok ? [] : reading.problems.map(describeProblem)),
    ...findRegionProblems(environment),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    region: value.REGION_ID,
    storageConnection: value.STORAGE_CONNECTION,
    administrationConnection: value.SERVICE_BUS_ADMINISTRATION_CONNECTION,
    listen: Object.freeze({ host: value.HOST, port: value.PORT }),
    allowedHosts: readAllowedHosts(value.ALLOWED_HOSTS),
    logLevel: value.LOG_LEVEL,
    drainDeadlineMs: value.SHUTDOWN_DEADLINE_MS,
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}
