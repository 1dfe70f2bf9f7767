// The process: environment, signals and the socket. What it does is in @tandem/region.
import process from 'node:process';
import { assertNever, createRequestJudge } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { isStrayOfLinkLayer } from '@tandem/messaging';
import {
  checkSettings,
  createReplicatorProcess,
  createServiceBus,
  measureReplicator,
  openRegionStore,
  type ReplicatorProcess,
} from '@tandem/region';
import {
  createSystemClock,
  runService,
  type Service,
  type ServiceTools,
  settingsInvalid,
} from '@tandem/service-kit';
import { startTelemetry } from '@tandem/telemetry';
import { createApp } from './app.ts';
import { type ReplicatorConfig, readConfig } from './config.ts';

/** The entity kinds that this replicator carries besides the tables of clients. */
const KINDS = [customerKind];
/** Only reads the settings, and exits with 0 when a start could use them. */
const CHECK_ONLY = '--check';
const NOTHING_TO_DO = 'Customer.DataAccess is memory: there is nothing to replicate.';

async function createService(
  config: ReplicatorConfig,
  { clock, randomness, logger }: ServiceTools,
): Promise<Service> {
  const { region, administrationConnection, environment } = config;
  const start = await startTelemetry({ service: 'replicator', region, environment });
  if (start.kind === 'invalid') throw settingsInvalid(start.problems);
  const { telemetry } = start;
  const replicator = createReplicatorProcess({
    region,
    kinds: KINDS,
    store: openRegionStore(config),
    bus: createServiceBus({ logger, administrationConnection }),
    clock,
    randomness,
    logger,
    environment,
    tracer: telemetry.tracer,
  });
  if (telemetry.meter !== undefined) measureReplicator(telemetry.meter, replicator, clock);
  const judgeRequest = createRequestJudge(config.allowedHosts);
  const app = await createApp({ region, view: replicator, judgeRequest, logger });
  return {
    open: () => open(replicator),
    app,
    facts: { metricsPort: telemetry.metricsPort },
    drain: replicator.drain,
    close: [
      ...replicator.close,
      { name: 'close the health server', run: () => app.close() },
      { name: 'send the last telemetry', run: () => telemetry.stop() },
      { name: 'flush the log', run: () => logger.flush() },
    ],
  };
}

/** Resolves to why there is no work, or to undefined when there is. */
async function open(replicator: ReplicatorProcess): Promise<string | undefined> {
  const outcome = await replicator.start();
  switch (outcome.kind) {
    case 'nothing-to-do':
      return NOTHING_TO_DO;
    case 'invalid':
      throw outcome.error;
    case 'running':
    case 'stopped':
      return undefined;
    default:
      return assertNever(outcome);
  }
}

async function check(config: ReplicatorConfig): Promise<void> {
  const { region, environment } = config;
  const problem = await checkSettings({
    region,
    environment,
    kinds: KINDS,
    store: openRegionStore(config),
    clock: createSystemClock(),
  });
  if (problem === undefined) process.stdout.write('The settings can be used.\n');
  else {
    process.stderr.write(`${problem}\n`);
    process.exitCode = 1;
  }
}

const reading = readConfig(process.env);
if (reading.ok && process.argv.includes(CHECK_ONLY)) await check(reading.config);
else {
  await runService({
    service: 'replicator',
    reading,
    create: createService,
    isStray: isStrayOfLinkLayer,
    source: process,
  });
}
