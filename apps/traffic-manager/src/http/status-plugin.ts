// The pages and switches of the stand-in itself, under a path that no region uses.
import { failOverBounds, type JudgeRequest } from '@tandem/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { countFailures } from '../monitoring/endpoint-state.ts';
import {
  chooseEndpoint,
  nameChosen,
  type Profile,
  type ProfileEndpoint,
} from '../monitoring/profile.ts';
import type { ProfileMonitor } from '../monitoring/profile-monitor.ts';
import type { TrafficManagerConfig } from '../settings/read-config.ts';
import { problemSchema, sendProblem } from './problem.ts';
import { STATUS_PAGE, STATUS_PAGE_POLICY } from './status-page.ts';

const stateSchema = Type.String({ enum: ['checking', 'online', 'degraded', 'disabled'] });
const timeSchema = Type.String({ description: 'ISO 8601, UTC' });

const endpointStatusSchema = Type.Object({
  name: Type.String(),
  url: Type.String(),
  priority: Type.Integer(),
  enabled: Type.Boolean(),
  state: stateSchema,
  consecutiveFailures: Type.Integer(),
  lastProbe: Type.Optional(
    Type.Object({
      at: timeSchema,
      ok: Type.Boolean(),
      status: Type.Optional(Type.Integer()),
      error: Type.Optional(Type.String()),
      durationMs: Type.Integer(),
    }),
  ),
});

const statusSchema = Type.Object({
  current: Type.Union([Type.String(), Type.Null()]),
  decision: Type.String({ enum: ['online', 'all-degraded', 'none-enabled'] }),
  probing: Type.Object({
    intervalMs: Type.Integer(),
    timeoutMs: Type.Integer(),
    toleratedFailures: Type.Integer(),
    path: Type.String(),
    ttlMs: Type.Integer(),
  }),
  failOver: Type.Object({
    formulaMs: Type.Integer({ description: 'TTL + tolerated failures x interval' }),
    worstMs: Type.Integer({ description: 'the formula, one interval and one time-out' }),
  }),
  endpoints: Type.Array(endpointStatusSchema),
  transitions: Type.Array(
    Type.Object({
      at: timeSchema,
      endpoint: Type.String(),
      from: stateSchema,
      to: stateSchema,
      current: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});

type TrafficManagerStatus = Static<typeof statusSchema>;
type EndpointStatus = Static<typeof endpointStatusSchema>;

function describeProfile(
  profile: Profile,
  probing: TrafficManagerStatus['probing'],
): TrafficManagerStatus {
  const choice = chooseEndpoint(profile.endpoints);
  const { formulaMs, worstMs } = failOverBounds(probing);
  return {
    current: nameChosen(choice),
    decision: choice.kind,
    probing,
    failOver: { formulaMs, worstMs },
    endpoints: profile.endpoints.map(describeEndpoint),
    transitions: profile.transitions.map(({ at, ...rest }) => ({ at: iso(at), ...rest })),
  };
}

function describeEndpoint(endpoint: ProfileEndpoint): EndpointStatus {
  const { name, url, priority, state, lastProbe } = endpoint;
  return {
    name,
    url,
    priority,
    enabled: state.kind !== 'disabled',
    state: state.kind,
    consecutiveFailures: countFailures(state),
    ...(lastProbe && { lastProbe: { at: iso(lastProbe.at), ...lastProbe.outcome } }),
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

export const STATUS_PREFIX = '/_traffic-manager';

export interface StatusPluginOptions {
  readonly monitor: ProfileMonitor;
  readonly probing: TrafficManagerConfig['probing'];
  readonly judgeRequest: JudgeRequest;
}

const switchSchema = {
  params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 63 }) }),
  response: { 200: endpointStatusSchema, 400: problemSchema, 404: problemSchema },
};

/** Serves the status as JSON and as a page, and lets a person disable and enable endpoints. */
export async function statusPlugin(
  app: FastifyInstance,
  { monitor, probing, judgeRequest }: StatusPluginOptions,
): Promise<void> {
  // A page of any other site could take a region out of traffic, or show what is known of it.
  app.addHook('onRequest', async ({ method, raw }, reply) => {
    const { url: target = '/', rawHeaders } = raw;
    const verdict = judgeRequest({ method, target, rawHeaders });
    if (verdict.kind === 'taken') return undefined;
    const code = 'SITE_REFUSED';
    return sendProblem(reply, { title: 'Forbidden', status: 403, code, detail: verdict.why });
  });
  // The switches take no body; one that a client sends all the same is not an error.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    async (_request: FastifyRequest, payload: NodeJS.ReadableStream) => {
      payload.resume();
    },
  );
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.get('/', async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', STATUS_PAGE_POLICY)
      .send(STATUS_PAGE),
  );
  app.get('/status', { schema: { response: { 200: statusSchema } } }, async () =>
    describeProfile(monitor.profile(), probing),
  );
  for (const action of ['disable', 'enable'] as const) {
    app.post<{ Params: { name: string } }>(
      `/endpoints/:name/${action}`,
      { schema: switchSchema },
      async (request, reply) => {
        const { name } = request.params;
        monitor.setEnabled(name, action === 'enable');
        return sendEndpoint(reply, monitor, name);
      },
    );
  }
  // Whatever else begins with the prefix is a mistyped address, not a region's business.
  app.all('/*', async (request, reply) =>
    sendProblem(reply, {
      title: 'Not Found',
      status: 404,
      code: 'ROUTE_NOT_FOUND',
      detail: `${request.method} ${request.url} is not an address of the traffic manager. The page ${STATUS_PREFIX}/ shows its status.`,
    }),
  );
}

function sendEndpoint(reply: FastifyReply, monitor: ProfileMonitor, name: string): FastifyReply {
  const { endpoints } = monitor.profile();
  const endpoint = endpoints.find((candidate) => candidate.name === name);
  if (endpoint !== undefined) return reply.send(describeEndpoint(endpoint));
  return sendProblem(reply, {
    title: 'Not Found',
    status: 404,
    code: 'ENDPOINT_NOT_FOUND',
    detail: `There is no endpoint ${name}. There are: ${endpoints.map((each) => each.name).join(', ')}.`,
  });
}
