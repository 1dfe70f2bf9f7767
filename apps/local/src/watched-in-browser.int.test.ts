// What a person sees in a browser while the regions of this machine go and come back: one browser and one set of
// regions, as `npm start` starts them.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  findBarriers,
  hasBrowser,
  keepPicture,
  openBrowser,
  openPage,
  untilReads,
} from '@tandem/cli/testing';
import { EXIT_WITH_PARENT, PROBING_FAST, type Region } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalRegions, startRegions } from './start-regions.ts';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
type Page = Awaited<ReturnType<typeof openPage>>['page'];

const START_MS_MAX = 240_000;
const TEST_MS_MAX = 300_000;
const SEEN_MS_MAX = 60_000;
const QUEUE = `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription
xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"></QueueDescription></content></entry>`;

describe.runIf(hasBrowser())('regions that are watched in a browser', () => {
  let browser: Browser;
  let regions: LocalRegions;
  let east: Region;
  let west: Region;
  let child: ChildProcess;
  /** The console, as whoever opened its link sees it. */
  let page: Page;
  let complaints: readonly string[];
  let origin: string;

  beforeAll(async () => {
    [browser, regions] = await Promise.all([
      openBrowser(),
      startRegions({ probing: PROBING_FAST }),
    ]);
    const { cluster, inventory } = regions;
    east = cluster.region('east');
    west = cluster.region('west');
    const main = fileURLToPath(import.meta.resolve('@tandem/cli/main'));
    const args = ['--regions', inventory, 'console', '--port', '0'];
    child = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, main, ...args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, XDG_STATE_HOME: cluster.dataFolder },
    });
    // It tells its link there, where no pipe takes it for an outcome.
    const link = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.once('exit', () => reject(new Error(`The console ended, and said: ${said}`)));
      child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        // A line that has not come whole yet may end in the middle of the code.
        const [, found] = /(http:\/\/127\.0\.0\.1:\d+\/enter#[\w-]+)\n/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    ({ page, complaints } = await openPage(browser));
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(link);
    await page.waitForSelector('#verdict');
    ({ origin } = new URL(link));
  }, START_MS_MAX);

  afterAll(async () => {
    await browser?.close();
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await regions?.stop();
  }, START_MS_MAX);

  const press = (on: Page, button: string): Promise<unknown> =>
    Promise.all([on.waitForNavigation(), on.click(button)]);

  /** Writes a customer; resolves to its address below any of the regions. */
  const write = async (api: string): Promise<string> => {
    const path = `/customers/${randomUUID()}`;
    const answer = await fetch(`${api}${path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: '{"email":"ada@example.com"}',
    });
    expect(answer.status).toBe(201);
    return path;
  };
  /** Asks a region which of them it has: it and no page knows. */
  const statusesIn = (api: string, paths: readonly string[]): Promise<readonly number[]> =>
    Promise.all(paths.map(async (path) => (await fetch(`${api}${path}`)).status));
  /** Asks as a client where it is sent. */
  const sentTo = async (): Promise<string | null> => {
    const url = `${regions.cluster.trafficManagerUrl}/customers/${randomUUID()}`;
    return (await fetch(url, { headers: { connection: 'close' } })).headers.get(
      'x-tandem-endpoint',
    );
  };
  const atRisk = (region: string): string => `#region-${region} [data-figure=at-risk]`;

  test(
    'a loss from its start to its end: what is at risk, where clients are sent, and when all is equal again',
    async () => {
      await page.evaluate('globalThis.isOpenedOnce = true');
      await untilReads(page, '#verdict', /Every region takes traffic[^]*sends clients to east/);
      await untilReads(page, '#verdict', /not proven equal/);
      expect(await sentTo()).toBe('east');

      // West's queue is gone, so what east takes now nobody else has.
      await west.broker.kill();
      const inEast = [await write(east.addresses.api), await write(east.addresses.api)];
      await untilReads(page, atRisk('east'), /2 writes would be lost/);
      expect(await statusesIn(west.addresses.api, inEast)).toEqual([404, 404]);

      const command = await page.$eval('#lose-east', ({ textContent }) => textContent);
      await promisify(execFile)('sh', ['-c', command]);
      await west.broker.start();
      await expect
        .poll(() => [east.api, east.broker].map(({ pid }) => pid))
        .toEqual([undefined, undefined]);
      await untilReads(page, '#verdict', /east takes no traffic[^]*sends clients to west/);
      expect(await sentTo()).toBe('west');
      const inWest = await write(regions.cluster.trafficManagerUrl);
      await untilReads(page, atRisk('west'), /1 write would be lost/);
      await untilReads(page, atRisk('east'), /2 writes would be lost/);
      expect(await statusesIn(west.addresses.api, [...inEast, inWest])).toEqual([404, 404, 200]);

      // Its tables go as well: what was known of it stays, and says how old it is.
      await east.store.stop();
      await untilReads(page, '#region-east', /Nothing is heard of east[^]*The figures are of/);
      await untilReads(page, atRisk('east'), /2 writes would be lost[^]*cannot be told now/);
      expect(await findBarriers(page)).toEqual([]);
      await keepPicture(page, 'region-lost');

      await east.start();
      await untilReads(page, '#verdict', /Every region takes traffic[^]*sends clients to east/);
      await untilReads(page, atRisk('east'), /0 writes would be lost/);
      await untilReads(page, atRisk('west'), /0 writes would be lost/);
      expect(await sentTo()).toBe('east');
      for (const { addresses } of [east, west]) {
        expect(await statusesIn(addresses.api, [...inEast, inWest])).toEqual([200, 200, 200]);
      }
      // All of it was seen by a page that was opened once.
      expect(await page.evaluate('globalThis.isOpenedOnce')).toBe(true);
      await untilReads(page, '#verdict', /not proven equal/);
      await press(page, 'main a[href="/recovery"]');
      await press(page, 'main form:has(input[value="verify"]) button');
      await untilReads(page, '#run', /Done/);
      await page.goto(origin);
      await untilReads(page, '#verdict', /customers are proven equal as of/);
      expect(complaints).toEqual([]);
    },
    TEST_MS_MAX,
  );

  /** Reads what the console keeps of the drill that was really run. */
  const readMeasured = async (): Promise<Record<string, unknown> | undefined> => {
    const folder = join(regions.cluster.dataFolder, 'tandem', 'runs');
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue;
      const { result } = JSON.parse(await readFile(join(folder, name), 'utf8'));
      if (result?.json?.forReal === true) return result.json;
    }
    return undefined;
  };

  test(
    'a drill: what is predicted, the region out of traffic, and what was measured beside it',
    async () => {
      await page.goto(`${origin}/drill`);
      await page.select('#region', 'east');
      await press(page, 'main form:has(input[value="drill"]) button');
      await untilReads(page, '#run', /if east vanished now[^]*Take it out of traffic/);
      await page.type('#typed', 'east');
      await press(page, 'main form.confirm button');
      await page.goto(`${origin}/drill`);
      await untilReads(page, '#now', /east takes no traffic/);
      await untilReads(page, '#now', /sends clients to west/);
      expect(await findBarriers(page)).toEqual([]);
      await untilReads(page, '#measured', /east\s+west/);
      const measured = await readMeasured();
      expect(measured).toMatchObject({ region: 'east', successor: 'west', counts: { stale: 0 } });
      const shown = await page.$eval('#measured', ({ innerText }) => innerText);
      const word = measured?.['isWithinBounds'] === true ? 'within' : 'not within';
      const seconds = Number(measured?.['failOverMs']) / 1_000;
      const took = seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds);
      await keepPicture(page, 'drill-measured');
      expect(shown).toMatch(new RegExp(`\\s${took} s \\S ${word}\\s`));
      await untilReads(page, '#now', /sends clients to east/);
      expect(await sentTo()).toBe('east');
      expect(complaints).toEqual([]);
    },
    TEST_MS_MAX,
  );

  /** Looks at a page in light and dark, as wide as a desk and as narrow as a phone. */
  const lookAt = async (on: Page, name: string): Promise<void> => {
    await on.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await on.setViewport({ width: 1280, height: 800 });
    expect(await findBarriers(on)).toEqual([]);
    await keepPicture(on, name);
    await on.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await on.setViewport({ width: 390, height: 800 });
    expect(await findBarriers(on, ['color-contrast'])).toEqual([]);
    expect(await on.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  };

  test(
    'the traffic manager: where clients are sent, and a region that is switched off and on',
    async () => {
      const opened = await openPage(browser);
      await opened.page.goto(`${regions.cluster.trafficManagerUrl}/_traffic-manager/`);
      await untilReads(opened.page, '#summary', /Traffic goes to east/);
      // A button that a refresh replaced would lose a press that is slower than the refresh.
      const button = await opened.page.waitForSelector('[data-key=east]');
      await opened.page.evaluate(
        "new MutationObserver(() => (globalThis.hasRefreshed = true)).observe(document.getElementById('endpoints'), { subtree: true, childList: true, characterData: true })",
      );
      await button?.hover();
      await opened.page.mouse.down();
      await opened.page.waitForFunction('globalThis.hasRefreshed');
      await opened.page.mouse.up();
      await untilReads(opened.page, '#summary', /Traffic goes to west/);
      await lookAt(opened.page, 'traffic-manager');
      await opened.page.click('[data-key=east]');
      await untilReads(opened.page, '#summary', /Traffic goes to east/);
      expect(opened.complaints).toEqual([]);
    },
    TEST_MS_MAX,
  );

  test(
    'the messages of the emulator: a test message, hostile as it may be, its death, its return',
    async () => {
      const opened = await openPage(browser);
      const on = opened.page;
      const { brokerAdmin } = west.addresses;
      const [, host = ''] = /sb:\/\/([^;/]+)/.exec(brokerAdmin) ?? [];
      const messages = `http://${host}/$messages`;
      const made = QUEUE.replace(
        '></QueueDescription>',
        '><DefaultMessageTimeToLive>PT2S</DefaultMessageTimeToLive><DeadLetteringOnMessageExpiration>true</DeadLetteringOnMessageExpiration></QueueDescription>',
      );
      for (const [name, body] of [
        ['tried', QUEUE],
        ['mortal', made],
      ] as const) {
        const answer = await fetch(`http://${host}/${name}`, { method: 'PUT', body });
        expect(answer.status).toBe(201);
      }
      const textOf = (selector: string): Promise<string | null> =>
        on.$eval(selector, ({ textContent }) => textContent);
      await on.goto(messages);
      await lookAt(on, 'messages');
      await press(on, 'a[href*="queue=tried"]:not([href*="dead-letters"])');
      const hostile = `<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\u202E"'`;
      await on.type('#body', hostile);
      await press(on, 'form[action$="/send"] button');
      const shown = await on.$eval('article pre', ({ innerText }) => innerText);
      expect(shown).toBe(hostile.replace('\u202E', '\\u202e'));
      expect(await on.title()).toContain('tried');
      await lookAt(on, 'messages-queue');

      await on.goto(messages);
      await press(on, 'a[href*="queue=mortal"]:not([href*="dead-letters"])');
      await on.type('#body', 'not for long');
      await press(on, 'form[action$="/send"] button');
      const dead = `${messages}/queue?namespace=emulator&queue=mortal&of=dead-letters`;
      const untilDead = (text: string): Promise<void> =>
        expect
          .poll(async () => (await on.goto(dead))?.text(), { timeout: SEEN_MS_MAX, interval: 500 })
          .toContain(text);
      await untilDead('TTLExpiredException');
      await lookAt(on, 'messages-dead-letters');
      await press(on, 'form[action$="/resubmit"] button');
      expect(await textOf('[role=status]')).toContain('put back into the queue: 1.');
      await untilDead('not for long');
      await on.click('#sure');
      await press(on, 'form[action$="/purge"] button');
      expect(await textOf('[role=status]')).toContain('thrown away: 1.');
      expect(opened.complaints).toEqual([]);
    },
    TEST_MS_MAX,
  );
});
