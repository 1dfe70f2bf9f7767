// `npm start` as a person runs it: through npm, with its own process group, and with curl.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { reserveFreePorts } from '@tandem/local-cluster';
import { describe, expect, it, onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const START_MS_MAX = 120_000;
const TEST_MS_MAX = 240_000;
const PATIENCE = { timeout: 60_000, interval: 200 };

interface Started {
  readonly npm: ChildProcess;
  readonly portBase: number;
  readonly output: () => string;
}

async function npmStart(...options: readonly string[]): Promise<Started> {
  const { base: portBase, release } = await reserveFreePorts(['east', 'west', 'north']);
  onTestFinished(release);
  const data = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  const npm = spawn(
    'npm',
    ['start', '--', '--port-base', String(portBase), '--data', join(data, 'our data'), ...options],
    { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  onTestFinished(async () => {
    if (npm.exitCode === null && npm.signalCode === null) npm.kill('SIGKILL');
    await expect.poll(() => openPorts(portBase), PATIENCE).toEqual([]);
    await rm(data, { recursive: true, force: true });
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const isOver = (): boolean => npm.exitCode !== null || /^Ready\./m.test(output);
  await expect.poll(isOver, { timeout: START_MS_MAX, interval: 100 }).toBe(true);
  if (npm.exitCode !== null) throw new Error(`npm start ended with ${npm.exitCode}: ${output}`);
  return { npm, portBase, output: () => output };
}

/** Returns those of the block that someone listens on. */
async function openPorts(portBase: number): Promise<number[]> {
  const ofRegions = [10, 20, 30].flatMap((first) => [0, 1, 2, 3, 4, 5].map((nth) => first + nth));
  const ports = [0, 1, ...ofRegions].map((offset) => portBase + offset);
  const open = await Promise.all(ports.map(isOpen));
  return ports.filter((_, index) => open[index]);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function runInShell(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: ROOT });
  return stdout;
}

/** Opens the link of the console as a browser without script would; returns what reads its first page. */
async function enterConsole(output: string): Promise<() => Promise<string>> {
  const [, origin = '', code = ''] = /Console: (http:\/\/\S+?)\/enter#(\S+)/.exec(output) ?? [];
  const body = new URLSearchParams({ code });
  const entered = await fetch(`${origin}/enter`, { method: 'POST', body, redirect: 'manual' });
  const [cookie = ''] = entered.headers.get('set-cookie')?.split(';') ?? [];
  return async () => (await fetch(origin, { headers: { cookie } })).text();
}

describe('npm start', () => {
  it(
    'prints commands that work and a console that says how to lose a region, and leaves nothing when npm alone gets a SIGTERM',
    async () => {
      const { npm, portBase, output } = await npmStart();
      // The console listens a moment after the rest.
      await expect.poll(() => openPorts(portBase), PATIENCE).toHaveLength(14);
      expect(output()).toContain(`Console: http://127.0.0.1:${portBase + 1}/enter#`);
      const [messages = ''] = output().match(/http:\/\/127\.0\.0\.1:\d+\/\$messages/) ?? [];
      expect(await (await fetch(messages)).text()).toContain('<h1>Queues</h1>');
      const [write = '', read = '', front = ''] = output().match(/(?:version=.*)?curl .*/g) ?? [];
      // C11: pasted at once, one behind the other.
      expect(await runInShell(`${write}\n${read}`)).toMatch(/^version .+\n\{.*"referenceId"/);
      expect(await runInShell(`${front} -sS`)).toMatch(
        /x-tandem-endpoint: east[^]*"firstName":"Ada"/,
      );
      const readConsole = await enterConsole(output());
      const [, lose = ''] = /id="lose-east">([^<]+)</.exec(await readConsole()) ?? [];
      await runInShell(lose.replaceAll('&#39;', "'"));
      await expect.poll(readConsole, PATIENCE).toContain('east takes no traffic');
      for (const name of ['API', 'Table endpoint', 'replicator', 'broker']) {
        expect(output()).toContain(`The ${name} of east was ended by SIGKILL`);
        expect(output()).toContain(`  ${name} of east: started again in 90000 ms`);
      }

      const ended = once(npm, 'exit');
      npm.kill('SIGTERM');
      await ended;
      expect(await openPorts(portBase)).toEqual([]);
      expect(output()).toContain('Stopped.');
    },
    TEST_MS_MAX,
  );

  it(
    'with names starts a region of each, all that it prints is of them, and it stops in order when its group gets a SIGINT, as from Ctrl-C',
    async () => {
      const { npm, portBase, output } = await npmStart('--regions', 'tokyo,lima,oslo');
      await expect.poll(() => openPorts(portBase), PATIENCE).toHaveLength(20);
      expect(output()).toContain('Read it in oslo:');
      const [write = '', read = ''] = output().match(/(?:version=.*)?curl .*/g) ?? [];
      expect(read).toContain(`:${portBase + 30}/`);
      expect(await runInShell(`${write}\n${read}`)).toMatch(/^version .+\n\{.*"referenceId"/);
      // The folder of the data is not the one where a command looks by itself.
      const [verify = ''] = output().match(/node scripts\/pnpm\.mjs tandem .* verify/) ?? [];
      expect(await runInShell(verify)).toMatch(/tokyo[^]*lima[^]*oslo/);
      const ended = once(npm, 'exit');
      if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGINT');
      await ended;
      await expect.poll(() => openPorts(portBase), PATIENCE).toEqual([]);
      expect(output()).toContain('Stopped.');
    },
    TEST_MS_MAX,
  );
});
