// The process: environment, signals and the socket. What it does is in replicator-process.ts.
import {
  AppError,
  assertNever,
  type Clock,
  createRequestJudge,
  type EntityKind,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { isStrayOfLinkLayer } from '@tandem/messaging';
import { openRegion, openStore } from '@tandem/region-kit';
import {
  createLogger,
  createShutdown,
  createSystemClock,
  createSystemRandomness,
  installLastResort,
  installSignals,
  type Logger,
} from '@tandem/service-kit';
import { startTelemetry } from '@tandem/telemetry';
import { createApp, listen } from './app.ts';
import { createServiceBus } from './bus/service-bus.ts';
import { type ReplicatorConfig, readConfig } from './config.ts';
import { measureReplicator } from './observe/replicator-metrics.ts';
import { createReplicatorProcess, type StartOutcome } from './replicator-process.ts';

/** Every entity kind that this replicator carries. */
const KINDS = [customerKind];
/** Each step after the batch in hand: whoever stops a process kills it half a minute later. */
const LAST_STEP_MS = 3_000;
/** Only reads the settings, and exits with 0 when a start could use them. */
const CHECK_ONLY = '--check';
const NOTHING_TO_DO = 'Customer.DataAccess is memory: there is nothing to replicate.';

async function main(): Promise<void> {
  const reading = readConfig(process.env);
  if (!reading.ok) {
    fail(`Settings that cannot be used:\n  ${reading.problems.join('\n  ')}`);
    return;
  }
  const { config } = reading;
  const store = config.storageConnection === undefined ? undefined : open(config.storageConnection);
  if (typeof store === 'string') fail(store);
  else if (process.argv.includes(CHECK_ONLY)) await check(config, store);
  else await run(config, store);
}

async function check(config: ReplicatorConfig, store: TableStore | undefined): Promise<void> {
  const options = { config, kinds: KINDS, clock: createSystemClock() };
  const problem = store === undefined ? undefined : await checkSettings({ ...options, store });
  if (problem === undefined) process.stdout.write('The settings can be used.\n');
  else fail(problem);
}

async function run(config: ReplicatorConfig, store: TableStore | undefined): Promise<void> {
  const { region, administrationConnection, environment } = config;
  const clock = createSystemClock();
  const logger = createLogger({ service: 'replicator', region, level: config.logLevel });
  if (store === undefined) {
    logger.info({ event: 'nothing-to-do' }, NOTHING_TO_DO);
    return;
  }
  const start = await startTelemetry({ service: 'replicator', region, environment });
  if (start.kind === 'invalid') {
    fail(`Settings that cannot be used:\n  ${start.problems.join('\n  ')}`);
    return;
  }
  const { telemetry } = start;
  const replicator = createReplicatorProcess({
    region,
    kinds: KINDS,
    store,
    bus: createServiceBus({ logger, administrationConnection }),
    clock,
    randomness: createSystemRandomness(),
    logger,
    environment,
    tracer: telemetry.tracer,
  });
  if (telemetry.meter !== undefined) measureReplicator(telemetry.meter, replicator, clock);
  const app = await createApp({
    region,
    view: replicator,
    judgeRequest: createRequestJudge(config.allowedHosts),
    logger,
  });
  const listening = await listen(app, config.listen);
  if (listening.kind === 'refused') {
    await telemetry.stop();
    fail(listening.reason);
    return;
  }
  const shutdown = createShutdown({
    logger,
    clock,
    deadlineMs: LAST_STEP_MS,
    steps: [
      ...replicator.stopSteps(config.drainDeadlineMs),
      { name: 'close the health server', run: () => app.close() },
      { name: 'send the last telemetry', run: () => telemetry.stop() },
      { name: 'flush the log', run: () => logger.flush() },
    ],
  });
  installSignals({ shutdown, logger, source: process });
  installLastResort({ shutdown, logger, source: process, isStray: isStrayOfLinkLayer });
  const { metricsPort } = telemetry;
  logger.info(
    { event: 'ready', port: listening.port, metricsPort },
    'The health server is listening.',
  );
  const outcome = await replicator.start();
  const exitCode = explain(outcome, logger);
  if (exitCode !== undefined) process.exit(Math.max(exitCode, await shutdown.run(outcome.kind)));
}

/** Says why there is no work. Returns the exit code, or undefined when there is work. */
function explain(outcome: StartOutcome, logger: Logger): number | undefined {
  switch (outcome.kind) {
    case 'nothing-to-do':
      logger.info({ event: 'nothing-to-do' }, NOTHING_TO_DO);
      return 0;
    case 'invalid':
      logger.error(
        { event: 'configuration-invalid', error: outcome.error },
        'The settings of the region are wrong.',
      );
      process.stderr.write(`${outcome.error.message}\n`);
      return 1;
    case 'running':
    case 'stopped':
      return undefined;
    default:
      return assertNever(outcome);
  }
}

/** The store, or why there is none. */
function open(connection: string): TableStore | string {
  try {
    return openStore(connection);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `STORAGE_CONNECTION cannot be used: ${error.message}`;
  }
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

interface CheckOptions {
  readonly config: Pick<ReplicatorConfig, 'region' | 'environment'>;
  readonly kinds: readonly EntityKind[];
  readonly store: TableStore;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Nothing is kept that could grow old. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/**
 * Opens the region once, as a start would, and nothing more: for a deployment that must not begin
 * with settings that its processes will refuse. Returns what is wrong, or undefined.
 */
export async function checkSettings(options: CheckOptions): Promise<string | undefined> {
  const { config, kinds, store, clock } = options;
  try {
    await openRegion({
      region: config.region,
      environment: config.environment,
      kinds,
      store,
      clock,
      refreshMs: NEVER_MS,
      onRefreshFailed: () => undefined,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

await main();
