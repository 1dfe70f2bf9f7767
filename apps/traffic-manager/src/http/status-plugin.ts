// The pages and switches of the stand-in itself, under a path that no region uses.

import { createHash } from 'node:crypto';
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

const STYLE = `
  :root { color-scheme: light dark; background: light-dark(#fff, #121212); }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; }
  th, td { border-bottom: 1px solid #8885; padding: .4rem .8rem .4rem 0; text-align: left; }
  tr.current { font-weight: 600; }
  .online { color: light-dark(#17652b, #7bd88f); }
  .degraded { color: light-dark(#a3190f, #ff9a8f); }
  .disabled, .checking { color: light-dark(#555, #bbb); }
  button { font: inherit; font-weight: 400; }
`;

const SCRIPT = `
  const base = '/_traffic-manager';
  const byId = (id) => document.getElementById(id);
  const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  // Rows and buttons stay the same elements, so a press, the keyboard's place and a selection outlive a refresh.
  const showRows = (id, rows) => {
    const body = byId(id);
    for (const [at, { className, cells, button }] of rows.entries()) {
      const tr = body.rows[at] ?? body.insertRow();
      tr.className = className ?? '';
      for (const [index, cell] of cells.entries()) {
        const [text, className = ''] = [cell].flat();
        const td = tr.cells[index] ?? tr.insertCell();
        td.className = className;
        setText(td, String(text));
      }
      if (button === undefined) continue;
      const last = tr.cells[cells.length] ?? tr.insertCell();
      button(last.firstChild ?? last.appendChild(document.createElement('button')));
    }
    while (body.rows.length > rows.length) body.deleteRow(-1);
  };
  const time = (iso) => new Date(iso).toLocaleTimeString();
  const probe = (last) => last === undefined ? 'none yet'
    : time(last.at) + ', ' + (last.status ?? last.error) + ', ' + last.durationMs + ' ms';
  const toggle = ({ name, enabled }) => (button) => {
    const action = enabled ? 'disable' : 'enable';
    setText(button, enabled ? 'Disable' : 'Enable');
    button.setAttribute('aria-label', button.textContent + ' ' + name);
    button.dataset.key = name;
    button.onclick = () => fetch(base + '/endpoints/' + name + '/' + action, { method: 'POST' })
      .then(refresh).catch(showOutage);
  };
  const summaries = {
    online: (s) => 'Traffic goes to ' + s.current + '.',
    'all-degraded': (s) => 'All endpoints are degraded, so all count as online: traffic goes to ' + s.current + '.',
    'none-enabled': () => 'Every endpoint is disabled: requests are answered with 503.',
  };
  const showOutage = () => { byId('summary').textContent = 'The traffic manager does not answer.'; };
  async function refresh() {
    const status = await (await fetch(base + '/status')).json();
    setText(byId('summary'), summaries[status.decision](status));
    const s = (ms) => ms / 1000 + ' s';
    setText(byId('bounds'), 'Clients keep an answer for ' + s(status.probing.ttlMs) + '. A dead endpoint loses the last of them after '
      + s(status.failOver.formulaMs) + ' by the formula, ' + s(status.failOver.worstMs) + ' at worst.');
    showRows('endpoints', status.endpoints.map((e) => ({
      className: e.name === status.current ? 'current' : '',
      cells: [e.priority, e.name + ' (' + e.url + ')', [e.state, e.state], e.consecutiveFailures, probe(e.lastProbe)],
      button: toggle(e),
    })));
    showRows('transitions', status.transitions.toReversed().map((t) => ({
      cells: [time(t.at), t.endpoint, [t.from, t.from], [t.to, t.to], t.current ?? 'none'],
    })));
  }
  const loop = () => refresh().catch(showOutage).finally(() => setTimeout(loop, 1000));
  loop();
`;

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Everything is inline, so the page works without a network, and nothing else is; the script may only ask this server. */
const STATUS_PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Shows /_traffic-manager/status, asked for once a second, with a switch for each endpoint. */
const STATUS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Traffic manager</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Traffic manager, priority mode</h1>
<p id="summary" role="status">Asking for the status.</p>
<p id="bounds"></p>
<div class="scroll" tabindex="0" role="region" aria-label="Endpoints"><table>
  <thead><tr><th scope="col">Priority</th><th scope="col">Endpoint</th><th scope="col">State</th><th scope="col">Failures in a row</th>
  <th scope="col">Last probe</th><th scope="col">Switch</th></tr></thead>
  <tbody id="endpoints"></tbody>
</table></div>
<h2>Changes, newest first</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Changes"><table>
  <thead><tr><th scope="col">Time</th><th scope="col">Endpoint</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Traffic goes to</th></tr></thead>
  <tbody id="transitions"></tbody>
</table></div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
