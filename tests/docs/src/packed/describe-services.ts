// The examples that are more than a page of a README shows, from the packed packages in a stranger's folder: a shop over
// Fastify, a process for each of three regions, and a project that tests its queues with the emulator in its own vitest.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { until } from '@tandem/region/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../guarantees-page.ts';
import { type Installed, newcomersEnvironment, run } from './install-packed.ts';
import { createPlace, type Place, stopPlace } from './place.ts';

const REGIONS = ['east', 'north', 'west'] as const;
type RegionName = (typeof REGIONS)[number];

interface Asked {
  readonly session?: string | undefined;
  readonly body?: unknown;
  readonly prefer?: string;
}

export function describeServices(installed: () => Installed): void {
  describe('a shop over Fastify in three regions', () => {
    const places = new Map<RegionName, Place>();
    const processes: ChildProcess[] = [];

    const placeOf = (region: RegionName): Place => {
      const place = places.get(region);
      if (place === undefined) throw new Error(`${region} has no place yet`);
      return place;
    };

    function start(region: RegionName): void {
      const { azurite, emulator, port } = placeOf(region);
      const peers = REGIONS.filter((other) => other !== region).map((other) => ({
        region: other,
        connection: placeOf(other).emulator.connectionString,
      }));
      const env = {
        PATH: process.env['PATH'] ?? '',
        REGION_ID: region,
        STORAGE_CONNECTION: azurite.connectionString,
        SERVICE_BUS_CONNECTION: emulator.connectionString,
        SERVICE_BUS_ADMINISTRATION_CONNECTION: emulator.adminConnectionString,
        PEERS: JSON.stringify(peers),
        MESSAGES_WIRE_VERSION: '4',
        PORT: String(port),
      };
      const { folder: cwd } = installed();
      processes.push(spawn(process.execPath, ['shop.ts'], { cwd, env, stdio: 'inherit' }));
    }

    async function ask(
      region: RegionName,
      path: string,
      { session, body, prefer }: Asked = {},
    ): Promise<Response> {
      const headers = new Headers(session === undefined ? {} : { 'x-session': session });
      if (prefer !== undefined) headers.set('prefer', prefer);
      if (body !== undefined) headers.set('content-type', 'application/json');
      const response = await fetch(`http://127.0.0.1:${placeOf(region).port}${path}`, {
        headers,
        ...(body === undefined ? {} : { method: 'PUT', body: JSON.stringify(body) }),
      });
      // As a client does who is told to ask again.
      if (response.status === 503) throw new Error(await response.text());
      return response;
    }

    const untilAnswered = (region: RegionName, path: string, asked?: Asked): Promise<Response> =>
      until(`an answer of ${region} to ${path}`, () => ask(region, path, asked));

    beforeAll(async () => {
      cpSync(`${ROOT}/examples/shop/shop.ts`, join(installed().folder, 'shop.ts'));
      for (const region of REGIONS) places.set(region, await createPlace());
      for (const region of REGIONS) start(region);
      for (const region of REGIONS) await untilAnswered(region, '/products/none');
    });

    afterAll(async () => {
      for (const child of processes) child.kill('SIGKILL');
      await Promise.all([...places.values()].map(stopPlace));
    });

    test('a write that asks for it is answered when both other regions have it queued', async () => {
      // A peer that was out of reach a moment ago is not waited for, and the same again would be no write.
      let cents = 4_200;
      const written = await until('a write that is queued everywhere', async () => {
        cents += 1;
        const body = { name: 'Pump 7', cents };
        const answer = await ask('east', '/products/pump', { body, prefer: 'ack=queued' });
        const by = answer.headers.get('x-acknowledged-by');
        if (by !== 'north,west') throw new Error(`only by ${by}`);
        expect(answer.headers.get('x-acknowledged')).toBe('queued');
        return { body, session: answer.headers.get('x-session') ?? '' };
      });
      const { body, session } = written;
      const read = await untilAnswered('north', '/products/pump', { session });
      expect(await read.json()).toEqual(body);
    });

    test('who goes to another region sees the row without declared columns that he wrote', async () => {
      const stars = { stars: 5 };
      const written = await untilAnswered('west', '/products/pump/reviews/ada', { body: stars });
      expect(written.status).toBe(200);
      const session = written.headers.get('x-session') ?? '';
      const read = await untilAnswered('east', '/products/pump/reviews', { session });
      expect(await read.json()).toEqual({ ada: 5 });
    });

    test('what is never taken is answered with its code, and no retry', async () => {
      const body = { name: 'x'.repeat(81), cents: 1 };
      const answer = await untilAnswered('north', '/products/pump', { body });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ code: 'ENTITY_INVALID' });
    });

    test('it becomes ready, and stops in order when it is told to', async () => {
      await until('ready', async () => {
        const { ok } = await ask('east', '/health/ready');
        return ok;
      });
      const [east] = processes;
      if (east === undefined) throw new Error('east was not started');
      const ended = once(east, 'exit');
      east.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    });
  });

  test('npm create writes a project that runs, compiles and passes its tests at once', async () => {
    const { folder } = installed();
    const program = join(folder, 'node_modules/.bin/create-tandem');
    const env = newcomersEnvironment();
    const here = { cwd: folder, env };
    const args = [program, 'our-notes', '--packages', folder];
    const { stdout } = await run(process.execPath, args, here);
    expect(stdout).toContain('  cd our-notes\n  npm start\n  npm test\n');
    const there = { cwd: join(folder, 'our-notes'), env };
    const started = await run('npm', ['start'], there);
    expect(started.stdout).toMatch(
      /^east: written\nwest: \{ text: 'Buy milk', done: false \}\n$/mu,
    );
    await run('npm', ['run', 'types'], there);
    expect((await run('npm', ['test'], there)).stdout).toMatch(/2 passed/u);
    await expect(run(process.execPath, args, here)).rejects.toThrow(
      'has files in it: name a folder',
    );
    const below = join('package.json', 'our-notes');
    await expect(run(process.execPath, [program, below, ...args.slice(2)], here)).rejects.toThrow(
      /cannot be written by this user \(ENOTDIR\): name a folder/,
    );
  });

  test.each(['packages/create/README.md', 'docs/library.md'])(
    'npm create is run from its packed file as %s says',
    async (page) => {
      const { folder } = installed();
      const text = readFileSync(`${ROOT}/${page}`, 'utf8');
      const [, command = ''] = /(npx [^`\n]*tandem-create[^`\n]*)/u.exec(text) ?? [];
      const name = `notes-of-${basename(page, '.md').toLowerCase()}`;
      const here = command.replaceAll('/tmp/tandem', folder).replace('my-notes', name);
      // npx keeps what it has run for good, and this folder is there for this test alone. Nobody is there to be asked.
      const npm = { npm_config_cache: join(folder, 'npx'), npm_config_yes: 'true' };
      const env = { ...newcomersEnvironment(), ...npm };
      await run('bash', ['-c', `${here} --no-install`], { cwd: folder, env });
      expect(existsSync(join(folder, name, 'package.json'))).toBe(true);
    },
  );

  test("the emulator serves the tests of another project in that project's own vitest", async () => {
    const folder = join(installed().folder, 'queue-test');
    mkdirSync(folder, { recursive: true });
    for (const file of ['orders-queue.test.ts', 'orders-queue.container.test.ts']) {
      cpSync(`${ROOT}/examples/queue-test/${file}`, join(folder, file));
    }
    // What it brings for its containers is large, and no package of ours needs it: not installed once more for this.
    const [from, to] = ['examples/queue-test/node_modules/testcontainers', 'node_modules'];
    mkdirSync(join(folder, to));
    symlinkSync(`${ROOT}/${from}`, join(folder, to, 'testcontainers'));
    const vitest = join(installed().folder, 'node_modules/vitest/vitest.mjs');
    const args = [vitest, 'run', '--root', folder, '--testTimeout', '60000'];
    const { stdout, stderr } = await run(process.execPath, args, { env: newcomersEnvironment() });
    // The one in a container runs with the end-to-end tests, where its image is built.
    expect(stripVTControlCharacters(stdout)).toMatch(/2 passed \| 1 skipped/u);
    expect(stderr).toContain('EMULATOR_IMAGE is not set: the tests in a container are left out.');
  });
}
