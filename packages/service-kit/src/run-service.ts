import type { AddressInfo } from 'node:net';
import { AppError, type Clock, type Randomness, TerminalError } from '@tandem/core';
import { type Static, type TObject, Type } from 'typebox';
import { createLogger, LOG_LEVELS, type Logger, type LogLevel, type PinoLogger } from './logger.ts';
import {
  createShutdown,
  type FailureSource,
  installLastResort,
  installSignals,
  type Shutdown,
  type ShutdownStep,
  type SignalSource,
} from './shutdown.ts';
import { createSystemClock, createSystemRandomness } from './system-clock.ts';

/** What a service has of its own, in the order in which it comes to be used: open, listen, drain, close. */
export interface Service {
  /**
   * Opens what it works on, however long that is out of reach. Resolves to why there is nothing to do, or
   * to undefined. Rejects with `CONFIGURATION_INVALID` for what a person must mend.
   */
  readonly open: () => Promise<string | undefined>;
  /** Answers from the beginning, also while it says that not all is open. */
  readonly app: HttpServer;
  /** Stand in the line that says that it is ready. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Let finish what is under way. */
  readonly drain: readonly ShutdownStep[];
  /** Close what was open. */
  readonly close: readonly ShutdownStep[];
}

/** The part of a Fastify instance that is needed. */
export interface HttpServer {
  readonly server: { address(): AddressInfo | string | null };
  /** Resolves to the URL. */
  listen(at: ListenOptions & { readonly listenTextResolver: () => string }): Promise<string>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
}

export interface StartServiceOptions {
  readonly listen: ListenOptions;
  /** How long a stop may take altogether, in milliseconds. */
  readonly shutdownMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called before anything is opened: from then on the service can be stopped. */
  readonly onStoppable?: (shutdown: Shutdown) => void;
}

export interface StartedService {
  readonly port: number;
  readonly shutdown: Shutdown;
  /** Resolves as `open` does. Rejects with what it threw, once the service has shut down. */
  readonly opened: Promise<string | undefined>;
}

/** Wrong settings fail a start before it listens where the account answers within this time. */
const OPEN_BEFORE_LISTENING_MS = 5_000;

/**
 * Opens a service and listens. While what it works on is out of reach it listens all the same, and says that it
 * is not ready. Throws what opening throws meanwhile, and `CONFIGURATION_INVALID` for an address that it
 * cannot have, once it has shut down.
 */
export async function startService(
  { open, app, facts, drain, close }: Service,
  options: StartServiceOptions,
): Promise<StartedService> {
  const { clock, logger, shutdownMs: deadlineMs } = options;
  const shutdown = createShutdown({ logger, clock, deadlineMs, drain, close });
  options.onStoppable?.(shutdown);
  const orShutDown = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      await shutdown.run('the start has failed');
      throw error;
    }
  };
  const opened = orShutDown(open());
  await settledWithin(opened, clock);
  const { host } = options.listen;
  const { port } = await orShutDown(listen(app, options.listen));
  logger.info({ event: 'ready', host, port, ...facts }, 'The process listens.');
  return { port, shutdown, opened };
}

async function settledWithin(opened: Promise<unknown>, clock: Clock): Promise<void> {
  const settled = new AbortController();
  try {
    await Promise.race([opened, clock.sleep(OPEN_BEFORE_LISTENING_MS, settled.signal)]);
  } finally {
    settled.abort();
  }
}

const REFUSALS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use: set PORT to another one (0 takes any free one)',
  EADDRNOTAVAIL: 'is no address of this machine: set HOST to one (0.0.0.0 takes all)',
  ENOTFOUND: 'is no address of this machine: set HOST to one (0.0.0.0 takes all)',
  EACCES: 'may not be used by this process: set PORT to one above 1023',
};

interface Listening {
  readonly port: number;
  readonly url: string;
}

/** Takes the address. Throws `CONFIGURATION_INVALID` for what the operating system refuses. */
export async function listen(app: HttpServer, { host, port }: ListenOptions): Promise<Listening> {
  try {
    const url = await app.listen({ host, port, listenTextResolver: () => 'The server listens.' });
    return { port: (app.server.address() as AddressInfo).port, url };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const refusal = REFUSALS[code];
    if (refusal === undefined) throw cause;
    const message = `Port ${port} on ${host} ${refusal}.`;
    throw new TerminalError('CONFIGURATION_INVALID', message, { cause });
  }
}

/** What every service must know before it can read the table `Configuration`. */
export const SERVICE_VARIABLES = {
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
    description: 'The address to listen on; of the replicator, that of its health server.',
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
    examples: ['debug'],
  }),
  SHUTDOWN_DEADLINE_MS: Type.Integer({
    description:
      'How long a stop may take altogether, in milliseconds, from the signal to the end of the process. Four ' +
      'fifths of it are for what is under way (requests, the batch in hand, what waits to be sent), the rest for ' +
      'closing connections; what is not done by then is cut off. Whoever stops the process must not kill it earlier.',
    minimum: 0,
    maximum: 600_000,
    default: 20_000,
    examples: [20_000],
  }),
} as const;

/** What every service reads of its environment. */
export interface ServiceConfig {
  readonly region: string;
  /** Undefined when nothing is kept outside this process. */
  readonly storageConnection: string | undefined;
  readonly listen: ListenOptions;
  readonly logLevel: LogLevel;
  /** How long a stop may take altogether, in milliseconds. */
  readonly shutdownMs: number;
}

/** Makes what every service needs of the variables that were read. */
export function serviceConfigOf(value: Static<TObject<typeof SERVICE_VARIABLES>>): ServiceConfig {
  return {
    region: value.REGION_ID,
    storageConnection: value.STORAGE_CONNECTION,
    listen: Object.freeze({ host: value.HOST, port: value.PORT }),
    logLevel: value.LOG_LEVEL,
    shutdownMs: value.SHUTDOWN_DEADLINE_MS,
  };
}

/** What a process reads of its environment. */
export type ConfigReading<C> =
  | { readonly ok: true; readonly config: C }
  /** Are a sentence each, with variable, rule and example. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Returns the error that says all that is wrong with the settings. */
export function settingsInvalid(problems: readonly string[]): TerminalError {
  const message = ['Settings that cannot be used:', ...problems].join('\n');
  return new TerminalError('CONFIGURATION_INVALID', message, { details: { problems } });
}

export interface ServiceTools {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: PinoLogger;
}

/** The part of `process` that is needed, so that a test need not be one. */
export interface ServiceProcess extends SignalSource, FailureSource {
  on(
    event: 'SIGTERM' | 'SIGINT' | 'disconnect' | 'unhandledRejection' | 'uncaughtException',
    listener: (failure?: unknown) => void,
  ): unknown;
  readonly stderr: { write(text: string): unknown };
}

export interface RunServiceOptions<C extends ServiceConfig> {
  /** Names the service in its log. */
  readonly service: string;
  readonly reading: ConfigReading<C>;
  /** Makes the service; nothing is opened before `open` is called. */
  readonly create: (config: C, tools: ServiceTools) => Promise<Service>;
  /** As the last resort asks it. */
  readonly isStray: (failure: unknown) => boolean;
  readonly source: ServiceProcess;
}

const EXIT_CODE_FAILED = 1;

/**
 * Runs a service as a process, from its settings to its exit code: 0 where it was stopped in order or has
 * nothing to do, 1 where a person must mend something, which is said on stderr. Resolves once it is open.
 */
export async function runService<C extends ServiceConfig>(
  options: RunServiceOptions<C>,
): Promise<void> {
  const { service: name, reading, create, isStray, source } = options;
  try {
    if (!reading.ok) throw settingsInvalid(reading.problems);
    const { region, logLevel: level, listen, shutdownMs } = reading.config;
    const clock = createSystemClock();
    const logger = createLogger({ service: name, region, level });
    const tools = { clock, logger, randomness: createSystemRandomness() };
    const { opened, shutdown } = await startService(await create(reading.config, tools), {
      listen,
      shutdownMs,
      clock,
      logger,
      onStoppable(stoppable) {
        installSignals({ shutdown: stoppable, logger, source });
        installLastResort({ shutdown: stoppable, logger, source, isStray });
      },
    });
    const nothingToDo = await opened;
    if (nothingToDo === undefined) return;
    logger.info({ event: 'nothing-to-do' }, nothingToDo);
    source.exit(await shutdown.run('there is nothing to do'));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    source.stderr.write(`${error.message}\n`);
    source.exit(EXIT_CODE_FAILED);
  }
}

/** The part of a Fastify instance that is needed. */
export interface ClosableServer {
  readonly server: { closeAllConnections(): void };
  close(): PromiseLike<unknown>;
}

interface CloseServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the requests that run may take, in milliseconds. */
  readonly graceMs: number;
}

/**
 * Stops accepting at once, closes what is idle, and waits for the requests that run. Those that are
 * still running after `graceMs` lose their connection.
 */
export async function closeServer(
  app: ClosableServer,
  { clock, logger, graceMs }: CloseServerOptions,
): Promise<void> {
  const closed = new AbortController();
  const closing = Promise.resolve(app.close()).finally(() => closed.abort());
  await clock.sleep(graceMs, closed.signal);
  if (!closed.signal.aborted) {
    logger.warn({ event: 'requests-cut-off', graceMs }, 'Some requests took too long to finish.');
    app.server.closeAllConnections();
  }
  await closing;
}
