import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Conflict, formatStamp, type Stamp, type StampedField } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createTableProof } from '@tandem/storage';
import type { Browser, HTTPRequest, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  findBarriers,
  hasBrowser,
  keepPicture,
  openBrowser,
  openPage,
} from '../testing/browser.ts';
import { createCliHarness } from '../testing/cli-harness.ts';
import {
  createClientTable,
  createGate,
  type Gate,
  keepBeating,
  type OpenedConsole,
  openConsole,
  removeConsoles,
} from '../testing/open-console.ts';

afterAll(removeConsoles);

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

const OTHER_ID = ID.replace(/1$/, '7');
const DEAD_ID = ID.replace(/1$/, '8');
const OTHER_DEAD_ID = ID.replace(/1$/, '9');
/** As many as a page of conflicts or of dead letters lists. */
const MANY = 10_000;
/** What a screen holds, with the rows that are near it. */
const LAID_OUT_MAX = 500;
const HOSTILE = `<script>alert(1)</script>\u202E'"\u0007${'x'.repeat(120)}`;
/** As long as a text in a table may be, 64 KiB in UTF-16. */
const LONG = HOSTILE + ' and more'.repeat((32_768 - HOSTILE.length) / 9);
/** Of a page with values that long; without bounds they take some hundred lines each. */
const PAGE_HEIGHT_MAX = 1_500;

const SLACK_MS = 1_000;
const DRAWN_MS_MAX = 1_000;
/** A person takes more for a page that hangs; the machine is another's for a moment sometimes. */
const FRAME_MS_MAX = 500;

/** Of the console before west's queue was gone, and after it: so many figures have the plots. */
const LOOKS_BEFORE = 20;
const LOOKS_LATER = 6;

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
  let around: Awaited<ReturnType<typeof serveAround>>;

  beforeAll(async () => {
    browser = await openBrowser();
    const harness = await createCliHarness();
    gate = createGate(harness);
    const countMessages = async () => ({ waiting: 12, deadLettered: 3 });
    const { regions } = harness;
    around = await serveAround();
    const { regions: known } = JSON.parse(harness.inventory) as { regions: { name: string }[] };
    const named = known.map((region) => ({ ...region, replicator: around.address }));
    const environment = { TANDEM_REGIONS: JSON.stringify({ version: 1, regions: named }) };
    opened = await openConsole({ countMessages, environment, ...gate.io }, harness, {
      gate,
      trafficManager: around.address,
      processes: known.map(({ name }) => ({ region: name, file: `.tandem/${name}.pids` })),
    });
    beginBeating();
    for (const { store } of regions.regions) {
      const names = ['east', 'west'];
      await createTableProof({ store }).keep({ asOfMs: regions.clock.nowMs(), regions: names });
    }
    await regions.east.table.put(OTHER_ID, { email: 'base@example.com', lastName: 'Lovelace' });
    await regions.settle();
    await regions.east.table.patch(OTHER_ID, { lastName: HOSTILE });
    await regions.clock.advance(5);
    await regions.west.table.patch(OTHER_ID, { lastName: 'Byron' });
    await regions.settle();
    for (const id of [OTHER_DEAD_ID, DEAD_ID]) {
      await regions.drive(
        regions.east.table.put(id, { email: 'c@example.com', lastName: HOSTILE }),
      );
      await regions.drive(regions.east.replicator.sweepOnce());
    }
    for (let looks = 0; looks < LOOKS_BEFORE; looks += 1) await lookLater();
    const viewer = regions.bus.viewerFor('west');
    const sent = await viewer.peek('messages', 0n, 10);
    const sets = sent.filter(({ subject }) => subject === 'change-set');
    await viewer.setAside(new Set(sets.map(({ sequenceNumber }) => sequenceNumber)));
    regions.bus.setDown('west', true);
    cutMs = regions.clock.nowMs();
    await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
    for (let looks = 0; looks < LOOKS_LATER; looks += 1) await lookLater();
    origin = await opened.app.listen({ host: '127.0.0.1', port: 0 });
  });

  const over = new AbortController();
  /** When west's queue was gone. */
  let cutMs: number | undefined;

  /** Has the replicators beat, which have heard each other a moment ago and are never idle. */
  const beginBeating = (): void => {
    const { clock } = opened.harness.regions;
    let beats = 0;
    keepBeating(opened.harness, {
      signal: over.signal,
      beatOf(own) {
        beats += 1;
        const nowMs = clock.nowMs();
        const peer = own === 'east' ? 'west' : 'east';
        const isCut = own === 'west' && cutMs !== undefined;
        const wave = Math.sin(beats / 9) + Math.sin(beats / 4);
        const passedMs = (isCut ? cutMs : nowMs - 400 - Math.round(120 * wave)) ?? 0;
        const sets = Math.round((own === 'east' ? 14 : 40) + 6 * wave);
        const appliedSets = new Map([[peer, isCut ? 0 : sets]]);
        return { nowMs, appliedSets, peer: { peer, passedMs, isReachable: own === 'west' } };
      },
    });
  };

  const lookLater = async (): Promise<void> => {
    await opened.harness.regions.clock.advance(5_000);
    await opened.look();
  };

  afterAll(async () => {
    over.abort();
    await browser.close();
    around.stop();
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

  test('draws the first screen within a second of its answer', async () => {
    const { page } = await openPage(browser);
    await enter(page);
    const took: number[] = [];
    // The machine is another's for a moment sometimes.
    for (let tries = 0; tries < 3; tries += 1) {
      await page.goto(origin);
      await page.waitForSelector('[data-plot="risk"] canvas');
      took.push(await drawnMs(page));
    }
    expect(Math.min(...took)).toBeLessThan(DRAWN_MS_MAX);
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

  test('takes over what changed around a link that has the focus and a text that is selected', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.focus('#region-east [data-figure=at-risk] a');
    await page.evaluate(
      `getSelection().selectAllChildren(document.querySelector('#region-east dt'))`,
    );
    const { regions } = opened.harness;
    await regions.drive(regions.east.table.put(ID.replace(/1$/, '3'), { email: 'b@example.com' }));
    await opened.look();
    await page.waitForFunction(
      `document.querySelector('#region-east [data-figure=owed]').textContent === '3 changes'`,
    );
    expect(await page.evaluate('document.activeElement.textContent')).toBe('3 writes');
    expect(await page.evaluate('String(getSelection())')).toBe('At risk now');
    expect(complaints).toEqual([]);
  });

  test('says how old its figures are when it slept for an hour, before it has asked, and then shows new ones', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    const asked: string[] = [];
    const held = Promise.withResolvers<HTTPRequest>();
    let isHeld = false;
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      asked.push(request.url());
      if (isHeld && request.url() === `${origin}/`) held.resolve(request);
      else void request.continue();
    });
    await page.evaluate(
      `Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })`,
    );
    // What is asked now was begun before.
    await delay(opened.watch.refreshMs + SLACK_MS);
    asked.length = 0;
    await delay(opened.watch.refreshMs + SLACK_MS);
    expect(asked).toEqual([]);
    await page.evaluate(`{
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
      Object.defineProperty(document, 'hidden', { get: () => false, configurable: true });
    }`);
    isHeld = true;
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    const request = await held.promise;
    expect(await page.$eval('#stale', ({ textContent }) => textContent)).toBe(
      'This page slept: every figure on it is 60 min old. The console is asked anew.',
    );
    expect(await findBarriers(page)).toEqual([]);
    isHeld = false;
    await request.continue();
    await page.waitForSelector('#stale[hidden]');
    expect(complaints).toEqual([]);
  });

  test('puts a dead letter back into the queue: its body, what it would do, the act', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/dead-letters?region=west`);
    const press = (button: string): Promise<unknown> =>
      Promise.all([page.waitForNavigation(), page.click(button)]);
    await press('main form[action="/dead-letters/show"] button');
    expect(await textOf(page)).toContain(OTHER_DEAD_ID);
    expect(await textOf(page)).toContain('c@example.com');
    await check(page, { name: 'dead-letter', open: async () => undefined });
    await press('main form[action="/dead-letters/resubmit"] button:not([formaction])');
    const viewer = opened.harness.regions.bus.viewerFor('west');
    expect(await viewer.peek('dead-letters', 0n, 10)).toHaveLength(2);
    expect(await textOf(page)).toContain('1 would be resubmitted.');
    await press('main form.confirm button');
    expect(await textOf(page)).toContain('1 of 1 were resubmitted.');
    const [left, ...others] = await viewer.peek('dead-letters', 0n, 10);
    expect(others).toEqual([]);
    await page.goto(`${origin}/audit`);
    expect(await textOf(page)).toContain('tandem dead-letters resubmit');
    await page.goto(`${origin}/dead-letters?region=west`);
    expect(await textOf(page)).toContain(DEAD_ID);
    expect(await textOf(page)).not.toContain(OTHER_DEAD_ID);
    expect(left).toBeDefined();
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
    await check(page, { name: 'restore', open: async () => undefined });
    await press('main form.confirm button');
    expect(await textOf(page)).toContain(`Set lastName of ${OTHER_ID}; every region gets it.`);
    expect(page.url()).toBe(`${origin}/conflicts/restore`);
    await page.goto(`${origin}/audit`);
    expect(await textOf(page)).toContain('tandem conflicts restore');
    expect(complaints).toEqual([]);
  });

  test('shows both values of a conflict beside each other, as long and as hostile as a table takes them', async () => {
    const { regions } = opened.harness;
    const sideOf = (counter: number, region: string): StampedField => ({
      stamp: formatStamp({ timeMs: regions.clock.nowMs(), counter, region, writer: 'w' }),
      value: { type: 'String', value: `${region}: ${LONG}` },
    });
    const [loser, winner] = [sideOf(0, 'east'), sideOf(1, 'west')];
    const stamps = [loser.stamp, winner.stamp] as const;
    const fields = [{ name: 'lastName', winner, loser }];
    const own = { entityKind: customerKind.name, entityId: OTHER_ID, life: undefined };
    await regions.east.journal.accept([{ ...own, stamps, fields }]);
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/conflicts?region=east`);
    await Promise.all([
      page.waitForNavigation(),
      page.click('main form[action="/conflicts/show"] button'),
    ]);
    const text = await textOf(page);
    for (const region of ['east', 'west']) {
      expect(text).toContain(
        `${region}: ${HOSTILE.replace('\u202E', '\\u202e').replace('\u0007', '\\u0007')} and`,
      );
    }
    await check(page, { name: 'conflict-long', open: async () => undefined });
    expect(await heightOf(page)).toBeLessThan(PAGE_HEIGHT_MAX);
    // What does not fit is read by the keyboard too.
    await page.focus('bdi.long');
    await page.keyboard.press('End');
    await page.waitForFunction(`document.querySelector('bdi.long').scrollTop > 1_000`);
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
    gate.shutAfter(6);
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
    await check(page, { name: 'rebuild-done', open: async () => undefined });
    expect(complaints).toEqual([]);
  });

  test('shows one entity over all regions: who wrote what where', async () => {
    const { page, complaints } = await openPage(browser);
    await enter(page);
    await page.goto(`${origin}/history`);
    await page.type('#id', OTHER_ID);
    await Promise.all([
      page.waitForNavigation(),
      page.click('main button[formaction="/history/values"]'),
    ]);
    expect(await textOf(page)).toMatch(/create[^]*Lovelace[^]*Byron/);
    await check(page, { name: 'history-entity', open: async () => undefined });
    await page.goto(`${origin}/audit`);
    expect(await textOf(page)).toMatch(/ada\s+asked for values\s+tandem history/);
    await check(page, { name: 'audit', open: async () => undefined });
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
    expect(await textOf(page)).toMatch(/(\d) of \1 were discarded\./);
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
    expect(await findBarriers(page)).toEqual([]);
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  }

  test('lists ten thousand conflicts and dead letters, and lays out those that are seen', async () => {
    const { regions } = opened.harness;
    const stampOf = (timeMs: number, region: string): Stamp =>
      formatStamp({ timeMs, counter: 0, region, writer: 'w' });
    const conflicts = Array.from({ length: MANY }, (_, n): Conflict => {
      const timeMs = regions.clock.nowMs() - n;
      return {
        entityKind: customerKind.name,
        entityId: ID.slice(0, -5) + String(n).padStart(5, '0'),
        stamps: [stampOf(timeMs, 'east'), stampOf(timeMs, 'west')],
        fields: [],
        life: undefined,
      };
    });
    for (let from = 0; from < MANY; from += 1_000) {
      await regions.east.journal.accept(conflicts.slice(from, from + 1_000));
    }
    regions.bus.setDown('west', false);
    const body = new Uint8Array();
    await regions.bus
      .publisherFor('east', 'west')
      .publish(
        conflicts.map((_, n) => ({ messageId: String(n), subject: 'change-set' as const, body })),
      );
    const viewer = regions.bus.viewerFor('west');
    const sent = await viewer.peek('messages', 0n, 2 * MANY);
    await viewer.setAside(new Set(sent.map(({ sequenceNumber }) => sequenceNumber)));
    const { page, complaints } = await openPage(browser);
    await page.setViewport({ width: 1280, height: 900 });
    await enter(page);
    await page.goto(`${origin}/conflicts?region=east`);
    expect(await page.$$eval('main tbody tr', ({ length }) => length)).toBe(MANY);
    for (const count of await countLaidOut(page)) {
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThan(LAID_OUT_MAX);
    }
    expect(await slowestFrameMs(page)).toBeLessThan(FRAME_MS_MAX);
    await page.goto(`${origin}/dead-letters?region=west`);
    expect(await page.$$eval('main tbody tr', ({ length }) => length)).toBeGreaterThanOrEqual(MANY);
    for (const count of await countLaidOut(page)) expect(count).toBeLessThan(LAID_OUT_MAX);
    expect(await slowestFrameMs(page)).toBeLessThan(FRAME_MS_MAX);
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

/** What stands around the regions: a traffic manager, and the replicators. */
async function serveAround() {
  const manager = {
    probing: { intervalMs: 10_000, timeoutMs: 9_000, toleratedFailures: 3, ttlMs: 10_000 },
    current: 'east',
    endpoints: [
      { name: 'east', state: 'online' },
      { name: 'west', state: 'online' },
    ],
    transitions: [],
  };
  const server = createServer((request, response) => {
    const isManager = request.url?.startsWith('/_traffic-manager') === true;
    const replicator = { build: { version: '0.1.0', wireVersionMax: 7 } };
    response.end(JSON.stringify(isManager ? manager : replicator));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${port}`, stop };
}

/**
 * Counts the rows that the browser lays out, at the top of a list and at its end: the others cost it nothing while
 * the page scrolls.
 */
async function countLaidOut(page: Page): Promise<readonly number[]> {
  return (await page.evaluate(`(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const count = () => [...document.querySelectorAll('main tbody tr')]
      .filter((row) => row.checkVisibility({ contentVisibilityAuto: true })).length;
    await frame();
    const top = count();
    scrollTo(0, document.documentElement.scrollHeight);
    await frame();
    return [top, count()];
  })()`)) as readonly number[];
}

/** Scrolls from the top to the end; returns for how long the page stood still at most. */
async function slowestFrameMs(page: Page): Promise<number> {
  return (await page.evaluate(`(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const steps = 60;
    let slowest = 0;
    let last = await frame();
    for (let step = 0; step <= steps; step += 1) {
      scrollTo(0, (document.documentElement.scrollHeight * step) / steps);
      const now = await frame();
      slowest = Math.max(slowest, now - last);
      last = now;
    }
    return slowest;
  })()`)) as number;
}

/** Returns how long after the answer a page was there to read. */
async function drawnMs(page: Page): Promise<number> {
  return (await page.evaluate(`(async () => {
    for (;;) {
      const [paint] = performance.getEntriesByName('first-contentful-paint');
      const [{ responseEnd }] = performance.getEntriesByType('navigation');
      if (paint !== undefined && responseEnd > 0) return paint.startTime - responseEnd;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })()`)) as number;
}

async function heightOf(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollHeight')) as number;
}

async function overflowOf(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
}
