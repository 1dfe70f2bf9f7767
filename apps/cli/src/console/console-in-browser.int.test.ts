import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBarriers, hasBrowser, openBrowser, openPage } from '../testing/browser.ts';
import { type OpenedConsole, openConsole } from '../testing/open-console.ts';

/** Where pictures of the pages are kept, when they are wanted. */
const PICTURES = process.env['CONSOLE_PICTURES'];
const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

const SIGHTS = [
  { name: 'light', scheme: 'light', width: 1280 },
  { name: 'dark', scheme: 'dark', width: 1280 },
  { name: 'phone', scheme: 'light', width: 390 },
] as const;

describe.runIf(hasBrowser())('the console in a browser', () => {
  let browser: Browser;
  let opened: OpenedConsole;
  let origin: string;

  beforeAll(async () => {
    browser = await openBrowser();
    opened = await openConsole({ countMessages: async () => ({ waiting: 12, deadLettered: 3 }) });
    const { regions } = opened.harness;
    regions.bus.setDown('west', true);
    await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
    await opened.look();
    await regions.clock.advance(5_000);
    await opened.look();
    origin = await opened.app.listen({ host: '127.0.0.1', port: 0 });
  });

  afterAll(async () => {
    await browser.close();
    opened.app.server.closeAllConnections();
    await opened.app.close();
  });

  const enter = async (page: Page): Promise<void> => {
    await page.goto(`${origin}/enter#${opened.access.code()}`);
    await page.waitForSelector('#verdict');
  };

  test('is opened by its link alone, once, and the code is gone from the address', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(origin);
    expect(page.url()).toBe(`${origin}/enter`);
    expect(await findBarriers(page)).toEqual([]);
    const link = `${origin}/enter#${opened.access.code()}`;
    await page.goto(link);
    await page.waitForSelector('#verdict');
    expect(page.url()).toBe(`${origin}/`);
    const other = await openPage(browser);
    await other.page.goto(link);
    await other.page.waitForSelector('[role=alert]');
    expect(await other.page.$eval('main', ({ textContent }) => textContent)).toContain(
      'used already',
    );
    expect(complaints).toEqual([]);
    // The answer to a code that is used up is an error to the browser.
    expect(other.complaints).toEqual([expect.stringContaining('403')]);
  });

  test.each(SIGHTS)('shows the first screen whole: $name', async ({ name, scheme, width }) => {
    const { page, complaints } = await openPage(browser);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.setViewport({ width, height: 900 });
    await enter(page);
    await page.waitForSelector('[data-plot="risk"] canvas');
    const owed = await page.$eval('#region-east [data-figure=owed]', (dd) => dd.textContent);
    expect(owed).toBe('1 change');
    expect(await findBarriers(page)).toEqual([]);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
    if (PICTURES === undefined) return;
    await mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `regions-${name}.png`), fullPage: true });
  });

  test('takes over what changed without being opened anew', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    const { regions } = opened.harness;
    await regions.drive(regions.east.table.put(ID.replace(/1$/, '2'), { email: 'b@example.com' }));
    await opened.look();
    await page.waitForFunction(
      `document.querySelector('#region-east [data-figure=owed]').textContent === '2 changes'`,
    );
    expect(complaints).toEqual([]);
  });

  test('is whole without its script', async () => {
    const { page } = await openPage(browser);
    await page.setJavaScriptEnabled(false);
    await page.goto(`${origin}/enter`);
    await page.type('#code', opened.access.code());
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    expect(await page.$eval('#region-west', ({ textContent }) => textContent)).toContain(
      'At risk now',
    );
  });
});
