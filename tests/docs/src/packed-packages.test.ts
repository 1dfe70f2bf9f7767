// The packages as a stranger has them, installed from packed ones into a folder of his own; and there the service of one's own
// that the README shows, run as a process for each of two regions with what examples/compose sets: in west by the oldest Node that may.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reserveFreePorts } from '@tandem/local-cluster';
import { until } from '@tandem/region/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCompose } from './compose-file.ts';
import { ROOT } from './guarantees-page.ts';
import { describeExamples } from './packed/describe-examples.ts';
import { describePackages } from './packed/describe-packages.ts';
import { describePrepack } from './packed/describe-prepack.ts';
import { describeServices } from './packed/describe-services.ts';
import {
  type Installed,
  installPacked,
  newcomersEnvironment,
  run,
} from './packed/install-packed.ts';
import { createPlace, type Place, stopPlace } from './packed/place.ts';

const EXAMPLE = `${ROOT}/examples/orders/orders.ts`;
const COMPOSE = `${ROOT}/examples/compose/compose.yaml`;
const LINES_MAX = 30;
const INSTALL_MS_MAX = 900_000;
const WALK_MS_MAX = 300_000;

type RegionName = 'east' | 'west';

let folder: string;
let installed: Installed;

let places: Readonly<Record<RegionName, Place>>;
const processes = new Map<RegionName, ChildProcess>();

/** Returns what the compose file sets for the service of a region, with the places of this machine for those of its networks. */
function settingsOf(region: RegionName): Readonly<Record<string, string>> {
  const { services } = readCompose(COMPOSE);
  const texts = Object.entries(services[region]?.environment ?? {}).map(([name, text]) => {
    let here = text;
    for (const [other, { azurite, emulator }] of Object.entries(places)) {
      here = here
        .replace('DefaultEndpointsProtocol=https', 'DefaultEndpointsProtocol=http')
        .replace(`https://${other}-tables:10002`, `http://127.0.0.1:${azurite.port}`)
        .replace(`${other}-broker:5672`, `127.0.0.1:${emulator.amqpPort}`)
        .replace(`${other}-broker:5300`, `127.0.0.1:${emulator.adminPort}`);
    }
    return [name, here] as const;
  });
  // There is no TLS on loopback.
  return Object.fromEntries(texts.filter(([name]) => name !== 'NODE_EXTRA_CA_CERTS'));
}

/** Resolves once the service answers. */
async function start(region: RegionName): Promise<void> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...settingsOf(region),
    PORT: String(places[region].port),
  };
  const node = region === 'east' ? process.execPath : installed.nodes.oldest;
  const cwd = installed.folder;
  const child = spawn(node, ['orders.ts'], { cwd, env, stdio: 'inherit' });
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
  folder = mkdtempSync(join(tmpdir(), 'tandem-packed-'));
  installed = await installPacked(folder);
  cpSync(EXAMPLE, join(installed.folder, 'orders.ts'));
}, INSTALL_MS_MAX);

// As many files as the install has written.
afterAll(() => rmSync(folder, { recursive: true, force: true }), INSTALL_MS_MAX);

describePackages(() => installed);
describeExamples(() => installed);

describePrepack();
describeServices(() => installed);

test('what the README says to type starts it in two regions, and shows in one what was written in the other', async () => {
  const readme = readFileSync(`${ROOT}/README.md`, 'utf8');
  const [, block = ''] = /```sh\n(PATH=[^`]*node orders\.ts[^`]*)```/u.exec(readme) ?? [];
  // What its readers install besides is large, and no package of ours: it is not installed once more for this.
  const azurite = `${ROOT}/packages/local-cluster/node_modules/azurite/dist/src/table/main.js`;
  const command = join(installed.folder, 'node_modules/.bin/azurite-table');
  writeFileSync(command, `#!/bin/sh\nexec node "${azurite}" "$@"\n`, { mode: 0o755 });
  const ports = await reserveFreePorts(['east', 'west']);
  const here = block
    .replaceAll('7910', String(ports.plan.regions['east']?.api))
    .replaceAll('7920', String(ports.plan.regions['west']?.api));
  // Some of it is there before what it needs: a stranger sees that too, until it answers.
  const options = { cwd: installed.folder, env: newcomersEnvironment(), timeout: WALK_MS_MAX };
  try {
    const ending = `trap 'kill $(jobs -p) 2>/dev/null' EXIT; trap 'exit 1' TERM\n`;
    const { stdout } = await run('bash', ['-c', `${ending}${here}`], options);
    expect(stdout).toMatch(/\["pump","valve"\][^]*\["pump","valve"\]/u);
  } finally {
    await ports.release();
  }
});

describe("the service of one's own", () => {
  beforeAll(async () => {
    places = { east: await createPlace(), west: await createPlace() };
    await Promise.all([start('east'), start('west')]);
  });

  afterAll(async () => {
    await Promise.all([kill('east', 'SIGKILL'), kill('west', 'SIGKILL')]);
    await Promise.all(Object.values(places ?? {}).map(stopPlace));
  });

  test('the example has at most 30 lines, and the README shows all of them', () => {
    const source = readFileSync(EXAMPLE, 'utf8');
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX);
    expect(readFileSync(`${ROOT}/README.md`, 'utf8')).toContain(`\`\`\`ts\n${source}\`\`\`\n`);
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
});
