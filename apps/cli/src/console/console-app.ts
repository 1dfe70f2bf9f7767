// The server of the console: what every request has to pass, and the frame that pages are put into.
import { readFileSync } from 'node:fs';
import { createRequestJudge } from '@tandem/core';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { UsageError } from '../usage-error.ts';
import { type Access, isSame } from './access.ts';
import { type Html, html } from './html.ts';
import { headHtml, layout, type NavLink } from './layout.ts';
import {
  type ConsoleRoutes,
  type ConsoleTools,
  Elsewhere,
  type PageOptions,
  type Visit,
} from './page.ts';
import { atRiskPage } from './pages/at-risk.ts';
import { auditPage } from './pages/audit.ts';
import { conflictsPage } from './pages/conflicts.ts';
import { deadLettersPage } from './pages/dead-letters.ts';
import { drillPage } from './pages/drill.ts';
import { historyPage } from './pages/history.ts';
import { longRunPages } from './pages/long-run.ts';
import { overviewPage } from './pages/overview.ts';
import { recoveryPage } from './pages/recovery.ts';
import { settingsPage } from './pages/settings.ts';
import { tablesPage } from './pages/tables.ts';

export interface ConsoleAppOptions extends ConsoleTools {
  readonly access: Access;
  readonly allowedHosts: readonly string[];
  readonly onFault: (error: unknown) => void;
}

/** In the order of the navigation. */
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

const HTML_TYPE = 'text/html; charset=utf-8';

/** Builds the server, not yet listening. */
export function createConsoleApp(options: ConsoleAppOptions): FastifyInstance {
  const { access, allowedHosts, onFault, clock } = options;
  const judge = createRequestJudge(allowedHosts);
  // What is asked for is nobody's business: no request is logged.
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { requireHostHeader: false },
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  app.addHook('onRequest', async ({ method, raw }, reply) => {
    reply.headers(HEADERS);
    const { url: target = '/', rawHeaders } = raw;
    const verdict = judge({ method, target, rawHeaders });
    if (verdict.kind === 'taken') return undefined;
    return reply.code(403).type('text/plain; charset=utf-8').send(`${verdict.why}\n`);
  });
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
  app.setNotFoundHandler((_request, reply) =>
    sendNote(reply, 404, {
      title: 'There is no such page',
      text: 'The address is mistyped, or of another version.',
    }),
  );
  serveAssets(app);
  serveEntrance(app, access);
  serveLeave(app, access);
  const routes = createRoutes(app, { access, clock });
  for (const add of PAGES) add(routes, options);
  return app;
}

function createRoutes(
  app: FastifyInstance,
  { access, clock }: Pick<ConsoleAppOptions, 'access' | 'clock'>,
): ConsoleRoutes {
  const show = async (
    reply: FastifyReply,
    { path, links: under = path, title, refreshMs, render }: PageOptions,
    visit: Visit,
  ): Promise<FastifyReply> => {
    const content = await render(visit);
    if (content instanceof Elsewhere) return reply.redirect(content.path, 303);
    const { person, formToken } = visit.visitor;
    const nowMs = clock.nowMs();
    return reply.type(HTML_TYPE).send(
      String(
        layout({
          title,
          path: under,
          links: LINKS,
          person,
          formToken,
          nowMs,
          content,
          refreshMs,
        }),
      ),
    );
  };
  return {
    page: (options) =>
      void app.get(options.path, async (request, reply) => {
        const visitor = access.find(cookieOf(request));
        if (visitor === undefined) return reply.redirect('/enter', 303);
        return show(reply, options, { visitor, query: queryOf(request), fields: NO_FIELDS });
      }),
    form: (options) =>
      void app.post(options.path, async (request, reply) => {
        const visitor = access.find(cookieOf(request));
        if (visitor === undefined) return reply.redirect('/enter', 303);
        const fields = fieldsOf(request);
        if (!isSame(fields.get('formToken') ?? '', visitor.formToken)) return refuseForm(reply);
        return show(reply, options, { visitor, query: queryOf(request), fields });
      }),
    download: ({ path, name, type, read }) =>
      void app.get(path, async (request, reply) => {
        const visitor = access.find(cookieOf(request));
        if (visitor === undefined) return reply.redirect('/enter', 303);
        const visit = { visitor, query: queryOf(request), fields: NO_FIELDS };
        const text = await read(visit);
        reply.header('content-disposition', `attachment; filename="${name}"`);
        return reply.type(type).send(text);
      }),
    data: (path, read) =>
      void app.get(path, async (request, reply) => {
        if (access.find(cookieOf(request)) === undefined) return reply.code(401).send({});
        return reply.send(read());
      }),
  };
}

const NO_FIELDS = new URLSearchParams();

function queryOf(request: FastifyRequest): URLSearchParams {
  return new URL(request.url, 'http://console.invalid').searchParams;
}

function fieldsOf({ body }: FastifyRequest): URLSearchParams {
  return body instanceof URLSearchParams ? body : NO_FIELDS;
}

/** Cookies of one host are shared by all its ports, so each console has its own. */
function cookieName(request: FastifyRequest): string {
  return `tandem-console-${request.socket.localPort ?? 0}`;
}

function cookieOf(request: FastifyRequest): string | undefined {
  const name = `${cookieName(request)}=`;
  const found = (request.headers.cookie ?? '').split(/; */).find((one) => one.startsWith(name));
  return found?.slice(name.length);
}

/** The code is in the fragment of the link: the script puts it into the form, or a person pastes it. */
function serveEntrance(app: FastifyInstance, access: Access): void {
  app.get('/enter', async (_request, reply) => sendEntrance(reply, 200));
  app.post('/enter', async (request, reply) => {
    const cookie = access.enter(fieldsOf(request).get('code')?.trim() ?? '');
    if (cookie === undefined) return sendEntrance(reply, 403);
    reply.header(
      'set-cookie',
      `${cookieName(request)}=${cookie}; Path=/; HttpOnly; SameSite=Strict`,
    );
    return reply.redirect('/', 303);
  });
}

function sendEntrance(reply: FastifyReply, status: 200 | 403): FastifyReply {
  const note =
    status === 200
      ? html`<p>The terminal that the console was started in shows a link. Each opens it once.</p>`
      : html`<p role="alert"><strong>This link was used already, or is an old one.</strong> The terminal shows the newest.</p>`;
  return reply
    .code(status)
    .type(HTML_TYPE)
    .send(
      String(
        bare(
          'Open the console',
          html`${note}
<form method="post" action="/enter" id="enter" autocomplete="off">
<label for="code">Code, the part of the link behind #</label>
<input id="code" name="code" type="password" required autocomplete="off">
<button>Open</button>
</form>`,
        ),
      ),
    );
}

function serveLeave(app: FastifyInstance, access: Access): void {
  app.post('/leave', async (request, reply) => {
    const cookie = cookieOf(request);
    const visitor = access.find(cookie);
    if (visitor === undefined) return reply.redirect('/enter', 303);
    if (!isSame(fieldsOf(request).get('formToken') ?? '', visitor.formToken))
      return refuseForm(reply);
    access.leave(cookie);
    return reply.redirect('/enter', 303);
  });
}

function refuseForm(reply: FastifyReply): FastifyReply {
  return sendNote(reply, 403, {
    title: 'This form is an old one',
    text: 'It was not sent by a page of this visit. Open the page anew and press the button again: nothing was done.',
  });
}

function sendNote(
  reply: FastifyReply,
  status: number,
  { title, text }: { readonly title: string; readonly text: string },
): FastifyReply {
  const content = html`<p>${text}</p><p><a href="/">To the regions</a></p>`;
  return reply
    .code(status)
    .type(HTML_TYPE)
    .send(String(bare(title, content)));
}

/** A page for who has not entered, or for what went wrong. */
function bare(title: string, content: Html): Html {
  return html`${headHtml(title)}</head>
<body>
<main id="content" class="bare"><h1>${title}</h1>
${content}
</main>
</body>
</html>
`;
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
