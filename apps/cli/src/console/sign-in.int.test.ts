import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runProgram } from '../program.ts';
import { createCliHarness } from '../testing/cli-harness.ts';
import {
  type IdentityProvider,
  type Lie,
  type LyingProvider,
  signInSettings,
  startIdentityProvider,
  startLyingProvider,
} from '../testing/identity-provider.ts';
import { openConsole, removeConsoles, textOf } from '../testing/open-console.ts';
import { createSignIn, readSignInSettings, type SignInSettings } from './sign-in.ts';

afterAll(removeConsoles);

const HOST = 'console.example.com';
const MS_PER_S = 1_000;
const nowS = (): number => Math.floor(Date.now() / MS_PER_S);

/** A browser before a console: it keeps cookies, and sends those of ours only. */
async function openBrowser(settings: SignInSettings) {
  const time = { aheadMs: 0 };
  const faults: string[] = [];
  const signIn = createSignIn({
    settings,
    clock: { nowMs: () => Date.now() + time.aheadMs },
    onFault: (why) => void faults.push(why),
  });
  const { app } = await openConsole({}, undefined, { signIn });
  const jar = new Map<string, string>();
  const ask = async (url: string, fields?: Readonly<Record<string, string>>) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { host: HOST, cookie };
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const payload = new URLSearchParams(fields).toString();
    const answer = await app.inject(
      fields === undefined
        ? { url, headers }
        : { method: 'POST', url, headers: { ...headers, ...type }, payload },
    );
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  const get = (url: string) => ask(url);
  return {
    get,
    /** Leaves, and returns the page that it leads to. */
    async leave() {
      const formToken = /name="formToken" value="([^"]+)"/.exec((await get('/')).body)?.[1] ?? '';
      const { headers } = await ask('/leave', { formToken });
      return (await get(String(headers.location))).body;
    },
    bring: (answer: URLSearchParams) => get(`/signed-in?${answer.toString()}`),
    jar,
    time,
    faults,
    begin: async (to = '/') => {
      const { headers } = await get(`/sign-in?${new URLSearchParams({ to }).toString()}`);
      return String(headers.location);
    },
    isIn: async () => (await get('/')).statusCode === 200,
  };
}

describe('G7: a console behind an identity provider', () => {
  let provider: LyingProvider;

  beforeEach(async () => {
    provider = await startLyingProvider();
  });

  afterEach(async () => {
    await provider.stop();
  });

  const open = (own: Partial<SignInSettings> = {}) =>
    openBrowser(signInSettings({ issuer: provider.issuer, ...own }));

  test('lets in whom it names, where he wanted to go, by a cookie that no other page gets', async () => {
    const { get, begin, isIn, bring } = await open();
    const url = new URL(await begin('/drill'));
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      redirect_uri: `https://${HOST}/signed-in`,
      code_challenge_method: 'S256',
    });
    const { statusCode, headers, body } = await bring(provider.answer(url.href));
    expect(statusCode).toBe(200);
    expect([headers['set-cookie']].flat().at(-1)).toMatch(
      /^__Host-tandem-console=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    expect(body).toContain('content="0; url=/drill"');
    expect(await isIn()).toBe(true);
    expect(textOf((await get('/')).body)).toContain('ada@example.com (ada) view, operate');
  });

  const LIES: readonly (readonly [string, Lie])[] = [
    ['of another issuer', { claims: { iss: 'https://evil.example' } }],
    ['for another client', { claims: { aud: 'another' } }],
    [
      'for us among others, and used by another',
      { claims: { aud: ['tandem-console', 'x'], azp: 'x' } },
    ],
    ['that is over', { claims: { exp: nowS() - 120, iat: nowS() - 600 } }],
    ['without an end', { claims: { exp: undefined } }],
    ['with another nonce', { claims: { nonce: 'another' } }],
    ['without a nonce', { claims: { nonce: undefined } }],
    ['without a subject', { claims: { sub: undefined } }],
    ['with a subject that would break a line', { claims: { sub: 'ada\nbert' } }],
    ['of a key that nobody knows', { header: { kid: 'nobody' } }],
    ['whose signature is another', { isForged: true }],
    [
      'that is none',
      { answer: { status: 200, body: '{"access_token":"x","token_type":"Bearer"}' } },
    ],
    ['that is garbage', { answer: { status: 200, body: '<html>' } }],
    ['that comes with an error', { answer: { status: 500, body: '<html>' } }],
    ['without a role', { claims: { roles: [] } }],
    ['with a role that begins alike', { claims: { roles: ['tandem.viewer', 'TANDEM.VIEW'] } }],
    ['with roles that are none', { claims: { roles: { 'tandem.view': true } } }],
  ];
  test.each(LIES)('lets nobody in by a token %s', async (_, lie) => {
    const { begin, isIn, jar, bring } = await open();
    const url = await begin();
    provider.lie(lie);
    const { statusCode, body } = await bring(provider.answer(url));
    expect(statusCode).toBeGreaterThanOrEqual(400);
    expect(body).toContain('You are not signed in');
    expect(body).not.toContain('evil.example');
    expect([...jar.keys()]).toEqual(['__Host-tandem-sign-in']);
    expect(await isIn()).toBe(false);
  });

  test.each([
    ['another state', { state: 'another' }],
    ['no state', { state: '' }],
    ['another code', { code: 'code-99' }],
    ['an answer of another issuer', { iss: 'https://evil.example' }],
    ['what the provider refused', { error: 'access_denied', code: '' }],
  ])('lets nobody in with %s', async (_, changed) => {
    const { begin, isIn, bring } = await open();
    const answer = provider.answer(await begin());
    for (const [name, value] of Object.entries(changed)) {
      if (value === '') answer.delete(name);
      else answer.set(name, value);
    }
    expect((await bring(answer)).statusCode).toBe(400);
    expect(await isIn()).toBe(false);
  });

  test('takes an answer once, and only from the browser that began', async () => {
    const mine = await open();
    const answer = provider.answer(await mine.begin());
    const begun = new Map(mine.jar);
    const stranger = await open();
    await stranger.begin();
    expect((await stranger.bring(answer)).statusCode).toBe(400);
    expect((await mine.bring(answer)).statusCode).toBe(200);
    expect(await mine.isIn()).toBe(true);
    expect((await mine.bring(answer)).statusCode).toBe(400);
    // Also for who has kept the cookie that it began with.
    mine.jar.clear();
    for (const [name, value] of begun) mine.jar.set(name, value);
    expect((await mine.bring(answer)).statusCode).toBe(400);
    expect(await mine.isIn()).toBe(false);
  });

  test('takes no answer to what was begun too long ago', async () => {
    const { begin, time, bring } = await open();
    const answer = provider.answer(await begin());
    time.aheadMs = 600_001;
    expect((await bring(answer)).statusCode).toBe(400);
  });

  test('gives a cookie of its own to who signs in: one that was planted, or had before, is worth nothing', async () => {
    const { begin, jar, isIn, bring } = await open();
    jar.set('__Host-tandem-console', 'planted');
    await bring(provider.answer(await begin()));
    const first = jar.get('__Host-tandem-console') ?? '';
    expect(first).not.toBe('planted');
    jar.clear();
    const url = await begin();
    jar.set('__Host-tandem-console', first);
    await bring(provider.answer(url));
    expect(await isIn()).toBe(true);
    jar.set('__Host-tandem-console', first);
    expect(await isIn()).toBe(false);
  });

  test('knows a person no longer than the token, nor than an hour', async () => {
    const short = await open();
    provider.lie({ claims: { exp: nowS() + 60 } });
    await short.bring(provider.answer(await short.begin()));
    short.time.aheadMs = 50_000;
    expect(await short.isIn()).toBe(true);
    short.time.aheadMs = 61_000;
    expect(await short.isIn()).toBe(false);
    const long = await open();
    provider.lie({ claims: { exp: nowS() + 86_400 } });
    await long.bring(provider.answer(await long.begin()));
    long.time.aheadMs = 3_500_000;
    expect(await long.isIn()).toBe(true);
    long.time.aheadMs = 3_700_000;
    expect(await long.isIn()).toBe(false);
  });

  test('gives the roles of the newest token: one that was taken away is gone', async () => {
    const { get, begin, jar, bring } = await open({ rolesClaim: 'realm_access.roles' });
    const who = async (claims: object): Promise<string> => {
      jar.clear();
      provider.lie({ claims: { ...claims } });
      await bring(provider.answer(await begin()));
      return textOf((await get('/')).body);
    };
    const all = ['tandem.erase', 'tandem.operate'];
    expect(await who({ realm_access: { roles: all } })).toContain('ada@example.com (ada) Leave');
    expect(await who({ realm_access: { roles: ['tandem.view'] } })).toContain('(ada) view Leave');
    expect(await who({ 'realm_access.roles': 'tandem.erase x' })).toContain(
      '(ada) view, erase Leave',
    );
    const unproven = { realm_access: { roles: all }, email_verified: false };
    expect(await who(unproven)).not.toContain('ada@example.com');
  });

  test('says so while the provider is gone, and asks it again when it is back', async () => {
    const { get, time, faults } = await open({ issuer: 'http://127.0.0.1:9' });
    const { statusCode, body } = await get('/sign-in');
    expect(statusCode).toBe(503);
    expect(textOf(body)).toContain('does not answer as an OpenID Connect provider');
    await get('/sign-in');
    expect(faults).toHaveLength(1);
    time.aheadMs = 6_000;
    await get('/sign-in');
    expect(faults).toHaveLength(2);
  });

  test('signs out at the provider, too, for who has left and asks for it, and for no page of others', async () => {
    const { get, begin, bring, leave, jar } = await open();
    await bring(provider.answer(await begin()));
    expect((await get('/sign-out')).statusCode).toBe(403);
    const [, link = ''] = /href="(\/sign-out[^"]*)"/.exec(await leave()) ?? [];
    expect((await get('/sign-out')).statusCode).toBe(403);
    expect((await get('/sign-out?formToken=')).statusCode).toBe(403);
    const { headers } = await get(link);
    expect(headers.location).toContain('/end?');
    expect(headers.location).toContain(encodeURIComponent(`https://${HOST}/enter`));
    // A strict cookie does not come along a link of another site.
    jar.clear();
    expect((await get(link)).statusCode).toBe(403);
  });

  test.each([
    ['the audience', { claims: { aud: 'another' } }, '"aud"'],
    ['the nonce', { claims: { nonce: 'another' } }, '"nonce"'],
    ['the time', { claims: { exp: nowS() - 120, iat: nowS() - 600 } }, '"exp"'],
    ['the signature', { isForged: true }, 'signature verification failed'],
    ['the key', { header: { kid: 'nobody' } }, 'no applicable keys found'],
  ] as const)(
    'tells whoever operates it that %s of a token was wrong, and nothing of the token',
    async (_, lie, said) => {
      const { begin, bring, faults } = await open();
      const answer = provider.answer(await begin());
      provider.lie(lie);
      await bring(answer);
      expect(faults).toEqual([expect.stringContaining(said)]);
      for (const secret of ['ada', 'eyJ', answer.get('code') ?? '', answer.get('state') ?? '']) {
        expect(faults[0]).not.toContain(secret);
      }
    },
  );

  test('names who has no role by his subject in the log, and by no address', async () => {
    const { begin, bring, faults } = await open();
    const answer = provider.answer(await begin());
    provider.lie({ claims: { sub: 'subject-7', roles: [] } });
    expect((await bring(answer)).body).toContain('ada@example.com');
    expect(faults).toEqual([expect.stringContaining('Nobody was let in as subject-7')]);
    expect(faults[0]).not.toContain('ada@example.com');
  });

  test('tells nobody of what anyone can bring, and of failures one in some seconds', async () => {
    const { get, begin, bring, faults, time } = await open();
    await get('/signed-in?code=x&state=x');
    await begin();
    await get('/signed-in?code=x&state=x');
    expect(faults).toEqual([]);
    const fail = async () => {
      const answer = provider.answer(await begin());
      answer.set('code', 'wrong');
      await bring(answer);
    };
    for (const afterMs of [0, 0, 0, 6_000]) {
      time.aheadMs += afterMs;
      await fail();
    }
    expect(faults).toHaveLength(2);
    expect(faults[1]).toContain('(2 more before it were not told of.)');
  });

  test('asks the provider once for what a browser began, whatever it is sent', async () => {
    const { begin, bring, isIn } = await open();
    const answer = provider.answer(await begin());
    const wrong = new URLSearchParams(answer);
    wrong.set('code', 'wrong');
    expect((await bring(wrong)).statusCode).toBe(400);
    expect((await bring(answer)).statusCode).toBe(400);
    expect(await isIn()).toBe(false);
  });

  test('lets in by the tab that began last, whatever another tab or a link of another site brings before', async () => {
    const { get, begin, bring, isIn } = await open();
    const first = provider.answer(await begin());
    const second = provider.answer(await begin());
    expect((await bring(first)).statusCode).toBe(400);
    expect((await get('/signed-in?error=access_denied')).statusCode).toBe(400);
    expect((await bring(second)).statusCode).toBe(200);
    expect(await isIn()).toBe(true);
  });
});

describe('G7: Entra ID, of whose tenants one may sign in', () => {
  const ENTRA = 'https://login.microsoftonline.com';
  const own = `${ENTRA}/11111111-1111-4111-8111-111111111111/v2.0`;
  const foreign = `${ENTRA}/22222222-2222-4222-8222-222222222222/v2.0`;
  let provider: LyingProvider;

  beforeEach(async () => {
    provider = await startLyingProvider();
  });

  afterEach(async () => {
    vi.unstubAllGlobals();
    await provider.stop();
  });

  /** Has the provider answer under the name of Entra ID, for which the library looks less closely. */
  function serveAsEntra(issuer: string): void {
    const real = fetch;
    vi.stubGlobal('fetch', async (asked: string, options?: RequestInit) => {
      const url = asked
        .replace(/^https:\/\/login\.microsoftonline\.com\/[^/]+\/v2\.0/, provider.issuer)
        .replace(/^https:\/\/port-(\d+)\.test/, 'http://127.0.0.1:$1');
      const answer = await real(url, options);
      if (!url.includes('/.well-known/openid-configuration')) return answer;
      const said: unknown = JSON.parse(
        (await answer.text()).replaceAll(/http:\/\/127\.0\.0\.1:(\d+)/g, 'https://port-$1.test'),
      );
      return Response.json({ ...(said as object), issuer });
    });
  }

  /** Signs in as somebody whose token is of that issuer. */
  async function signInAs(iss: string) {
    const browser = await openBrowser(signInSettings({ issuer: own }));
    provider.lie({ claims: { iss, tid: iss.split('/')[3] } });
    const answer = provider.answer(await browser.begin());
    answer.set('iss', own);
    return { browser, statusCode: (await browser.bring(answer)).statusCode };
  }

  test('is served for the tenant that is named', async () => {
    serveAsEntra(own);
    const { browser, statusCode } = await signInAs(own);
    expect(statusCode).toBe(200);
    expect(await browser.isIn()).toBe(true);
  });

  test('lets in no token of another tenant', async () => {
    serveAsEntra(own);
    const { browser, statusCode } = await signInAs(foreign);
    expect(statusCode).toBe(400);
    expect(await browser.isIn()).toBe(false);
  });

  test('is not asked where its tokens may be of any tenant, and the remedy is named', async () => {
    serveAsEntra(`${ENTRA}/{tenantid}/v2.0`);
    const { get } = await openBrowser(signInSettings({ issuer: `${ENTRA}/any/v2.0` }));
    const { statusCode, body } = await get('/sign-in');
    expect(statusCode).toBe(503);
    expect(textOf(body)).toContain('until TANDEM_CONSOLE_ISSUER names one tenant, by its id');
  });
});

describe('oidc-provider', () => {
  let provider: IdentityProvider;

  afterEach(async () => {
    await provider.stop();
  });

  test('lets a person in with the roles that it has of him', async () => {
    const ada = { email: 'ada@example.com', roles: ['tandem.operate', 'other'] };
    provider = await startIdentityProvider(`https://${HOST}`, new Map([['subject-1', ada]]));
    const { get, begin } = await openBrowser(signInSettings({ issuer: provider.issuer }));
    const back = await signInThere(await begin('/audit'), 'subject-1');
    const { statusCode } = await get(`/signed-in${new URL(back).search}`);
    expect(statusCode).toBe(200);
    expect(textOf((await get('/audit')).body)).toContain(
      'ada@example.com (subject-1) view, operate',
    );
  });
});

/** Does at the provider what a person does in a browser, and returns where that is sent in the end. */
async function signInThere(url: string, login: string): Promise<string> {
  const jar = new Map<string, string>();
  let at = url;
  let form: Readonly<Record<string, string>> | undefined;
  for (let step = 0; step < 12 && !at.startsWith(`https://${HOST}`); step += 1) {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...jar].map((pair) => pair.join('=')).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    form = undefined;
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const location = response.headers.get('location');
    if (location !== null) at = new URL(location, at).href;
    else if ((await response.text()).includes('name="login"')) {
      form = { prompt: 'login', login, password: 'x' };
    } else form = { prompt: 'consent' };
  }
  return at;
}

describe('the settings of the sign-in', () => {
  const URL_ = 'https://console.example.com';
  const WHOLE = {
    TANDEM_CONSOLE_URL: URL_,
    TANDEM_CONSOLE_ISSUER: 'https://login.example.com',
    TANDEM_CONSOLE_CLIENT_ID: 'x',
  };

  test('are none where nothing is set, and whole with three', () => {
    expect(readSignInSettings({ TANDEM_CONSOLE_URL: ' ' })).toBeUndefined();
    expect(readSignInSettings(WHOLE)).toMatchObject({
      origin: URL_,
      clientSecret: undefined,
      rolesClaim: 'roles',
      roleNames: { view: 'tandem.view' },
    });
    // D2: as people paste them.
    const pasted = {
      ...WHOLE,
      TANDEM_CONSOLE_CLIENT_ID: '“x”\r\n',
      TANDEM_CONSOLE_URL: `\uFEFF${URL_}`,
    };
    expect(readSignInSettings(pasted)).toMatchObject({ origin: URL_, clientId: 'x' });
  });

  test.each([
    [{ TANDEM_CONSOLE_ISSUER: '' }, 'TANDEM_CONSOLE_ISSUER is not set'],
    [
      { TANDEM_CONSOLE_URL: '', TANDEM_CONSOLE_CLIENT_ID: '' },
      'TANDEM_CONSOLE_URL is not set. TANDEM_CONSOLE_CLIENT_ID is not set',
    ],
    [{ TANDEM_CONSOLE_URL: 'http://console.example.com' }, 'TANDEM_CONSOLE_URL must be'],
    [{ TANDEM_CONSOLE_URL: `${URL_}/console` }, 'TANDEM_CONSOLE_URL must be'],
    [{ TANDEM_CONSOLE_URL: 'console.example.com' }, 'TANDEM_CONSOLE_URL must be'],
    [{ TANDEM_CONSOLE_URL: 'https://ada:x@console.example.com' }, 'TANDEM_CONSOLE_URL must be'],
    [{ TANDEM_CONSOLE_ISSUER: 'http://login.example.com' }, 'TANDEM_CONSOLE_ISSUER must be'],
    [{ TANDEM_CONSOLE_CLIENT_ID: 'a\u200Bb' }, 'TANDEM_CONSOLE_CLIENT_ID holds a character'],
    [{ TANDEM_CONSOLE_ISSUER: 'ftp://localhost' }, 'TANDEM_CONSOLE_ISSUER must be'],
    [
      { TANDEM_CONSOLE_ISSUER: 'https://login.example.com/.well-known/openid-configuration' },
      'TANDEM_CONSOLE_ISSUER must be the issuer itself',
    ],
    [
      { TANDEM_CONSOLE_ISSUER: 'https://login.microsoftonline.com/common/v2.0' },
      'TANDEM_CONSOLE_ISSUER must name one tenant',
    ],
    [
      { TANDEM_CONSOLE_ISSUER: 'https://login.microsoftonline.com/organizations/v2.0' },
      'TANDEM_CONSOLE_ISSUER must name one tenant',
    ],
    [
      { TANDEM_CONSOLE_ISSUER: 'https://login.microsoftonline.com/Consumers/v2.0' },
      'TANDEM_CONSOLE_ISSUER must name one tenant',
    ],
  ])('are refused with %o, by name', (wrong, said) => {
    expect(() => readSignInSettings({ ...WHOLE, ...wrong })).toThrow(said);
  });

  test('are refused where only a role is named', () => {
    expect(() => readSignInSettings({ TANDEM_CONSOLE_VIEW_ROLE: 'x' })).toThrow(
      'TANDEM_CONSOLE_URL is not set. TANDEM_CONSOLE_ISSUER is not set. TANDEM_CONSOLE_CLIENT_ID is not set.',
    );
  });
});

describe('tandem console', () => {
  const start = async (environment: Readonly<Record<string, string>>, ...args: string[]) => {
    let said = '';
    const { io } = await createCliHarness();
    const own = io({ environment, err: (text) => void (said += text) });
    return { exitCode: await runProgram(['console', ...args], own), said };
  };

  test('does not let itself be reached by others whom it cannot ask who they are', async () => {
    const { exitCode, said } = await start({}, '--host', '0.0.0.0');
    expect(exitCode).toBe(2);
    expect(said).toContain('0.0.0.0 can be reached by others');
    expect(said).toContain('TANDEM_CONSOLE_ISSUER');
  });

  test('does not start over an inventory with a typo, and names the place and no value', async () => {
    const wrong = {
      TANDEM_REGIONS: '{"version":1,"regions":[{"name":"East","storage":"a secret"}]}',
    };
    const { exitCode, said } = await start(wrong, '--port', '0');
    expect(exitCode).toBe(2);
    expect(said).toContain('TANDEM_REGIONS is no inventory of regions: /regions/0/name');
    expect(said).not.toContain('a secret');
  });

  test('does not start with half of what a sign-in takes, and names the other', async () => {
    const half = { TANDEM_CONSOLE_URL: 'https://console.example.com' };
    const { exitCode, said } = await start(half);
    expect(exitCode).toBe(2);
    expect(said).toContain(
      'TANDEM_CONSOLE_ISSUER is not set. TANDEM_CONSOLE_CLIENT_ID is not set.',
    );
  });
});
