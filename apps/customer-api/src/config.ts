import {
  describeProblem,
  type Environment,
  LOG_LEVELS,
  type LogLevel,
  readEnvironment,
} from '@tandem/service-kit';
import { environmentNameOf } from '@tandem/storage';
import { Type } from 'typebox';

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  REGION_ID: Type.String({
    description: 'The name of this region: part of keys and stamps, so it never changes.',
    pattern: '^[a-z][a-z0-9]{0,30}$',
    examples: ['east'],
  }),
  STORAGE_CONNECTION: Type.Optional(
    Type.String({
      description:
        'The storage account of this region: a connection string, or the URL of its tables for ' +
        'the identity of the process. Not needed when the data access is `memory`.',
      examples: ['https://tandemeast.table.core.windows.net'],
    }),
  ),
  HOST: Type.String({
    description: 'The address to listen on.',
    default: '127.0.0.1',
    examples: ['0.0.0.0'],
  }),
  PORT: Type.Integer({
    description: 'The port to listen on; 0 takes any free one.',
    minimum: 0,
    maximum: 65_535,
    examples: [8_080],
  }),
  LOG_LEVEL: Type.Enum([...LOG_LEVELS], {
    description: 'The least that is logged.',
    default: 'info',
  }),
  SHUTDOWN_DEADLINE_MS: Type.Integer({
    description: 'How long each step of a stop may take, in milliseconds.',
    minimum: 100,
    maximum: 600_000,
    default: 10_000,
    examples: [10_000],
  }),
});

export interface Config {
  readonly region: string;
  /** Undefined when nothing is kept outside this process. */
  readonly storageConnection: string | undefined;
  readonly listen: { readonly host: string; readonly port: number };
  readonly logLevel: LogLevel;
  readonly shutdownStepMs: number;
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Environment;
}

export type ConfigReading =
  | { readonly ok: true; readonly config: Config }
  /** A sentence each, with variable, rule and example. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Pure; finds all problems at once. */
export function readConfig(environment: Environment): ConfigReading {
  const reading = readEnvironment(EnvironmentSchema, environment);
  const storageConnection = environment['STORAGE_CONNECTION']?.trim();
  const problems = [
    ...(reading.ok ? [] : reading.problems.map(describeProblem)),
    ...(isSet(storageConnection) || isInMemory(environment) ? [] : [STORAGE_MISSING]),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    region: value.REGION_ID,
    storageConnection: value.STORAGE_CONNECTION,
    listen: Object.freeze({ host: value.HOST, port: value.PORT }),
    logLevel: value.LOG_LEVEL,
    shutdownStepMs: value.SHUTDOWN_DEADLINE_MS,
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}

const DATA_ACCESS_VARIABLE = environmentNameOf('Customer.DataAccess');
const STORAGE_MISSING =
  'STORAGE_CONNECTION is not set: it must be a connection string or the URL of the tables of an ' +
  'account, for example STORAGE_CONNECTION=https://tandemeast.table.core.windows.net ' +
  `(or set ${DATA_ACCESS_VARIABLE}=memory to keep nothing).`;

function isInMemory(environment: Environment): boolean {
  return environment[DATA_ACCESS_VARIABLE] === 'memory';
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== '';
}
