/**
 * How a person comes in and goes out: by the link of a terminal, or by an identity provider; and what is said to who
 * may not go on, in the place where he is.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isSame, type LinkAccess } from './access.ts';
import { type Html, html } from './html.ts';
import { headHtml } from './layout.ts';
import { type SignInAccess, SignInFault } from './sign-in.ts';

type Access = LinkAccess | SignInAccess;

export const HTML_TYPE = 'text/html; charset=utf-8';

/** What no page of another place can set: browsers take it by https alone, for this very name. */
const SIGNED_IN = '__Host-tandem-console';
const SIGNING_IN = '__Host-tandem-sign-in';
/** Holds the form token of the visit that was left: no page of another place can sign a person out. */
const LEFT = '__Host-tandem-left';

/** Returns the name of the cookie of a visit. Cookies of one host are shared by all its ports, so each console has its own. */
export function visitCookie(request: FastifyRequest, { kind }: Access): string {
  return kind === 'sign-in' ? SIGNED_IN : `tandem-console-${request.socket.localPort ?? 0}`;
}

export function cookieOf(request: FastifyRequest, name: string): string | undefined {
  const start = `${name}=`;
  const found = (request.headers.cookie ?? '').split(/; */).find((one) => one.startsWith(start));
  return found?.slice(start.length);
}

export function fieldsOf({ body }: FastifyRequest): URLSearchParams {
  return body instanceof URLSearchParams ? body : new URLSearchParams();
}

export function serveEntrance(app: FastifyInstance, access: Access): void {
  if (access.kind === 'link') serveLinkEntrance(app, access);
  else serveSignIn(app, access);
  app.post('/leave', async (request, reply) => {
    const name = visitCookie(request, access);
    const cookie = cookieOf(request, name);
    const visitor = access.visits.find(cookie);
    if (visitor === undefined) return reply.redirect('/enter', 303);
    if (!isSame(fieldsOf(request).get('formToken') ?? '', visitor.formToken))
      return refuseForm(reply);
    access.visits.end(cookie);
    if (access.kind === 'link') return reply.redirect('/enter', 303);
    reply.header('set-cookie', [
      `${name}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict`,
      `${LEFT}=${visitor.formToken}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Strict`,
    ]);
    return reply.redirect('/left', 303);
  });
}

/** The code is in the fragment of the link: the script puts it into the form, or a person pastes it. */
function serveLinkEntrance(app: FastifyInstance, access: LinkAccess): void {
  app.get('/enter', async (_request, reply) => sendEntrance(reply, 200));
  app.post('/enter', async (request, reply) => {
    const cookie = access.enter(fieldsOf(request).get('code')?.trim() ?? '');
    if (cookie === undefined) return sendEntrance(reply, 403);
    reply.header(
      'set-cookie',
      `${visitCookie(request, access)}=${cookie}; Path=/; HttpOnly; SameSite=Strict`,
    );
    return reply.redirect('/', 303);
  });
}

function sendEntrance(reply: FastifyReply, status: 200 | 403): FastifyReply {
  const note =
    status === 200
      ? html`<p>The terminal that the console was started in shows a link. Each opens it once.</p>`
      : html`<p role="alert"><strong>This link was used already, or is an old one.</strong> The terminal shows the newest.</p>`;
  const content = html`${note}
<form method="post" action="/enter" id="enter" autocomplete="off">
<label for="code">Code, the part of the link behind #</label>
<input id="code" name="code" type="password" required autocomplete="off">
<button>Open</button>
</form>`;
  return sendBare(reply, status, { title: 'Open the console', content });
}

function serveSignIn(app: FastifyInstance, access: SignInAccess): void {
  const isIn = (request: FastifyRequest): boolean =>
    access.visits.find(cookieOf(request, SIGNED_IN)) !== undefined;
  app.get('/enter', async (request, reply) =>
    sendBare(reply, 200, {
      title: 'Open the console',
      content: html`<p>Whoever has a role in this console signs in at ${access.issuer}.</p>${signInHtml(toOf(request))}`,
    }),
  );
  app.get('/sign-in', async (request, reply) => {
    const to = toOf(request);
    // Browsers do not send the cookie along a link of another site; it is here when the link is ours.
    if (isIn(request)) return reply.redirect(to, 303);
    try {
      const { url, cookie } = await access.begin(to);
      // Lax: the provider's page is of another site, and sends the browser back.
      const lax = `${SIGNING_IN}=${cookie}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax`;
      reply.header('set-cookie', lax);
      return await reply.redirect(url, 303);
    } catch (error) {
      return sendFault(reply, error);
    }
  });
  app.get('/signed-in', async (request, reply) => {
    const over = `${SIGNING_IN}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax`;
    try {
      const { search } = new URL(request.url, access.origin);
      const { cookie, to } = await access.finish(search, cookieOf(request, SIGNING_IN));
      // Shown here by a provider of our own site alone; elsewhere the bound on visits of one person ends the old ones.
      access.visits.end(cookieOf(request, SIGNED_IN));
      const strict = `${SIGNED_IN}=${cookie}; Path=/; HttpOnly; Secure; SameSite=Strict`;
      reply.header('set-cookie', [over, strict]);
      return sendOnward(reply, to);
    } catch (error) {
      // What was begun goes on: it may be of another tab, and whoever links here has not seen its state.
      return sendFault(reply, error);
    }
  });
  app.get('/left', async (request, reply) => {
    const formToken = cookieOf(request, LEFT) ?? '';
    const signOut = `/sign-out?${new URLSearchParams({ formToken }).toString()}`;
    return sendBare(reply, 200, {
      title: 'You have left',
      content: html`<p>The console knows you no more; what you began goes on. ${access.issuer} may: it lets you in again unasked until you sign out there.</p>
${formToken !== '' && html`<p><a href="${signOut}">Sign out there too</a></p>`}${signInHtml('/')}`,
    });
  });
  app.get('/sign-out', async (request, reply) => {
    const formToken = cookieOf(request, LEFT) ?? '';
    const given = new URL(request.url, access.origin).searchParams.get('formToken') ?? '';
    if (formToken === '' || !isSame(given, formToken)) return refuseForm(reply);
    try {
      return await reply.redirect((await access.leaveUrl()) ?? '/enter', 303);
    } catch (error) {
      return sendFault(reply, error);
    }
  });
}

/** By a page of ours: a strict cookie does not go along when the provider's page sends the browser on. */
function sendOnward(reply: FastifyReply, to: string): FastifyReply {
  const page = html`${headHtml('Signed in')}<meta http-equiv="refresh" content="${`0; url=${to}`}">
</head>
<body>
<main id="content" class="bare"><h1>Signed in</h1>
<p><a href="${to}">To the console</a></p>
</main>
</body>
</html>
`;
  return reply.type(HTML_TYPE).send(String(page));
}

function sendFault(reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof SignInFault)) throw error;
  return sendBare(reply, error.status, {
    title: 'You are not signed in',
    content: html`<p role="alert">${error.message}</p>${signInHtml('/')}`,
  });
}

function signInHtml(to: string): Html {
  return html`<p><a href="${`/sign-in?${new URLSearchParams({ to }).toString()}`}" class="button">Sign in</a></p>`;
}

function toOf({ url }: FastifyRequest): string {
  const to = new URL(url, 'http://console.invalid').searchParams.get('to') ?? '/';
  return isOwnPath(to) ? to : '/';
}

/** An address that browsers read as one of ours, however it is written: nobody is sent to another place. */
function isOwnPath(path: string): boolean {
  return /^\/(?![/\\])[\w\-./?&=%+~:,@]*$/.test(path) && path.length <= PATH_LENGTH_MAX;
}

const PATH_LENGTH_MAX = 2_000;

/** Returns where who is not in is sent, and finds his way back from. */
export function entrancePath({ kind }: Access, url: string): string {
  if (kind === 'link' || url === '/' || !isOwnPath(url)) return '/enter';
  return `/enter?${new URLSearchParams({ to: url }).toString()}`;
}

/** Says to who pressed a button that his visit is over, and how to go on. */
export function sendEnded(reply: FastifyReply, access: Access, back: string): FastifyReply {
  if (access.kind === 'link') return reply.redirect('/enter', 303);
  return sendBare(reply, 401, {
    title: 'Your visit has ended',
    content: html`<p role="alert">Nothing was done: it lasts as long as your token, an hour at the most. Sign in again and press the button again. What was begun before goes on.</p>${signInHtml(back)}`,
  });
}

export function refuseForm(reply: FastifyReply): FastifyReply {
  return sendNote(reply, 403, {
    title: 'This form is an old one',
    text: 'It was not sent by a page of this visit. Open the page anew and press the button again: nothing was done.',
  });
}

export function refuseRole(reply: FastifyReply, missing: string): FastifyReply {
  return sendNote(reply, 403, {
    title: 'You may not do this',
    text: `${missing} Nothing was done.`,
  });
}

export function sendNote(
  reply: FastifyReply,
  status: number,
  { title, text }: { readonly title: string; readonly text: string },
): FastifyReply {
  const content = html`<p>${text}</p><p><a href="/">To the regions</a></p>`;
  return sendBare(reply, status, { title, content });
}

/** A page for who has not entered, or for what went wrong. */
function sendBare(
  reply: FastifyReply,
  status: number,
  { title, content }: { readonly title: string; readonly content: Html },
): FastifyReply {
  const page = html`${headHtml(title)}</head>
<body>
<main id="content" class="bare"><h1>${title}</h1>
${content}
</main>
</body>
</html>
`;
  return reply.code(status).type(HTML_TYPE).send(String(page));
}
