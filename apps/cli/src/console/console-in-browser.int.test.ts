import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBarriers, hasBrowser, openBrowser, openPage } from '../testing/browser.ts';
import { createCliHarness } from '../testing/cli-harness.ts';
import {
  createClientTable,
  createGate,
  type Gate,
  type OpenedConsole,
  openConsole,
} from '../testing/open-console.ts';

/** Where pictures of the pages are kept, when they are wanted. */
const PICTURES = process.env['CONSOLE_PICTURES'];
const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

const OTHER_ID = ID.replace(/1$/, '7');
const DEAD_ID = ID.replace(/1$/, '8');
const HOSTILE = `<script>alert(1)</script>\u202E'"${'x'.repeat(120)}`;

const SIGHTS = [
  { name: 'light', scheme: 'light', width: 1280 },
  { name: 'dark', scheme: 'dark', width: 1280 },
  { name: 'phone', scheme: 'light', width: 390 },
] as const;

describe.runIf(hasBrowser())('the console in a browser', () => {
  let browser: Browser;
  let opened: OpenedConsole;
  let gate: Gate;
  let origin: string;

  beforeAll(async () => {
    browser = await openBrowser();
    const harness = await createCliHarness();
    gate = createGate(harness);
    const countMessages = async () => ({ waiting: 12, deadLettered: 3 });
    opened = await openConsole({ countMessages, ...gate.io }, harness, { gate });
    const { regions } = harness;
    await regions.east.table.put(OTHER_ID, { email: 'base@example.com', lastName: 'Lovelace' });
    await regions.settle();
    await regions.east.table.patch(OTHER_ID, { lastName: HOSTILE });
    await regions.clock.advance(5);
    await regions.west.table.patch(OTHER_ID, { lastName: 'Byron' });
    await regions.settle();
    await regions.drive(regions.east.table.put(DEAD_ID, { email: 'c@example.com' }));
    await regions.drive(regions.east.replicator.sweepOnce());
    const viewer = regions.bus.viewerFor('west');
    const [first] = await viewer.peek('messages', 0n, 1);
    await viewer.setAside(new Set(first === undefined ? [] : [first.sequenceNumber]));
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
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
    await keepPicture(page, `regions-${name}`);
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

  test('has no barrier and no complaint on any page, on a phone too', async () => {
    await createClientTable(opened.harness, 'Orders');
    const { page, complaints } = await openPage(browser);
    await enter(page);
    for (const [name, path] of [
      ['at-risk', '/at-risk?region=east'],
      ['conflicts', '/conflicts?region=east'],
      ['dead-letters', '/dead-letters?region=west'],
      ['history', '/history'],
      ['tables', '/tables?region=east'],
      ['table', '/tables?region=east&table=Orders'],
      ['recovery', '/recovery'],
      ['drill', '/drill'],
      ['settings', '/settings?region=east'],
      ['audit', '/audit'],
    ] as const) {
      await check(page, { name, open: () => page.goto(`${origin}${path}`) });
    }
    expect(complaints).toEqual([]);
  });

  test('restores a conflict by hand: the values, the difference, the act', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/conflicts?region=east`);
    const press = (button: string): Promise<unknown> =>
      Promise.all([page.waitForNavigation(), page.click(button)]);
    await press('main form[action="/conflicts/show"] button');
    expect(await textOf(page)).toContain('<script>alert(1)</script>\\u202e');
    await check(page, { name: 'conflict', open: async () => undefined });
    await press('main form[action="/conflicts/restore"] button');
    expect(await textOf(page)).toContain(`Would set lastName of ${OTHER_ID}.`);
    await keepPicture(page, 'restore');
    await press('main form.confirm button');
    expect(await textOf(page)).toContain(`Set lastName of ${OTHER_ID}; every region gets it.`);
    expect(page.url()).toBe(`${origin}/conflicts/restore`);
    await page.goto(`${origin}/audit`);
    expect(await textOf(page)).toContain('tandem conflicts restore');
    expect(complaints).toEqual([]);
  });

  test('shows a rebuild live: its plan, how far it is, stopped in the middle, and taken up again', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/recovery`);
    await page.select('#region', 'west');
    const plan = 'main form:has(input[value="rebuild"]) button';
    await Promise.all([page.waitForNavigation(), page.click(plan)]);
    await page.waitForSelector('#typed');
    expect(await textOf(page)).toContain('Would hold west');
    await check(page, { name: 'rebuild-plan', open: async () => undefined });
    // Stopped in the middle, and taken up again: what it says changes without the page being opened anew.
    gate.shutAfter(3);
    const press = (button: string): Promise<unknown> =>
      Promise.all([page.waitForNavigation(), page.click(button)]);
    await page.type('#typed', 'west');
    await press('main form.confirm button');
    await gate.reached();
    const { pathname, search } = new URL(page.url());
    expect(pathname).toBe('/recovery/run');
    await check(page, { name: 'rebuild-running', open: async () => undefined });
    await press('main form[action="/recovery/cancel"] button');
    gate.open();
    await page.waitForSelector('#run form[action="/recovery/again"]');
    expect(await textOf(page)).toContain('Stopped');
    expect(new URL(page.url()).search).toBe(search);
    await page.type('#typed', 'west');
    await press('main form[action="/recovery/again"] button');
    await page.waitForFunction(
      `/Done|Found something/.test(document.getElementById('run').innerText)`,
    );
    expect(await textOf(page)).toContain('tandem rebuild-region west --apply');
    await keepPicture(page, 'rebuild-done');
    expect(complaints).toEqual([]);
  });

  test('asks for the name of the region before it throws something away', async () => {
    const { page } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/dead-letters?region=west`);
    await Promise.all([
      page.waitForNavigation(),
      page.click('main button[formaction="/dead-letters/discard"]'),
    ]);
    await check(page, { name: 'discard', open: async () => undefined });
    await page.type('#typed', 'west');
    await Promise.all([page.waitForNavigation(), page.click('main form.confirm button')]);
    expect(await textOf(page)).toContain('1 of 1 were discarded.');
  });

  const textOf = (page: Page): Promise<string> => page.$eval('main', ({ innerText }) => innerText);

  /** Looks at a page as wide as a desk and as narrow as a phone, in light and dark. */
  async function check(
    page: Page,
    { name, open }: { readonly name: string; readonly open: () => Promise<unknown> },
  ): Promise<void> {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await page.setViewport({ width: 1280, height: 900 });
    await open();
    expect(await findBarriers(page)).toEqual([]);
    await keepPicture(page, name);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await page.setViewport({ width: 390, height: 800 });
    expect(await findBarriers(page, ['color-contrast'])).toEqual([]);
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  }

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

async function overflowOf(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
}

async function keepPicture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({
    path: join(PICTURES, `${name}.png`),
    fullPage: true,
    captureBeyondViewport: false,
  });
}
