// The service of one's own that the README shows, as a stranger has it: installed from packed packages into a folder of
// its own, compiled against their types, and run as a process for each of two regions.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '@tandem/region/testing';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const EXAMPLE = `${ROOT}/examples/orders/orders.ts`;
const LINES_MAX = 30;
/** What it imports, and what that does. */
const PACKAGES = ['core', 'storage', 'messaging', 'service-kit', 'telemetry', 'region'];
const COMPILER = {
  noEmit: true,
  strict: true,
  target: 'es2024',
  module: 'nodenext',
  skipLibCheck: true,
  types: ['node'],
  typeRoots: [`${ROOT}/node_modules/@types`],
};
const INSTALL_MS_MAX = 600_000;

type RegionName = 'east' | 'west';

const run = promisify(execFile);
const pnpm = (folder: string, ...args: readonly string[]) =>
  run(process.execPath, [`${ROOT}/scripts/pnpm.mjs`, ...args], { cwd: folder });

/** Makes the tarballs that would be published, and a project that has installed nothing else. */
async function installPacked(folder: string): Promise<void> {
  await pnpm(ROOT, 'exec', 'tsc', '-b', 'packages/region');
  const tarballs: string[] = [];
  for (const name of PACKAGES) {
    const args = ['pack', '--json', '--pack-destination', folder];
    const { stdout } = await pnpm(`${ROOT}/packages/${name}`, ...args);
    tarballs.push((JSON.parse(stdout) as { readonly filename: string }).filename);
  }
  const typebox = readFileSync(`${ROOT}/examples/orders/node_modules/typebox/package.json`, 'utf8');
  const { version } = JSON.parse(typebox) as { readonly version: string };
  writeFileSync(join(folder, 'package.json'), '{"name":"orders","private":true,"type":"module"}');
  const config = { compilerOptions: COMPILER, files: ['orders.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  cpSync(EXAMPLE, join(folder, 'orders.ts'));
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...quiet, ...tarballs, `typebox@${version}`], {
    cwd: folder,
    env: newcomersEnvironment(),
  });
}

/** What runs this test may have told its own npm things that are not for every folder. */
function newcomersEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')),
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Place {
  readonly azurite: Azurite;
  readonly emulator: Emulator;
  readonly port: number;
}

let folder: string;
let places: Readonly<Record<RegionName, Place>>;
const processes = new Map<RegionName, ChildProcess>();

async function createPlace(): Promise<Place> {
  return {
    azurite: await startAzurite(),
    emulator: await createEmulator(),
    port: await freePort(),
  };
}

/** Resolves once the service answers. */
async function start(region: RegionName): Promise<void> {
  const peer = region === 'east' ? 'west' : 'east';
  const { azurite, emulator, port } = places[region];
  const env = {
    PATH: process.env['PATH'] ?? '',
    REGION_ID: region,
    STORAGE_CONNECTION: azurite.connectionString,
    SERVICE_BUS_CONNECTION: emulator.connectionString,
    SERVICE_BUS_ADMINISTRATION_CONNECTION: emulator.adminConnectionString,
    REDUNDANCY_SERVICE_BUS_CONNECTION: places[peer].emulator.connectionString,
    PEER_REGION: peer,
    MESSAGES_WIRE_VERSION: '4',
    PORT: String(port),
  };
  const child = spawn(process.execPath, ['orders.ts'], { cwd: folder, env, stdio: 'inherit' });
  processes.set(region, child);
  await untilShown(region, 'nobody', {});
}

async function kill(region: RegionName, signal: NodeJS.Signals): Promise<number | null> {
  const child = processes.get(region);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = await ended;
  return code as number | null;
}

interface Answer {
  readonly items: unknown;
  readonly session: string;
}

interface Asked {
  readonly session?: string | undefined;
  readonly orders?: Readonly<Record<string, string>>;
}

async function ask(
  region: RegionName,
  customer: string,
  { session, orders }: Asked = {},
): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${places[region].port}/${customer}`, {
    headers: session === undefined ? {} : { 'x-session': session },
    ...(orders === undefined ? {} : { method: 'PUT', body: JSON.stringify(orders) }),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(body);
  return { items: JSON.parse(body), session: response.headers.get('x-session') ?? '' };
}

/** As a client does who is told to ask again. */
function untilShown(region: RegionName, customer: string, asked: Asked): Promise<Answer> {
  return until(`an answer of ${region}`, () => ask(region, customer, asked));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-orders-'));
  await installPacked(folder);
  places = { east: await createPlace(), west: await createPlace() };
  await Promise.all([start('east'), start('west')]);
}, INSTALL_MS_MAX);

afterAll(async () => {
  await Promise.all([kill('east', 'SIGKILL'), kill('west', 'SIGKILL')]);
  for (const { azurite, emulator } of Object.values(places ?? {})) {
    await Promise.all([azurite.stop(), emulator.close()]);
  }
  rmSync(folder, { recursive: true, force: true });
});

test('the example has at most 30 lines, and the README shows all of them', () => {
  const source = readFileSync(EXAMPLE, 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX);
  expect(readFileSync(`${ROOT}/README.md`, 'utf8')).toContain(`\`\`\`ts\n${source}\`\`\`\n`);
});

test('it compiles against the types of the packed packages', async () => {
  await pnpm(ROOT, 'exec', 'tsc', '-p', join(folder, 'tsconfig.json'));
});

test('two orders of one transaction are read in the other region, in their order', async () => {
  const { session } = await ask('east', 'ada', { orders: { '002': 'valve', '001': 'pump' } });
  expect((await untilShown('west', 'ada', { session })).items).toEqual(['pump', 'valve']);
});

test('I6: one region killed, the other serves, and what either acknowledged is in both after', async () => {
  const { session: first } = await ask('east', 'bob', { orders: { '001': 'pump' } });
  await kill('east', 'SIGKILL');
  // What was seen in east is there: it was sent before, or is when east is back.
  const { session } = await ask('west', 'bob', { orders: { '002': 'valve' } });
  expect((await ask('west', 'cyd', { orders: { '001': 'hose' } })).items).toEqual(['hose']);
  await start('east');
  const after = await untilShown('east', 'bob', { session });
  expect(after.items).toEqual(['pump', 'valve']);
  const shown = await untilShown('west', 'bob', { session: first });
  expect(shown.items).toEqual(['pump', 'valve']);
});

test('it stops in order when it is told to', async () => {
  expect(await kill('west', 'SIGTERM')).toBe(0);
});
