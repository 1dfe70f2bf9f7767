// The emulator's page of messages as a browser shows it, beside regions that run.
import { findBarriers, hasBrowser, openBrowser, openPage } from '@tandem/cli/testing';
import { type Cluster, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
type Page = Awaited<ReturnType<typeof openPage>>['page'];

const START_MS_MAX = 180_000;
const TEST_MS_MAX = 180_000;
const SEEN_MS_MAX = 60_000;
const QUEUE = `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription
xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"></QueueDescription></content></entry>`;

describe.runIf(hasBrowser())('the messages of the emulator in a browser', () => {
  let browser: Browser;
  let cluster: Cluster;

  beforeAll(async () => {
    [browser, cluster] = await Promise.all([openBrowser(), startCluster()]);
  }, START_MS_MAX);

  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  }, START_MS_MAX);

  const press = (page: Page, button: string): Promise<unknown> =>
    Promise.all([page.waitForNavigation(), page.click(button)]);
  const textOf = (page: Page, selector: string): Promise<string | null> =>
    page.$eval(selector, ({ textContent }) => textContent);

  test(
    'show a test message, hostile as it may be, its death, its return',
    async () => {
      const { page, complaints } = await openPage(browser);
      const { brokerAdmin } = cluster.region('west').addresses;
      const [, host = ''] = /sb:\/\/([^;/]+)/.exec(brokerAdmin) ?? [];
      const origin = `http://${host}`;
      const messages = `${origin}/$messages`;
      const made = QUEUE.replace(
        '></QueueDescription>',
        '><DefaultMessageTimeToLive>PT2S</DefaultMessageTimeToLive><DeadLetteringOnMessageExpiration>true</DeadLetteringOnMessageExpiration></QueueDescription>',
      );
      for (const [name, body] of [
        ['tried', QUEUE],
        ['mortal', made],
      ] as const) {
        const answer = await fetch(`${origin}/${name}`, { method: 'PUT', body });
        expect(answer.status).toBe(201);
      }
      const look = async (): Promise<void> => {
        for (const [value, width] of [
          ['light', 1280],
          ['dark', 390],
        ] as const) {
          await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
          await page.setViewport({ width, height: 800 });
          expect(await findBarriers(page)).toEqual([]);
          expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
        }
      };
      await page.goto(messages);
      await look();
      await press(page, 'a[href*="queue=tried"]:not([href*="dead-letters"])');
      const hostile = `<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\u202E"'`;
      await page.type('#body', hostile);
      await press(page, 'form[action$="/send"] button');
      const shown = await page.$eval('article pre', ({ innerText }) => innerText);
      expect(shown).toBe(hostile.replace('\u202E', '\\u202e'));
      expect(await page.title()).toContain('tried');
      await look();

      await page.goto(messages);
      await press(page, 'a[href*="queue=mortal"]:not([href*="dead-letters"])');
      await page.type('#body', 'not for long');
      await press(page, 'form[action$="/send"] button');
      const dead = `${messages}/queue?namespace=emulator&queue=mortal&of=dead-letters`;
      await expect
        .poll(async () => (await page.goto(dead))?.text(), { timeout: SEEN_MS_MAX })
        .toContain('TTLExpiredException');
      await look();
      await press(page, 'form[action$="/resubmit"] button');
      expect(await textOf(page, '[role=status]')).toContain('put back into the queue: 1.');
      await expect
        .poll(async () => (await page.goto(dead))?.text(), { timeout: SEEN_MS_MAX })
        .toContain('not for long');
      await page.click('#sure');
      await press(page, 'form[action$="/purge"] button');
      expect(await textOf(page, '[role=status]')).toContain('thrown away: 1.');
      expect(complaints).toEqual([]);
    },
    TEST_MS_MAX,
  );
});
