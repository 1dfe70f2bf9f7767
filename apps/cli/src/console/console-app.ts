// The server of the console: what every request has to pass, and the frame that pages are put into.
import { readFileSync } from 'node:fs';
import { createRequestJudge, type JudgeRequest } from '@tandem/core';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { UsageError } from '../exit-codes.ts';
import { FORM_ROLES, findMissingRole, isSame, type LinkAccess, type Visitor } from './access.ts';
import {
  cookieOf,
  entrancePath,
  fieldsOf,
  HTML_TYPE,
  refuseForm,
  refuseRole,
  sendEnded,
  sendNote,
  serveEntrance,
  visitCookie,
} from './entrance.ts';
import { layout, type NavLink } from './layout.ts';
import {
  type ConsoleRoutes,
  type ConsoleTools,
  Elsewhere,
  type PageOptions,
  type Visit,
} from './page.ts';
import { atRiskPage } from './pages/at-risk.ts';
import { conflictsPage } from './pages/conflicts.ts';
import { deadLettersPage } from './pages/dead-letters.ts';
import { drillPage } from './pages/drill.ts';
import { historyPage } from './pages/history.ts';
import { longRunPages } from './pages/long-run.ts';
import { overviewPage } from './pages/overview.ts';
import { recoveryPage } from './pages/recovery.ts';
import { auditPage, settingsPage } from './pages/settings.ts';
import { tablesPage } from './pages/tables.ts';
import type { SignInAccess } from './sign-in.ts';

export interface ConsoleAppOptions extends ConsoleTools {
  readonly access: LinkAccess | SignInAccess;
  readonly onFault: (error: unknown) => void;
}

/** Lists the pages in the order of the navigation. */
const LINKS: readonly NavLink[] = [
  { path: '/', label: 'Regions' },
  { path: '/at-risk', label: 'At risk' },
  { path: '/conflicts', label: 'Conflicts' },
  { path: '/dead-letters', label: 'Dead letters' },
  { path: '/history', label: 'History' },
  { path: '/tables', label: 'Tables' },
  { path: '/recovery', label: 'Recovery' },
  { path: '/drill', label: 'Drill' },
  { path: '/settings', label: 'Settings' },
  { path: '/audit', label: 'Audit' },
];

const PAGES = [
  overviewPage,
  atRiskPage,
  conflictsPage,
  deadLettersPage,
  historyPage,
  tablesPage,
  recoveryPage,
  longRunPages,
  drillPage,
  settingsPage,
  auditPage,
];

/** Keys of rows are at most 1 KiB, and a form holds a few hundred. */
const BODY_BYTES_MAX = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 120_000;

/** Scripts and styles are files of ours; nothing else is loaded, and nobody may frame the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  // With none at all, browsers send "null" for the Origin of our own forms.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Browsers that were here once ask by https alone; they take no notice of it in an answer by http. */
const TRANSPORT = 'max-age=31536000';

/** Whoever starts it anew asks by its address and is nobody; a region that is down is no reason to do that. */
const PROBES = ['/health/live', '/health/serving'];

/** Returns why a request is not looked at; undefined for one that is. */
type JudgeHost = (facts: Parameters<JudgeRequest>[0]) => string | undefined;

/** Behind a name of its own the console is asked by that name alone, and by its own pages. */
function createHostJudge(access: ConsoleAppOptions['access']): JudgeHost {
  if (access.kind === 'link') {
    const judge = createRequestJudge();
    return (facts) => whyOf(judge(facts));
  }
  const { host, hostname } = new URL(access.origin);
  const judge = createRequestJudge([hostname]);
  return (facts) => {
    const { target, rawHeaders } = facts;
    if (PROBES.includes(target)) return undefined;
    const read = (name: string): string | undefined =>
      rawHeaders.find((_, index) => rawHeaders[index - 1]?.toLowerCase() === name && index % 2 > 0);
    if (read('host')?.toLowerCase() !== host) {
      return `The console is asked as ${access.origin}, and under no other name.`;
    }
    const origin = read('origin');
    if (origin !== undefined && origin !== access.origin)
      return 'Pages of others may not ask here.';
    return whyOf(judge(facts));
  };
}

function whyOf(verdict: ReturnType<JudgeRequest>): string | undefined {
  return verdict.kind === 'taken' ? undefined : verdict.why;
}

/** Builds the server, not yet listening. */
export function createConsoleApp(options: ConsoleAppOptions): FastifyInstance {
  const { access, onFault, clock } = options;
  const judge = createHostJudge(access);
  /** Sets what every answer has, and answers a request that is not looked at. Returns whether it was answered. */
  const greet = ({ method, raw }: FastifyRequest, reply: FastifyReply): boolean => {
    reply.headers(HEADERS);
    if (access.kind === 'sign-in') reply.header('strict-transport-security', TRANSPORT);
    const { url: target = '/', rawHeaders } = raw;
    const why = judge({ method, target, rawHeaders });
    if (why !== undefined) reply.code(403).type('text/plain; charset=utf-8').send(`${why}\n`);
    return why !== undefined;
  };
  // What is asked for is nobody's business: no request is logged.
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { requireHostHeader: false },
    // An address that cannot be decoded reaches no hook and no page.
    frameworkErrors: (_error, request, reply) => {
      if (!greet(request, reply)) sendNoPage(reply, 400);
    },
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  app.addHook('onRequest', async (request, reply) => (greet(request, reply) ? reply : undefined));
  app.setErrorHandler<FastifyError | UsageError>((error, _request, reply) => {
    const status =
      error instanceof UsageError
        ? 400
        : (('statusCode' in error ? error.statusCode : undefined) ?? 500);
    if (status >= 500) onFault(error);
    const text =
      status >= 500 ? 'The console met an error of its own; its terminal shows it.' : error.message;
    return sendNote(reply, status, { title: 'This did not work', text });
  });
  app.setNotFoundHandler((_request, reply) => sendNoPage(reply, 404));
  serveAssets(app);
  for (const path of PROBES) app.get(path, async () => ({ status: 'ok' }));
  serveEntrance(app, access);
  const routes = createRoutes(app, { access, clock });
  for (const add of PAGES) add(routes, options);
  return app;
}

function sendNoPage(reply: FastifyReply, status: number): FastifyReply {
  return sendNote(reply, status, {
    title: 'There is no such page',
    text: 'The address is mistyped, or of another version.',
  });
}

/** Sends a page to who may see it, or the browser on. */
type Show = (reply: FastifyReply, options: PageOptions, visit: Visit) => Promise<FastifyReply>;

function createShow(clock: ConsoleAppOptions['clock']): Show {
  return async (reply, { path, links: under = path, title, refreshMs, render }, visit) => {
    const content = await render(visit);
    if (content instanceof Elsewhere) return reply.redirect(content.path, 303);
    const { person, roles, formToken } = visit.visitor;
    const nowMs = clock.nowMs();
    const page = layout({
      title,
      path: under,
      links: LINKS,
      person,
      roles,
      formToken,
      nowMs,
      content,
      refreshMs,
    });
    return reply.type(HTML_TYPE).send(String(page));
  };
}

function createRoutes(
  app: FastifyInstance,
  { access, clock }: Pick<ConsoleAppOptions, 'access' | 'clock'>,
): ConsoleRoutes {
  const show = createShow(clock);
  const visitorOf = (request: FastifyRequest): Visitor | undefined =>
    access.visits.find(cookieOf(request, visitCookie(request, access)));
  /** Returns who asks for a page, or sends him to the entrance, and from there to the page. */
  const admit = (request: FastifyRequest, reply: FastifyReply): Visitor | undefined => {
    const visitor = visitorOf(request);
    if (visitor === undefined) void reply.redirect(entrancePath(access, request.url), 303);
    return visitor;
  };
  return {
    page: (options) =>
      void app.get(options.path, async (request, reply) => {
        const visitor = admit(request, reply);
        if (visitor === undefined) return reply;
        return show(reply, options, { visitor, query: queryOf(request), fields: NO_FIELDS });
      }),
    form: (options) =>
      void app.post(options.path, async (request, reply) => {
        const visitor = visitorOf(request);
        if (visitor === undefined) return sendEnded(reply, access, options.links ?? options.path);
        const fields = fieldsOf(request);
        if (!isSame(fields.get('formToken') ?? '', visitor.formToken)) return refuseForm(reply);
        const missing = findMissingRole(visitor, FORM_ROLES[options.path]);
        if (missing !== undefined) return refuseRole(reply, missing);
        return show(reply, options, { visitor, query: queryOf(request), fields });
      }),
    download: ({ path, name, type, read }) =>
      void app.get(path, async (request, reply) => {
        const visitor = admit(request, reply);
        if (visitor === undefined) return reply;
        const visit = { visitor, query: queryOf(request), fields: NO_FIELDS };
        const text = await read(visit);
        reply.header('content-disposition', `attachment; filename="${name}"`);
        return reply.type(type).send(text);
      }),
    data: (path, read) =>
      void app.get(path, async (request, reply) => {
        if (visitorOf(request) === undefined) return reply.code(401).send({});
        return reply.send(read());
      }),
  };
}

const NO_FIELDS = new URLSearchParams();

function queryOf(request: FastifyRequest): URLSearchParams {
  return new URL(request.url, 'http://console.invalid').searchParams;
}

/** Read when the console starts, so that a page never waits for a disk. They hold nothing that is secret. */
function serveAssets(app: FastifyInstance): void {
  const own = (name: string): Buffer => readFileSync(new URL(`./assets/${name}`, import.meta.url));
  const ofPlots = (name: string): Buffer =>
    readFileSync(new URL(name, import.meta.resolve('uplot')));
  const assets = [
    {
      path: '/assets/console.js',
      type: 'text/javascript; charset=utf-8',
      bytes: own('console.js'),
    },
    { path: '/assets/console.css', type: 'text/css; charset=utf-8', bytes: own('console.css') },
    { path: '/assets/icon.svg', type: 'image/svg+xml', bytes: own('icon.svg') },
    {
      path: '/assets/uplot.js',
      type: 'text/javascript; charset=utf-8',
      bytes: ofPlots('uPlot.esm.js'),
    },
    { path: '/assets/uplot.css', type: 'text/css; charset=utf-8', bytes: ofPlots('uPlot.min.css') },
  ];
  for (const { path, type, bytes } of assets) {
    app.get(path, async (_request, reply) => reply.type(type).send(bytes));
  }
}
