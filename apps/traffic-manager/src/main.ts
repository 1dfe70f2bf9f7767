// The process: environment, socket and signals. What it does is in app.ts.
import { AppError } from '@tandem/core';
import { listen } from '@tandem/service-kit';
import type { FastifyInstance } from 'fastify';
import { buildApp, stopWithin } from './app.ts';
import { describeProblem, readConfig } from './settings/read-config.ts';

const STOP_DEADLINE_MS = 5000;

async function main(): Promise<void> {
  const outcome = readConfig(process.env);
  if (outcome.kind === 'invalid') {
    fail(`Settings that cannot be used:\n  ${outcome.problems.map(describeProblem).join('\n  ')}`);
    return;
  }
  const { config } = outcome;
  const app = await buildApp({ config, logger: { level: 'info' } });
  let url: string;
  try {
    ({ url } = await listen(app, config.listen));
  } catch (error) {
    await app.close();
    if (!(error instanceof AppError)) throw error;
    fail(error.message);
    return;
  }
  const endpoints = config.endpoints.map(({ name }) => name);
  app.log.info({ event: 'ready', url, endpoints }, 'Traffic manager is ready.');
  process.once('SIGTERM', () => void stop(app));
  process.once('SIGINT', () => void stop(app));
}

async function stop(app: FastifyInstance): Promise<void> {
  app.log.info({ event: 'stopping' }, 'Traffic manager is stopping.');
  const isCut = await stopWithin(app, STOP_DEADLINE_MS);
  app.log.info({ event: 'stopped', isCut }, 'Traffic manager has stopped.');
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

await main();
