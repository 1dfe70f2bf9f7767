// Runs the pinned pnpm without anything installed before: `node scripts/pnpm.mjs run dev`.
// It must itself run on Node 20, and it owns what it starts: npm passes a SIGTERM on to this
// process only (to the shell, if the script did not begin with `exec`), which would leave pnpm and
// its children behind, so they get a process group of their own, the signal goes to the whole
// group, and this process ends last.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const PARENT_CHECK_MS = 500;
const GROUP_CHECK_MS = 50;
/** Longer than an orderly stop of two regions may take. */
const GROUP_END_MS_MAX = 60_000;

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const child = spawn(
  'npx',
  ['-y', '--allow-scripts=pnpm', manifest.packageManager, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  },
);

function signalGroup(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => signalGroup(signal));
}

// A parent killed with SIGKILL cannot pass anything on; being handed to another parent tells.
const parent = process.ppid;
const parentCheck = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(parentCheck);
  signalGroup('SIGTERM');
}, PARENT_CHECK_MS).unref();

child.on('error', (error) => {
  process.stderr.write(`npx could not be started: ${error.message}. Install npm 10 or newer.\n`);
  process.exit(1);
});
child.on('exit', async (code, signal) => {
  // npx ends at once when it is told to; what it started may still be stopping in order.
  const deadlineMs = Date.now() + GROUP_END_MS_MAX;
  while (isGroupAlive() && Date.now() < deadlineMs) await delay(GROUP_CHECK_MS);
  process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1));
});

function isGroupAlive() {
  try {
    process.kill(-child.pid, 0);
    return true;
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
    return false;
  }
}
