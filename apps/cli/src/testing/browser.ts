// Debian's Chromium, driven by the tests of the console. Where there is none, those tests say so and do not run.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, launch, type Page } from 'puppeteer-core';

const CHROMIUM = '/usr/bin/chromium';
const INSTALL = 'apt-get install --no-install-recommends chromium';

export function hasBrowser(): boolean {
  if (existsSync(CHROMIUM)) return true;
  // A test that cannot run must not look like one that passed.
  process.stderr.write(`NOT TESTED: the console in a browser, ${CHROMIUM} is absent; ${INSTALL}\n`);
  return false;
}

export function openBrowser(): Promise<Browser> {
  return launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface WatchedPage {
  readonly page: Page;
  /** What the page complained of: errors, warnings, and what its policy forbade. */
  readonly complaints: readonly string[];
}

/** Opens a page in a visit of its own. */
export async function openPage(browser: Browser): Promise<WatchedPage> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => void complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => void complaints.push(String(error)));
  page.on('requestfailed', (request) => {
    // One that a page begun and then was left is no fault.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') complaints.push(request.url());
  });
  await page.evaluateOnNewDocument(
    `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error('policy: ' + violatedDirective + ' ' + blockedURI))`,
  );
  return { page, complaints };
}

/** Finds what keeps people who use a keyboard or a screen reader from the page. */
export async function findBarriers(
  page: Page,
  rules?: readonly string[],
): Promise<readonly string[]> {
  // Through the debugger, which no policy of the page binds.
  await page.evaluate(axe.source);
  const options = rules === undefined ? {} : { runOnly: rules };
  return (await page.evaluate(
    `axe.run(${JSON.stringify(options)}).then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => id + ' ' + target.join(' ') + ': ' + failureSummary)))`,
  )) as readonly string[];
}

/** A page asks for itself every few seconds. */
const SEEN_MS_MAX = 90_000;

/** Waits until a part of the page reads so, without opening it anew. */
export async function untilReads(page: Page, selector: string, text: RegExp): Promise<void> {
  const reads = `${text}.test(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '')`;
  try {
    await page.waitForFunction(reads, { timeout: SEEN_MS_MAX, polling: 200 });
  } catch (error) {
    const shown = await page.$eval('body', ({ innerText }) => innerText);
    throw new Error(`${selector} never read ${text}:\n${shown}`, { cause: error });
  }
}

/** Where pictures of the pages are kept, when they are wanted. */
const PICTURES = process.env['CONSOLE_PICTURES'];

export async function keepPicture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({
    path: join(PICTURES, `${name}.png`),
    fullPage: true,
    captureBeyondViewport: false,
  });
}
