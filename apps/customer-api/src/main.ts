// The process of the customer API: environment, signals, sockets, exit code.
import { isStrayOfLinkLayer } from '@tandem/messaging';
import {
  createLogger,
  createSystemClock,
  createSystemRandomness,
  installLastResort,
  installSignals,
} from '@tandem/service-kit';
import { startTelemetry } from '@tandem/telemetry';
import process from 'node:process';
import { type Config, readConfig } from './config.ts';
import { explainFailure } from './lifecycle/explain-failure.ts';
import { startService } from './lifecycle/start-service.ts';

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
