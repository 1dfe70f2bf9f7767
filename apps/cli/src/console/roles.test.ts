import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { purgeQueue } from '@tandem/storage/testing';
import type { LightMyRequestResponse } from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { signInSettings } from '../testing/identity-provider.ts';
import {
  createGate,
  type Gate,
  type OpenedConsole,
  openConsole,
  removeConsoles,
  textOf,
} from '../testing/open-console.ts';
import { FORM_ROLES, type FormPath, ROLES, type Role } from './access.ts';
import { packField } from './acts.ts';
import { createSignIn, type SignInAccess } from './sign-in.ts';

afterAll(removeConsoles);

const HOST = 'console.example.com';
const SETTINGS = signInSettings({ issuer: 'https://login.example.com' });
const PATHS = Object.keys(FORM_ROLES) as readonly FormPath[];
const GRANTS: readonly (readonly Role[])[] = [
  ['view'],
  ['operate', 'view'],
  ['erase', 'view'],
  ['operate', 'erase', 'view'],
];

interface SignedIn {
  readonly opened: OpenedConsole;
  readonly signIn: SignInAccess;
  readonly get: (url: string) => Promise<LightMyRequestResponse>;
  readonly post: (
    url: string,
    fields?: Readonly<Record<string, string>>,
  ) => Promise<LightMyRequestResponse>;
}

interface Surroundings {
  readonly harness?: CliHarness;
  readonly gate?: Gate;
  /** Of the visits. */
  readonly time?: { nowMs: number };
}

/** A person who signed in with these roles; what the provider does is shown elsewhere. */
async function open(
  roles: readonly Role[],
  endsMs?: number,
  { harness, gate, time = { nowMs: 0 } }: Surroundings = {},
): Promise<SignedIn> {
  const clock = { nowMs: () => time.nowMs };
  const signIn = createSignIn({ settings: SETTINGS, clock, onFault: () => undefined });
  const opened = await openConsole(gate?.io, harness, {
    signIn,
    ...(gate && { gate }),
  });
  const person = 'ada@example.com (subject-1)';
  const cookie = signIn.visits.begin({ person, roles: new Set(roles) }, endsMs);
  const headers = { host: HOST, cookie: `__Host-tandem-console=${cookie}` };
  const get: SignedIn['get'] = (url) => opened.app.inject({ url, headers });
  const token = /name="formToken" value="([^"]+)"/.exec((await get('/audit')).body)?.[1] ?? '';
  time.nowMs += 1;
  return {
    opened,
    signIn,
    get,
    post: (url, fields = {}) =>
      opened.app.inject({
        method: 'POST',
        url,
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ formToken: token, ...fields }).toString(),
      }),
  };
}

const auditOf = ({ opened }: SignedIn): Promise<string> =>
  readFile(join(opened.folder, 'state', 'audit.ndjson'), 'utf8').catch(() => '');

describe('G7: every act asks for its role on the server', () => {
  test.each(GRANTS)('and refuses who has %s and %s what that does not allow', async (...grant) => {
    const roles = grant.filter((role) => role !== undefined);
    const signedIn = await open(roles);
    const refused: string[] = [];
    for (const path of PATHS) {
      const region = packField('east');
      const { statusCode, body } = await signedIn.post(path, { region, stage: 'apply' });
      const isSaid = body.includes(`It takes the role ${FORM_ROLES[path]}`);
      if (statusCode === 403 && isSaid) refused.push(path);
    }
    expect(refused).toEqual(PATHS.filter((path) => !roles.includes(FORM_ROLES[path])));
  });

  test('and of what it refuses nothing is begun', async () => {
    const signedIn = await open(['view']);
    for (const path of PATHS.filter((one) => FORM_ROLES[one] !== 'view')) {
      await signedIn.post(path, { region: 'east', kind: 'verify', stage: 'apply' });
    }
    expect(await auditOf(signedIn)).toBe('');
    expect(await signedIn.opened.runs.list()).toEqual([]);
  });

  test('and serves no form that is not in the table of roles', async () => {
    const { opened } = await open(ROLES);
    const routes = opened.app.printRoutes({ commonPrefix: false });
    const posted = routes.split('\n').filter((line) => line.includes('POST'));
    expect(posted).toHaveLength(PATHS.length + 1);
    expect(posted.some((line) => line.includes('leave'))).toBe(true);
  });

  test.each([
    ['/settings?region=east', 'Set it…'],
    ['/recovery', 'Verify'],
    ['/recovery', 'Release east…'],
    ['/drill', 'Predict…'],
    ['/history', 'Show with values'],
    ['/tables?region=east', 'Plan it…'],
  ])('and %s says to who may only look why "%s" cannot be pressed', async (url, label) => {
    const { get } = await open(['view']);
    const { body, statusCode } = await get(url);
    expect(statusCode).toBe(200);
    expect(body).toMatch(new RegExp(`<button[^>]* disabled>${label}</button>`));
    expect(textOf(body)).toContain(`${label} It takes the role operate, which you do not have.`);
  });
});

test('who asks for values, or has something done, is written down by name', async () => {
  const signedIn = await open(['operate', 'view']);
  const id = '00b479c9-f61f-451a-86d2-ee8cc047c181';
  await signedIn.opened.harness.regions.east.table.put(id, { email: 'secret@example.com' });
  await signedIn.opened.harness.regions.settle();
  const hidden = await signedIn.post('/history', { id });
  expect(hidden.body).not.toContain('secret@example.com');
  expect(await auditOf(signedIn)).toBe('');
  const shown = await signedIn.post('/history/values', { id });
  expect(shown.body).toContain('secret@example.com');
  expect(JSON.parse(await auditOf(signedIn))).toMatchObject({
    person: 'ada@example.com (subject-1)',
    what: 'looked',
  });
  const setting = { setting: 'Tombstone.AgeMs', value: '8640000000', region: 'east' };
  await signedIn.post('/settings/set', { ...setting, typed: 'east', stage: 'apply' });
  const { body } = await signedIn.get('/settings?region=east');
  expect(textOf(body)).toContain('ada@example.com (subject-1) Tombstone.AgeMs nothing 8640000000');
});

test.each([
  'Tables.DeletedKeepMs',
  'Archive.KeepMs',
  'Archive.KeepMib',
  'Conflicts.KeepMs',
  'Conflicts.KeepMib',
  'Retention.PromiseMs',
])(
  'G7: %s, with less of which something is gone for good, takes erase beside operate',
  async (setting) => {
    const fields = { setting, region: 'east', typed: 'east' };
    const given = { ...fields, value: setting.endsWith('Ms') ? '86400000' : '1' };
    const operator = await open(['operate', 'view']);
    for (const path of ['/settings/set', '/settings/unset']) {
      const plan = await operator.post(path, given);
      expect(textOf(plan.body)).toContain('It takes the role erase, which you do not have.');
      expect(plan.body).not.toContain('name="stage"');
      const { body } = await operator.post(path, { ...given, stage: 'apply' });
      expect(textOf(body)).toContain('Nothing was done. It takes the role erase');
    }
    expect(await auditOf(operator)).toBe('');
    const both = await open(['operate', 'erase', 'view']);
    await both.post('/settings/set', { ...given, stage: 'apply' });
    expect(await auditOf(both)).toContain(`config set ${setting}`);
  },
);

describe('a visit that ends', () => {
  test('ends with its token: nothing of a form is done, and the way back is shown', async () => {
    const signedIn = await open(['operate', 'view'], 1);
    const region = packField('east');
    const { statusCode, body } = await signedIn.post('/recovery/begin', { kind: 'verify', region });
    expect(statusCode).toBe(401);
    expect(textOf(body)).toContain('Nothing was done');
    expect(body).toContain('/sign-in?to=%2Frecovery');
    expect(await signedIn.opened.runs.list()).toEqual([]);
    const { headers } = await signedIn.get('/recovery/run?id=0123456789abcdef');
    expect(headers.location).toBe('/enter?to=%2Frecovery%2Frun%3Fid%3D0123456789abcdef');
  });

  test('ends in the middle of a repair: what is pressed then does nothing, and the repair goes on to its end', async () => {
    const harness = await createCliHarness();
    const { regions } = harness;
    const ids = Array.from({ length: 20 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047${1000 + n}`);
    const writes = ids.map((id) => regions.east.table.put(id, { email: 'a@example.com' }));
    await regions.drive(Promise.all(writes));
    await purgeQueue(regions, 'west');
    await regions.settle();
    const gate = createGate(harness);
    const time = { nowMs: 0 };
    const { opened, signIn, get, post } = await open(['operate', 'view'], 1_000, {
      harness,
      gate,
      time,
    });
    const planned = await post('/recovery/begin', { kind: 'repair' });
    const path = String(planned.headers.location);
    const id = new URL(path, 'http://x').searchParams.get('id') ?? '';
    await expect.poll(async () => (await opened.runs.find(id))?.state).toBe('ended');
    gate.shutAfter(1);
    const applied = await post('/recovery/apply', { id });
    const running =
      new URL(String(applied.headers.location), 'http://x').searchParams.get('id') ?? '';
    await gate.reached();
    time.nowMs = 1_000;
    expect((await get(path)).headers.location).toMatch(/^\/enter\?to=/);
    const { statusCode, body } = await post('/recovery/cancel', { id: running });
    expect({ statusCode, isSaid: body.includes('Nothing was done') }).toEqual({
      statusCode: 401,
      isSaid: true,
    });
    expect((await opened.runs.find(running))?.state).toBe('running');
    gate.open();
    await expect.poll(async () => (await opened.runs.find(running))?.state).toBe('ended');
    expect(await opened.runs.find(running)).toMatchObject({ result: { exitCode: 0 } });
    expect((await harness.run('verify')).code).toBe(0);
    // Whoever signs in again sees how it ended.
    const again = signIn.visits.begin({ person: 'ada', roles: new Set(['view']) });
    const headers = { host: HOST, cookie: `__Host-tandem-console=${again}` };
    const seen = await opened.app.inject({ url: `/recovery/run?id=${running}`, headers });
    expect(textOf(seen.body)).toContain('Done');
  });

  test('ends by newer ones of the same person, and by nobody else who signs in again and again', async () => {
    const signIn = createSignIn({
      settings: SETTINGS,
      clock: { nowMs: () => 0 },
      onFault: () => undefined,
    });
    const begin = (person: string) =>
      signIn.visits.begin({ person, roles: new Set<Role>(['view']) });
    const bert = begin('bert');
    const ada = Array.from({ length: 60 }, () => begin('ada'));
    expect(signIn.visits.find(bert)?.person).toBe('bert');
    const left = ada.filter((cookie) => signIn.visits.find(cookie) !== undefined);
    expect(left).toEqual(ada.slice(-3));
  });

  test('ends by leaving, also for who kept the cookie', async () => {
    const { get, post } = await open(['view']);
    const { statusCode, headers } = await post('/leave');
    expect({ statusCode, location: headers.location }).toEqual({
      statusCode: 303,
      location: '/left',
    });
    expect((await get('/')).statusCode).toBe(303);
  });
});

describe('G1: a console with a name of its own', () => {
  test.each([
    ['by an address', { host: '10.0.0.7:8080' }],
    ['by a name of its cluster', { host: 'console' }],
    ['by its name with another port', { host: `${HOST}:444` }],
    ['from a page of its name without https', { host: HOST, origin: `http://${HOST}` }],
    ['from a page of another site', { host: HOST, origin: 'https://evil.example' }],
    ['from a page of a sibling', { host: HOST, 'sec-fetch-site': 'same-site' }],
  ])('does not look at what is asked %s', async (_, headers) => {
    const { opened } = await open(['view']);
    for (const url of ['/', '/enter', '/sign-in', '/assets/console.js']) {
      const { statusCode } = await opened.app.inject({ url, headers });
      expect({ url, statusCode }).toEqual({ url, statusCode: 403 });
    }
  });

  test('answers probes, which have neither a name nor an identity', async () => {
    const { opened } = await open(['view']);
    for (const url of ['/health/live', '/health/serving']) {
      const { statusCode, body } = await opened.app.inject({
        url,
        headers: { host: '10.0.0.7:8080' },
      });
      expect({ statusCode, body }).toEqual({ statusCode: 200, body: '{"status":"ok"}' });
    }
  });

  test('takes no code of a terminal, and sends nobody to another place', async () => {
    const { opened } = await open(['view']);
    const headers = { host: HOST };
    const payload = `code=${opened.access.code()}`;
    const type = 'application/x-www-form-urlencoded';
    const asked = { method: 'POST', url: '/enter', payload } as const;
    const { statusCode } = await opened.app.inject({
      ...asked,
      headers: { ...headers, 'content-type': type },
    });
    expect(statusCode).toBe(404);
    for (const to of ['//evil.example', 'https://evil.example', '/\\evil.example', '/a"b', 'x']) {
      const url = `/enter?${new URLSearchParams({ to }).toString()}`;
      expect((await opened.app.inject({ url, headers })).body).toContain('/sign-in?to=%2F"');
    }
  });
});
