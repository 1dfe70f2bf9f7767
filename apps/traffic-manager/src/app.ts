import { STATUS_CODES } from 'node:http';
import type { LookupFunction } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createRequestJudge } from '@tandem/core';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify';
import { addRequestRules, pathOfTarget, sendProblem } from './http/problem.ts';
import { proxyPlugin } from './http/proxy-plugin.ts';
import { STATUS_PREFIX, statusPlugin } from './http/status-plugin.ts';
import { createProfile, type Transition } from './monitoring/profile.ts';
import {
  createProfileMonitor,
  createSharedLookup,
  type ProfileMonitor,
  probeEndpoint,
  type ResolveName,
} from './monitoring/profile-monitor.ts';
import { createResolver } from './monitoring/resolve-endpoint.ts';
import type { TrafficManagerConfig } from './settings/read-config.ts';

const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Bounds the stand-in's own routes; a forwarded body is streamed and has no limit. */
const OWN_BODY_BYTES_MAX = 1024;

export interface AppOptions {
  readonly config: Omit<TrafficManagerConfig, 'listen'>;
  readonly logger: NonNullable<FastifyServerOptions['logger']>;
  /** Asks the operating system where it is left out. */
  readonly resolveName?: ResolveName | undefined;
}

/** Builds the whole process but the listening socket; probes run while it listens. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { config, logger } = options;
  const lookup = createSharedLookup(options.resolveName);
  const app = fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: OWN_BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    rewriteUrl: pathOfTarget,
    // It is refused below, in the form of every other refusal.
    http: { requireHostHeader: false },
  });
  const monitor = createMonitor({ ...config, lookup }, (transition) => {
    app.log.info({ event: 'endpoint-state-changed', ...transition }, 'Endpoint state changed.');
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'Request failed.');
    return sendProblem(reply, {
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code: error.code ?? 'REQUEST_REFUSED',
      detail: error.message,
    });
  });
  addRequestRules(app);
  app.addHook('onListen', async () => monitor.start());
  app.addHook('preClose', async () => monitor.stop());
  await app.register(statusPlugin, {
    prefix: STATUS_PREFIX,
    monitor,
    probing: config.probing,
    judgeRequest: createRequestJudge(config.allowedHosts),
  });
  const resolver = createResolver({
    currentChoice: () => monitor.choice(),
    ttlMs: config.probing.ttlMs,
    now: () => performance.now(),
  });
  await app.register(proxyPlugin, { resolver, lookup });
  return app;
}

function createMonitor(
  { endpoints, probing, lookup }: AppOptions['config'] & { readonly lookup: LookupFunction },
  onTransition: (transition: Transition) => void,
): ProfileMonitor {
  return createProfileMonitor({
    profile: createProfile(endpoints, probing.toleratedFailures),
    intervalMs: probing.intervalMs,
    probe: ({ url }, signal) =>
      probeEndpoint({
        url: `${url}${probing.path}`,
        timeoutMs: probing.timeoutMs,
        lookup,
        signal,
      }),
    now: Date.now,
    // An aborted sleep is one that has ended.
    sleep: (durationMs, signal) => delay(durationMs, undefined, { signal }).catch(() => undefined),
    onTransition,
  });
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
