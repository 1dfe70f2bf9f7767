// The process: environment, socket and signals. What it does is in app.ts.
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import { describeProblem, readConfig, type TrafficManagerConfig } from './settings/read-config.ts';

const STOP_DEADLINE_MS = 5000;

async function main(): Promise<void> {
  const outcome = readConfig(process.env);
  if (outcome.kind === 'invalid') {
    fail(`Settings that cannot be used:\n  ${outcome.problems.map(describeProblem).join('\n  ')}`);
    return;
  }
  const { config } = outcome;
  const app = await buildApp({ config, logger: { level: 'info' } });
  const url = await listen(app, config);
  if (url === undefined) return;
  const endpoints = config.endpoints.map(({ name }) => name);
  app.log.info({ event: 'ready', url, endpoints }, 'Traffic manager is ready.');
  process.once('SIGTERM', () => void stop(app));
  process.once('SIGINT', () => void stop(app));
}

/** Resolves to the url, or to undefined with the reason said and the exit code set, when the address is not free. */
async function listen(
  app: FastifyInstance,
  config: TrafficManagerConfig,
): Promise<string | undefined> {
  const { host, port } = config.listen;
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      fail(`Port ${port} on ${host} is already in use: set PORT to a free one.`);
    } else if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
      fail(`Cannot listen on ${host} port ${port} (${code}): set HOST and PORT to others.`);
    } else throw error;
    return undefined;
  }
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

const IDLE_CHECK_MS = 50;

/**
 * Stops accepting, lets the requests under way finish and closes idle connections as they become
 * so. What is still open after `deadlineMs` is cut. Resolves to whether that was needed.
 */
export async function stopWithin(app: FastifyInstance, deadlineMs: number): Promise<boolean> {
  let isCut = false;
  const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
  const cut = setTimeout(() => {
    isCut = true;
    app.server.closeAllConnections();
  }, deadlineMs);
  await app.close();
  clearInterval(idle);
  clearTimeout(cut);
  return isCut;
}

await main();
