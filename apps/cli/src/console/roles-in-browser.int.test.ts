// Every act of the console under every role, as a browser has it: what cannot be pressed says why, is refused where it is
// sent all the same, and what can be pressed is done. The acts are those of `FORM_ROLES`: one that is new has to be told here.
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemoryTableStore } from '@tandem/core/memory';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import type { Browser, HTTPResponse, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, openBrowser, openPage } from '../testing/browser.ts';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { signInSettings } from '../testing/identity-provider.ts';
import {
  createClientTable,
  createGate,
  freePort,
  type Gate,
  type OpenedConsole,
  openConsole,
  removeConsoles,
} from '../testing/open-console.ts';
import { FORM_ROLES, type FormPath, type Role } from './access.ts';
import { createSignIn, type SignInAccess } from './sign-in.ts';

afterAll(removeConsoles);

const PATHS = Object.keys(FORM_ROLES) as readonly FormPath[];
const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const COOKIE = '__Host-tandem-console';

/** Where the button of an act is, and what its page reads once it is done. */
const LOOK_EVERY_MS = 50;
const PLANNED_LOOKS_MAX = 400;

interface Place {
  readonly page: string;
  /** The act behind whose button the page is on which its own is. */
  readonly behind?: FormPath;
  /** What a person puts in before, there and here. */
  readonly given?: Readonly<Record<string, string>>;
  readonly typed?: string;
  readonly done: RegExp;
}

describe.runIf(hasBrowser())('G7: every act of the console in a browser', () => {
  let browser: Browser;
  let opened: OpenedConsole;
  let signIn: SignInAccess;
  let gate: Gate;
  let origin: string;
  let planned: string;
  let harness: CliHarness;

  beforeAll(async () => {
    browser = await openBrowser();
    harness = await createCliHarness();
    const openSource = await prepare(harness);
    gate = createGate(harness);
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    signIn = createSignIn({
      settings: signInSettings({ issuer: 'https://login.example.com', origin }),
      clock: { nowMs: () => 0 },
      onFault: () => undefined,
    });
    const openStore = (connection: string) =>
      connection.startsWith('memory:') ? gate.io.openStore(connection) : openSource();
    opened = await openConsole({ openStore }, harness, { gate, signIn });
    await opened.look();
    await opened.app.listen({ host: '127.0.0.1', port });
    const plan = await opened.runs.begin({
      kind: 'rebuild',
      args: ['rebuild-region', 'west'],
      region: 'west',
      person: 'ada',
    });
    planned = plan.id;
    for (let looks = 0; looks < PLANNED_LOOKS_MAX; looks += 1) {
      if ((await opened.runs.find(planned))?.state === 'ended') return;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error('The plan of a rebuild is not done.');
  });

  afterAll(async () => {
    await browser.close();
    gate?.open();
    opened?.app.server.closeAllConnections();
    await opened?.app.close();
  });

  /** Begins what writes to west, and lets it stand in the middle. */
  const beginLong = async (): Promise<string> => {
    gate.shutAfter(0);
    const args = ['rebuild-region', 'west', '--apply'];
    const { id } = await opened.runs.begin({
      kind: 'rebuild',
      args,
      region: 'west',
      person: 'eve',
    });
    await gate.reached();
    return id;
  };

  const placeOf = (path: FormPath, running: string): Place => {
    const run = (id: string): string => `/recovery/run?id=${id}`;
    const places: Readonly<Record<FormPath, Place>> = {
      '/conflicts/show': {
        page: '/conflicts?region=east',
        done: /Won\s+Lost[^]*of west[^]*of east/,
      },
      '/conflicts/restore': {
        page: '/conflicts?region=east',
        behind: '/conflicts/show',
        done: /Set lastName of .*; every region gets it/,
      },
      '/dead-letters/show': { page: '/dead-letters?region=west', done: /late@example.com/ },
      '/dead-letters/resubmit': {
        page: '/dead-letters?region=west',
        done: /(\d) of \1 were resubmitted/,
      },
      '/dead-letters/discard': {
        page: '/dead-letters?region=east',
        typed: 'east',
        done: /(\d) of \1 were discarded/,
      },
      '/history': { page: '/history', given: { '#id': ID }, done: /Written in[^]*lastName •••••/ },
      '/history/values': {
        page: '/history',
        given: { '#id': ID },
        done: /Written in[^]*lastName of east/,
      },
      '/history/replay': {
        page: '/history',
        behind: '/history',
        given: { '#id': ID, '#before': new Date(opened.clock.nowMs() + 1).toISOString() },
        typed: 'east',
        done: /Done/,
      },
      '/recovery/begin': {
        page: '/recovery',
        done: /tandem verify[^]*(Running|Done|Found something)/,
      },
      '/recovery/apply': { page: run(planned), typed: 'west', done: /--apply[^]*(Running|Done)/ },
      '/recovery/again': { page: run(planned), done: /(Running|Planned)/ },
      '/recovery/cancel': { page: run(running), done: /Stopped|Running/ },
      '/recovery/release': { page: '/recovery', typed: 'east', done: /Done/ },
      '/settings/set': {
        page: '/settings?region=east',
        given: { '#setting': 'Tombstone.AgeMs', '#value': '8640000000' },
        typed: 'east',
        done: /Set Tombstone.AgeMs in east/,
      },
      '/settings/unset': {
        page: '/settings?region=east',
        given: { '#setting': 'Tombstone.AgeMs' },
        typed: 'east',
        done: /Done/,
      },
      '/tables/delete': {
        page: '/tables?region=east&table=Orders',
        typed: 'east',
        done: /Deleted Orders; every region gets it/,
      },
      '/tables/restore': {
        page: '/tables?region=east&table=Gone',
        done: /Restored Gone; every region gets it/,
      },
      '/tables/thaw': {
        page: '/tables?region=east&table=Plain',
        done: /Plain is forwarded to its old table/,
      },
    };
    return places[path];
  };

  const enter = async (roles: readonly Role[]): Promise<Page> => {
    const { page } = await openPage(browser);
    const value = signIn.visits.begin({ person: 'ada', roles: new Set(roles) });
    const own = { name: COOKIE, value, url: origin, path: '/', secure: true, httpOnly: true };
    await page.setCookie({ ...own, sameSite: 'Strict' });
    return page;
  };

  const textOf = (page: Page): Promise<string> => page.$eval('main', ({ innerText }) => innerText);

  const press = async (page: Page, button: string): Promise<HTTPResponse | null> => {
    const [answer] = await Promise.all([page.waitForNavigation(), page.click(button)]);
    return answer;
  };

  const give = async (page: Page, given: Place['given'] = {}): Promise<void> => {
    for (const [field, value] of Object.entries(given)) {
      const found = await page.$(field);
      if (found === null) continue;
      const isChoice = await found.evaluate(({ tagName }) => tagName === 'SELECT');
      if (isChoice) await page.select(field, value);
      else if ((await found.evaluate((own) => (own as { value?: string }).value)) === '') {
        await page.type(field, value);
      }
    }
  };

  const doIt = async (page: Page, path: FormPath, { given, typed }: Place): Promise<void> => {
    await give(page, given);
    const own = `${formOf(path)} [name=typed]`;
    if (typed !== undefined && (await page.$(own)) !== null) await page.type(own, typed);
    await press(page, buttonOf(path));
    const confirm = `main form.confirm[action="${path}"] button`;
    if ((await page.$(confirm)) === null || path.startsWith('/recovery/a')) return;
    if (typed !== undefined) await page.type('#typed', typed);
    await press(page, confirm);
  };

  /**
   * Sends the form as if its button could be pressed; undone, it says why. What is changed for that is pressed in the same moment: the
   * page puts back what differs from the server's whenever it asks anew.
   */
  const sendAllTheSame = async (page: Page, path: FormPath): Promise<void> => {
    const button = buttonOf(path);
    const isShown = (await page.$(button)) !== null;
    const [answer] = await Promise.all([
      page.waitForNavigation(),
      isShown ? forceButton(page, button) : forgeForm(page, path),
    ]);
    expect({ path, status: answer?.status() }).toEqual({ path, status: 403 });
    expect(await textOf(page)).toContain(missingText(path));
  };

  const forceButton = (page: Page, button: string): Promise<void> =>
    page.$eval(button, (own) => {
      own.removeAttribute('disabled');
      for (const field of own.ownerDocument.querySelectorAll('main [required]')) {
        field.removeAttribute('required');
      }
      (own as unknown as { click(): void }).click();
    });

  const forgeForm = (page: Page, path: FormPath): Promise<void> =>
    page.$eval(
      'header.bar form.who',
      (form, action) => {
        form.setAttribute('action', action);
        const button = form.querySelector('button');
        (button as unknown as { click(): void }).click();
      },
      path,
    );

  const isDisabled = async (page: Page, path: FormPath): Promise<boolean> => {
    const states = await page.$$eval(buttonOf(path), (buttons) =>
      buttons.map((one) => ({
        isOff: one.hasAttribute('disabled'),
        why: one.nextElementSibling?.className === 'why' ? one.nextElementSibling.textContent : '',
      })),
    );
    expect({ path, hasButton: states.length > 0 }).toEqual({ path, hasButton: true });
    const off = states.filter(({ isOff }) => isOff);
    expect(off.every(({ why }) => why === missingText(path))).toBe(true);
    expect(off.length === 0 || off.length === states.length).toBe(true);
    return off.length > 0;
  };

  const begunBy = async (): Promise<number> => (await opened.runs.list()).length;

  /** The last does what the others may not, so that everything is done once. */
  test.each([
    { roles: ['view'], nth: 2 },
    { roles: ['erase', 'view'], nth: 3 },
    { roles: ['operate', 'view'], nth: 4 },
  ] as const)(
    'of who has $roles is done, or says why it cannot be pressed and is refused',
    async ({ roles, nth }) => {
      await addWhatIsErased(harness, nth);
      const granted: readonly Role[] = roles;
      const mayNot = (path: FormPath): boolean => !granted.includes(FORM_ROLES[path]);
      const page = await enter(roles);
      for (const path of PATHS) {
        const running = path === '/recovery/cancel' ? await beginLong() : '';
        const place = placeOf(path, running);
        const { page: url, behind, given, done } = place;
        await page.goto(`${origin}${url}`);
        await give(page, given);
        const stands = behind !== undefined && mayNot(behind) ? behind : path;
        if (behind !== undefined && stands === path) await press(page, buttonOf(behind));
        expect({ path, isOff: await isDisabled(page, stands) }).toEqual({
          path,
          isOff: mayNot(stands),
        });
        const before = await begunBy();
        const isRefused = mayNot(path);
        if (isRefused) await sendAllTheSame(page, path);
        else await doIt(page, path, place);
        expect({ path, begun: isRefused ? await begunBy() : before }).toEqual({
          path,
          begun: before,
        });
        const text = isRefused ? '' : await textOf(page);
        expect.soft({ path, unlikeDone: isRefused || done.test(text) ? '' : text }).toEqual({
          path,
          unlikeDone: '',
        });
        if (running === '') continue;
        gate.open();
        await expect.poll(async () => (await opened.runs.find(running))?.state).toBe('ended');
        const code = (await opened.runs.find(running))?.result?.exitCode;
        expect({ path, isStopped: code === 130 }).toEqual({ path, isStopped: !mayNot(path) });
      }
    },
  );

  test('can be pressed on no page without its role', async () => {
    const page = await enter(['view']);
    await page.goto(origin);
    const links = await page.$$eval('header.bar nav a', (all) =>
      all.map((one) => one.getAttribute('href') ?? ''),
    );
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) {
      await page.goto(`${origin}${link}`);
      const open = await page.$$eval('main form[method=post] button:not([disabled])', (buttons) =>
        buttons.map(
          (one) =>
            one.getAttribute('formaction') ?? one.closest('form')?.getAttribute('action') ?? '',
        ),
      );
      expect({ link, open: open.filter((one) => FORM_ROLES[one as FormPath] !== 'view') }).toEqual({
        link,
        open: [],
      });
    }
  });
});

function formOf(path: FormPath): string {
  return `main form[action="${path}"]`;
}

/** The first of a form is of its own address; others say which is theirs, also where they cannot be pressed. */
function buttonOf(path: FormPath): string {
  return `${formOf(path)} button:not([formaction]), main button[formaction="${path}"]`;
}

function missingText(path: FormPath): string {
  return `It takes the role ${FORM_ROLES[path]}, which you do not have.`;
}

/** Each region has a dead letter and the table Orders, also where whoever was there before took them away. */
async function addWhatIsErased(harness: CliHarness, nth: number): Promise<void> {
  const { regions } = harness;
  const { east, west, bus } = regions;
  await harness.run('tables', 'create', 'Orders', '--region', 'east', '--apply');
  for (const [own, peer, last] of [
    [east, 'west', nth],
    [west, 'east', nth + 5],
  ] as const) {
    const id = ID.replace(/1$/, String(last));
    await regions.drive(own.table.put(id, { email: 'late@example.com' }));
    await regions.drive(own.replicator.sweepOnce());
    const viewer = bus.viewerFor(peer);
    const [sent] = await viewer.peek('messages', 0n, 1);
    await viewer.setAside(new Set(sent === undefined ? [] : [sent.sequenceNumber]));
  }
}

/** Regions in which each act but those that erase has something to do: a conflict, tables, and one that is taken over. */
async function prepare(
  harness: CliHarness,
): Promise<() => ReturnType<typeof createMemoryTableStore>> {
  const { regions } = harness;
  const { east, west, clock } = regions;
  await east.table.put(ID, { email: 'base@example.com', lastName: 'base' });
  await regions.settle();
  await east.table.patch(ID, { lastName: 'of east' });
  await clock.advance(5);
  await west.table.patch(ID, { lastName: 'of west' });
  await regions.settle();
  await createClientTable(harness, 'Orders');
  await harness.run('tables', 'create', 'Gone', '--region', 'east', '--apply');
  await harness.run('tables', 'delete', 'Gone', '--region', 'east', '--apply', '--confirm', 'east');
  const shop = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  await shop.createTable('Plain');
  const source = '[{"name":"shop","connection":"AccountName=shop;AccountKey=a2V5"}]';
  for (const { store } of regions.regions) {
    const values = { 'Tables.Sources': source, 'Messages.WireVersion': '7' };
    await seedConfiguration({ store, definitions: tandemSettings, values });
  }
  const { openStore } = harness.io();
  const openAny = (connection: string) =>
    connection.startsWith('memory:') ? openStore(connection) : shop;
  const args = ['tables', 'adopt', 'Plain', '--region', 'east', '--from', 'shop', '--apply'];
  const adopted = await harness.runWith({ openStore: openAny }, ...args);
  expect(adopted).toMatchObject({ code: 0, err: '' });
  return () => shop;
}
