// Runs the pinned pnpm without anything installed before: `node scripts/pnpm.mjs run dev`. With `--small` before the command
// a clone that was never installed gets what regions on this machine need and no more: linters, tests, generators and
// infrastructure are two thirds of all packages, and who looks at two regions uses none of them.
// It must itself run on Node 20, and it owns what it starts: npm passes a SIGTERM on to this
// process only (to the shell, if the script did not begin with `exec`), which would leave pnpm and
// its children behind, so they get a process group of their own, the signal goes to the whole
// group, and this process ends last.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const PARENT_CHECK_MS = 500;
const GROUP_CHECK_MS = 50;
/** Longer than an orderly stop of two regions may take. */
const GROUP_END_MS_MAX = 60_000;

/**
 * What `npm start`, the demo and `tandem` run, and the Node that runs them, which is the root's. The lockfile is trusted as the code
 * beside it is, and each package is held against the hash in it; to ask the registry how old all 1,400 are, those of tests
 * too, takes most of a first start. The install of everything asks.
 */
const SMALL_INSTALL = [
  '--frozen-lockfile',
  '--trust-lockfile',
  '--prod',
  '--filter',
  'tandem',
  '--filter',
  '@tandem/local...',
  '--filter',
  '@tandem/demo...',
];

/** Where one is installed with the rest the Node that runs this only has to get so far. */
const HAS_OWN_NODE = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
const NODE_MIN = HAS_OWN_NODE ? 20 : 24;

if (Number.parseInt(process.versions.node, 10) < NODE_MIN) {
  process.stderr.write(
    `Node ${NODE_MIN} or newer is needed and this is Node ${process.versions.node}: install a newer one from https://nodejs.org.\n`,
  );
  process.exit(1);
}

const ROOT = new URL('../', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
const isFlagged = process.argv[2] === '--small';
const command = process.argv.slice(isFlagged ? 3 : 2);

let child;
let isStopping = false;

/** Runs pnpm, and resolves to its exit code once its whole group has ended. */
function run(args) {
  child = spawn('npx', ['-y', '--allow-scripts=pnpm', manifest.packageManager, ...args], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  });
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(
        `npx could not be started: ${error.message}. Install npm 10 or newer.\n`,
      );
      resolve(1);
    });
    child.on('exit', async (code, signal) => {
      // npx ends at once when it is told to; what it started may still be stopping in order.
      const deadlineMs = Date.now() + GROUP_END_MS_MAX;
      while (isGroupAlive() && Date.now() < deadlineMs) await delay(GROUP_CHECK_MS);
      resolve(signal ? 128 + constants.signals[signal] : (code ?? 1));
    });
  });
}

/** Says by what pnpm has noted whether nothing is installed, what is needed to start, or everything. */
function readInstalled() {
  try {
    const state = new URL('node_modules/.pnpm-workspace-state-v1.json', ROOT);
    return JSON.parse(readFileSync(state, 'utf8')).settings.dev === false ? 'small' : 'all';
  } catch {
    // An install that was cut off has left neither; what else is there pnpm judges itself.
    return existsSync(new URL('node_modules/.modules.yaml', ROOT)) ? 'all' : 'nothing';
  }
}

/** Returns what has to be run before the command. Where all is installed pnpm itself sees to it that it stays so. */
function installBefore() {
  const installed = readInstalled();
  // What `npm start` says to type.
  if (isFlagged || command[0] === 'tandem') return installed === 'all' ? undefined : SMALL_INSTALL;
  // What pnpm would take for complete lacks what develops.
  return installed === 'small' && command[0] !== 'install' ? [] : undefined;
}

function signalGroup(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isStopping = true;
    signalGroup(signal);
  });
}

// A parent killed with SIGKILL cannot pass anything on; being handed to another parent tells.
const parent = process.ppid;
const parentCheck = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(parentCheck);
  isStopping = true;
  signalGroup('SIGTERM');
}, PARENT_CHECK_MS).unref();

function isGroupAlive() {
  try {
    process.kill(-child.pid, 0);
    return true;
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
    return false;
  }
}

const install = installBefore();
const installed = install === undefined ? 0 : await run(['install', ...install]);
process.exit(installed === 0 && !isStopping ? await run(command) : installed);
