// Runs the pinned pnpm without anything installed before: `node scripts/pnpm.mjs run dev`.
// It must itself run on Node 20, and it owns what it starts: npm passes a SIGTERM on to this
// process only, which would leave pnpm and its children behind, so they get a process group of
// their own and the signal goes to the whole group.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const PARENT_CHECK_MS = 500;

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
setInterval(() => {
  if (process.ppid !== parent) signalGroup('SIGTERM');
}, PARENT_CHECK_MS).unref();

child.on('error', (error) => {
  process.stderr.write(`npx could not be started: ${error.message}. Install npm 10 or newer.\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1));
});
