import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  findBarriers,
  hasBrowser,
  keepPicture,
  openBrowser,
  openPage,
  untilReads,
} from '../testing/browser.ts';
import {
  type Account,
  type IdentityProvider,
  signInSettings,
  startIdentityProvider,
} from '../testing/identity-provider.ts';
import {
  freePort,
  type OpenedConsole,
  openConsole,
  removeConsoles,
} from '../testing/open-console.ts';
import { createSignIn } from './sign-in.ts';

afterAll(removeConsoles);

describe.runIf(hasBrowser())('a console behind an identity provider, in a browser', () => {
  const accounts = new Map<string, Account>([
    ['ada', { email: 'ada@example.com', roles: ['tandem.operate'] }],
    ['vic', { email: 'vic@example.com', roles: ['tandem.view'] }],
  ]);
  let browser: Browser;
  let provider: IdentityProvider;
  let opened: OpenedConsole;
  let origin: string;
  const time = { aheadMs: 0 };

  beforeAll(async () => {
    browser = await openBrowser();
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    provider = await startIdentityProvider(origin, accounts);
    const signIn = createSignIn({
      settings: signInSettings({ issuer: provider.issuer, origin }),
      clock: { nowMs: () => Date.now() + time.aheadMs },
      onFault: () => undefined,
    });
    opened = await openConsole({}, undefined, { signIn });
    await opened.look();
    await opened.app.listen({ host: '127.0.0.1', port });
  });

  afterAll(async () => {
    await browser.close();
    opened.app.server.closeAllConnections();
    await Promise.all([opened.app.close(), provider.stop()]);
  });

  const press = (page: Page, button: string): Promise<unknown> =>
    Promise.all([page.waitForNavigation(), page.click(button)]);
  const textOf = (page: Page): Promise<string> => page.$eval('body', ({ innerText }) => innerText);

  /** From a page that asks for it to the page that was wanted, by the pages of the provider. */
  const signIn = async (page: Page, login: string): Promise<void> => {
    await press(page, 'main a.button');
    await page.type('[name=login]', login);
    await page.type('[name=password]', 'x');
    await press(page, '[type=submit]');
    await page.click('[type=submit]');
    await page.waitForSelector('header.bar');
  };

  test('is entered by signing in, which leads to the page that was wanted; one act is done and written down', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(`${origin}/settings?region=east`);
    expect(new URL(page.url()).pathname).toBe('/enter');
    expect(await findBarriers(page)).toEqual([]);
    await keepPicture(page, 'sign-in');
    expect(complaints).toEqual([]);
    await signIn(page, 'ada');
    // What the provider's pages complain of is theirs.
    const before = complaints.length;
    expect(page.url()).toBe(`${origin}/settings?region=east`);
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.select('#setting', 'Tombstone.AgeMs');
    await page.type('#value', '8640000000');
    await press(page, 'main form.choice[action="/settings/set"] button');
    await page.type('#typed', 'east');
    await press(page, 'main form.confirm button');
    expect(await textOf(page)).toContain('Set Tombstone.AgeMs in east');
    await page.goto(`${origin}/audit`);
    expect(await textOf(page)).toContain('ada@example.com (ada)');
    // Its token ends while a tab sleeps: awake again it says so, and that what it shows is old.
    await page.goto(`${origin}/`);
    time.aheadMs = 3_600_001;
    await untilReads(page, '#stale', /This visit has ended, and all figures are old/);
    time.aheadMs = 0;
    await page.goto(`${origin}/`);
    await press(page, 'main a.button');
    await page.waitForSelector('header.bar');
    // It ends between two questions: the next press does nothing, and leads back to where it was pressed.
    await page.goto(`${origin}/recovery`);
    time.aheadMs = 3_600_001;
    await press(page, 'main form:has(input[value="verify"]) button');
    expect(await textOf(page)).toContain('Nothing was done');
    time.aheadMs = 0;
    await press(page, 'main a.button');
    await page.waitForSelector('header.bar');
    expect(new URL(page.url()).pathname).toBe('/recovery');
    expect(await opened.runs.list()).toEqual([]);
    await press(page, 'header.bar form.who button');
    expect(await textOf(page)).toContain('You have left');
    await page.goto(`${origin}/`);
    expect(new URL(page.url()).pathname).toBe('/enter');
    // The answer to a visit that is over is an error to the browser, each time that a page asks for new figures meanwhile.
    const told = complaints.slice(before);
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((one) => !one.includes('401'))).toEqual([]);
  });

  test('says to who may only look why nothing can be pressed', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(`${origin}/recovery`);
    await signIn(page, 'vic');
    const before = complaints.length;
    expect(await page.$$('main button:not([disabled])')).toEqual([]);
    expect(await textOf(page)).toContain('It takes the role operate, which you do not have.');
    expect(await findBarriers(page)).toEqual([]);
    await keepPicture(page, 'role-view');
    expect(complaints.slice(before)).toEqual([]);
  });

  test('takes no form of a page of another site, though the person is signed in', async () => {
    const { page } = await openPage(browser);
    await page.goto(origin);
    await signIn(page, 'ada');
    await page.goto(`${provider.issuer}/.well-known/openid-configuration`);
    const [answer] = await Promise.all([
      page.waitForNavigation(),
      page.evaluate(`document.body.innerHTML = '<form method="post" action="${origin}/settings/set"></form>';
        document.forms[0].submit()`),
    ]);
    expect(answer?.status()).toBe(403);
    // The cookie does not go along a link of another site either, and is there again for a link of ours.
    await page.goto(`${provider.issuer}/.well-known/openid-configuration`);
    await Promise.all([
      page.waitForNavigation(),
      page.evaluate(`location.href = '${origin}/audit'`),
    ]);
    expect(new URL(page.url()).pathname).toBe('/enter');
    await press(page, 'main a.button');
    await page.waitForSelector('header.bar');
    expect(new URL(page.url()).pathname).toBe('/audit');
  });
});
