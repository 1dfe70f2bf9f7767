// The process of the customer API: environment, signals, sockets, exit code.

import process from 'node:process';
import { AppError } from '@tandem/core';
import { isStrayOfLinkLayer } from '@tandem/messaging';
import {
  createLogger,
  createSystemClock,
  createSystemRandomness,
  installLastResort,
  installSignals,
} from '@tandem/service-kit';
import { startTelemetry } from '@tandem/telemetry';
import { type Config, readConfig } from './config.ts';
import { startService } from './lifecycle/start-service.ts';

/** What a person reads when the start has failed; undefined for what no person can mend. */
function explainFailure(error: unknown, { listen }: Pick<Config, 'listen'>): string | undefined {
  if (error instanceof AppError) return error.message;
  const { host, port } = listen;
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is taken: set PORT to another one (0 takes any free one).`;
    case 'EACCES':
      return `Port ${port} on ${host} may not be opened: set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: set HOST to one (0.0.0.0 takes all).`;
    default:
      return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

const EXIT_CODE_FAILED = 1;

function fail(sentences: readonly string[]): never {
  process.stderr.write(`${sentences.join('\n')}\n`);
  process.exit(EXIT_CODE_FAILED);
}

async function run(config: Config): Promise<void> {
  const { region, environment, logLevel: level } = config;
  const start = await startTelemetry({ service: 'customer-api', region, environment });
  if (start.kind === 'invalid') fail(start.problems);
  const logger = createLogger({ service: 'customer-api', region, level });
  const { opened } = await startService({
    config,
    clock: createSystemClock(),
    randomness: createSystemRandomness(),
    logger,
    telemetry: start.telemetry,
    onStoppable: (shutdown) => {
      installSignals({ shutdown, logger, source: process });
      installLastResort({ shutdown, logger, source: process, isStray: isStrayOfLinkLayer });
    },
  });
  await opened;
}

const reading = readConfig(process.env);
if (!reading.ok) fail(reading.problems);
try {
  await run(reading.config);
} catch (error) {
  const sentence = explainFailure(error, reading.config);
  if (sentence === undefined) throw error;
  fail([sentence]);
}
