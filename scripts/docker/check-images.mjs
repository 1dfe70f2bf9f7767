// Checks the images that build-images.mjs has made, and prints for each its row of docs/images.md:
// `node scripts/docker/check-images.mjs [--tag dev]`. Exits 1 when one runs as another user, starts
// without settings that it needs, does not name them all, or does not start on a read-only file system
// without capabilities; and when the command of the charts' pre-upgrade hook does not tell good settings
// from bad ones.
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { readOptions } from './read-options.mjs';

const USER = '65532:65532';
const KEY = 'SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE';
/** The key that every storage emulator publishes; it protects nothing. */
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const SERVICE = {
  REGION_ID: 'east',
  STORAGE_CONNECTION: `DefaultEndpointsProtocol=https;AccountName=devstoreaccount1;AccountKey=${ACCOUNT_KEY};TableEndpoint=https://azurite:10002/devstoreaccount1`,
  SERVICE_BUS_CONNECTION: broker(5672),
  SERVICE_BUS_ADMINISTRATION_CONNECTION: broker(5300),
  // A peer that is never there: a region starts without its peers.
  PEER_REGION: 'west',
  REDUNDANCY_SERVICE_BUS_CONNECTION: broker(1),
  AUTH_OPEN_NETWORK: 'true',
  // This is no test of trust: the certificate is not given to the services here.
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
};
const NEEDED = ['REGION_ID', 'STORAGE_CONNECTION'];
const CONSOLE = {
  TANDEM_REGIONS: JSON.stringify({
    version: 1,
    regions: [
      {
        name: 'east',
        storage: SERVICE.STORAGE_CONNECTION,
        serviceBus: SERVICE.SERVICE_BUS_CONNECTION,
      },
    ],
  }),
  TANDEM_CONSOLE_URL: 'https://console.example.com',
  TANDEM_CONSOLE_ISSUER: 'https://login.example.com',
  TANDEM_CONSOLE_CLIENT_ID: 'tandem-console',
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
};
/**
 * In the order in which they need each other. `needs`: what each must name when it gets nothing; `args`: of one that is a
 * command; `exit`: with which it ends then, where that is not 1.
 */
const IMAGES = [
  { name: 'azurite', port: 10_002, env: {}, needs: [] },
  { name: 'servicebus-emulator', port: 5_300, path: '/health', env: {}, needs: [] },
  { name: 'customer-api', port: 8_080, path: '/health/live', env: SERVICE, needs: NEEDED },
  { name: 'table-endpoint', port: 8_080, path: '/health/live', env: SERVICE, needs: NEEDED },
  {
    name: 'replicator',
    port: 8_080,
    path: '/health/live',
    env: SERVICE,
    needs: NEEDED,
    hasHook: true,
  },
  {
    name: 'operator',
    port: 8_080,
    path: '/health/live',
    env: CONSOLE,
    needs: ['TANDEM_CONSOLE_URL', 'TANDEM_CONSOLE_ISSUER', 'TANDEM_CONSOLE_CLIENT_ID'],
    args: ['console', '--host', '0.0.0.0', '--port', '8080'],
    exit: 2,
  },
  {
    name: 'traffic-manager',
    port: 8_080,
    path: '/_traffic-manager/status',
    env: { ENDPOINTS: 'east=http://customer-api:8080,west=http://nowhere:8080' },
    needs: ['ENDPOINTS'],
  },
];
const HARDENED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'];
const CALL_MS_MAX = 60_000;
const START_MS_MAX = 180_000;
const POLL_MS = 20;
const ASK_MS_MAX = 2_000;
/** The memory is read after this much time with nothing to do. */
const IDLE_MS = 10_000;

const USAGE = `Usage: node scripts/docker/check-images.mjs [--tag <tag>]

Checks the images that build-images.mjs has made, and prints for each its row of docs/images.md.
  --tag <tag>  of the images, dev unless given
Exits with 1 when one is not as it must be, with 2 for options that are not there.`;
const values = readOptions(USAGE, { tag: { type: 'string', default: 'dev' } });
const run = `tandem-check-${process.pid}`;

function broker(port) {
  return `Endpoint=sb://servicebus-emulator:${port};${KEY};UseDevelopmentEmulator=true`;
}

function docker(...args) {
  const options = { encoding: 'utf8', timeout: CALL_MS_MAX, stdio: ['ignore', 'pipe', 'inherit'] };
  return execFileSync('docker', args, options).trim();
}

function mustHold(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

const imageOf = (name) => `tandem-${name}:${values.tag}`;
const containerOf = (name) => `${run}-${name}`;

/** What it says without settings, and that nothing that it needs is missing from it. */
function runWithoutSettings({ name, needs, args = [], exit = 1 }) {
  if (needs.length === 0) return 'runs';
  const options = { encoding: 'utf8', timeout: CALL_MS_MAX };
  const { status, stdout, stderr } = spawnSync(
    'docker',
    ['run', '--rm', imageOf(name), ...args],
    options,
  );
  const said = `${stdout}${stderr}`;
  mustHold(status === exit, `${name} without settings exits with ${status}: ${said}`);
  for (const one of needs)
    mustHold(said.includes(`${one}`), `${name} does not name ${one}: ${said}`);
  return `exits with ${exit}, names ${needs.map((one) => `\`${one}\``).join(', ')}`;
}

/** What the charts run before an upgrade changes anything. */
function runHook({ name, env }, isGood) {
  const settings = { ...env, ...(isGood ? {} : { SERVICE_BUS_CONNECTION: '' }) };
  const args = ['--rm', ...HARDENED, '--network', run, ...environmentArgs(settings)];
  return spawnSync('docker', ['run', ...args, imageOf(name), '--check'], {
    encoding: 'utf8',
    timeout: CALL_MS_MAX,
  });
}

function checkHook(image) {
  const good = runHook(image, true);
  mustHold(good.status === 0, `--check refuses good settings: ${good.stdout}${good.stderr}`);
  const bad = runHook(image, false);
  const said = `${bad.stdout}${bad.stderr}`;
  const isNamed = said.includes('ServiceBusConnection') || said.includes('SERVICE_BUS_CONNECTION');
  mustHold(bad.status === 1 && isNamed, `--check lets bad settings pass: ${said}`);
}

function environmentArgs(env) {
  return Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
}

/** Whether it answers; one with a path must say that it is well. */
async function answers({ name, port, path }) {
  const [address] = docker('port', containerOf(name), String(port)).split('\n');
  const isTls = path === undefined;
  const url = `${isTls ? 'https' : 'http'}://${address}${path ?? '/'}`;
  const options = { rejectUnauthorized: false, signal: AbortSignal.timeout(ASK_MS_MAX) };
  const asking = (isTls ? https : http).get(url, options);
  try {
    const [response] = await once(asking, 'response');
    response.destroy();
    return path === undefined || response.statusCode === 200;
  } catch {
    // Refused, reset or too slow: it does not answer yet, and the caller gives up in time.
    return false;
  }
}

/** Resolves to the milliseconds from `docker run` to its first good answer. */
async function start(image) {
  const { name, port, env, args = [] } = image;
  const where = ['--name', containerOf(name), '--network', run, '--network-alias', name];
  const startedMs = performance.now();
  const published = ['--publish', `127.0.0.1::${port}`];
  docker(
    'run',
    '--detach',
    ...HARDENED,
    ...where,
    ...published,
    ...environmentArgs(env),
    imageOf(name),
    ...args,
  );
  while (!(await answers(image))) {
    const elapsedMs = performance.now() - startedMs;
    mustHold(
      elapsedMs < START_MS_MAX,
      `${name} does not answer: see docker logs ${containerOf(name)}`,
    );
    await delay(POLL_MS);
  }
  return Math.round(performance.now() - startedMs);
}

async function check() {
  const rows = [];
  for (const image of IMAGES) {
    const { Size, Config } = JSON.parse(docker('image', 'inspect', imageOf(image.name)))[0];
    mustHold(Config.User === USER, `${image.name} runs as "${Config.User}" and not as ${USER}`);
    const bare = runWithoutSettings(image);
    if (image.hasHook) checkHook(image);
    rows.push({ image: image.name, size: Size, bare, startMs: await start(image) });
  }
  await delay(IDLE_MS);
  for (const { image, size, bare, startMs } of rows) {
    const memory = docker('stats', '--no-stream', '--format', '{{.MemUsage}}', containerOf(image));
    const cells = [
      `\`${image}\``,
      `${Math.round(size / 1e6)} MB`,
      `${(startMs / 1_000).toFixed(1)} s`,
    ];
    process.stdout.write(`| ${[...cells, memory.split(' / ')[0], bare].join(' | ')} |\n`);
  }
}

docker('network', 'create', run);
try {
  await check();
} finally {
  const left = docker('ps', '--all', '--quiet', '--filter', `network=${run}`).split('\n');
  for (const id of left.filter((one) => one !== '')) docker('rm', '--force', '--volumes', id);
  docker('network', 'rm', run);
}
