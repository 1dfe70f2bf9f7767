// pnpm test:fast: what a change in progress is asked, within two minutes on two cores. It never takes longer: what is not done
// by then is ended, and said. Its last line says what it leaves out, because green here is not green.
//   fast.mjs [--seconds N] [--since REF]
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const SECONDS_MAX = 115;
/** How long what was told to end may take to do so. */
const END_MS_MAX = 5_000;
const LEFT_OUT =
  'Left out: rules of the linter that need types, unused code, tests of files that did not change and all that need a store or a broker (int, system, e2e, deploy). "npm test" has them.';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: String(SECONDS_MAX) }, since: { type: 'string' } },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) {
  process.stderr.write(`--seconds ${values.seconds} is no number of seconds above 0.\n`);
  process.exit(2);
}

function git(...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** What the change is measured from: where it left the main branch, or its last commit where there is none. */
function findBase() {
  const main = ['origin/main', 'main'].map((name) => git('merge-base', 'HEAD', name));
  return main.find((base) => base !== undefined) ?? 'HEAD';
}

const since = values.since ?? findBase();
const steps = [
  ['format', 'biome', ['check']],
  ['lint', 'oxlint', ['--deny-warnings']],
  ['boundaries', 'turbo', ['boundaries']],
  ['types', 'tsc', ['-b']],
  ['pure tests', 'vitest', ['run', '--project', 'unit', '--changed', since, '--passWithNoTests']],
];

const endsAt = Date.now() + seconds * 1_000;
/** Signals the group of the step that runs, if one does. */
let pass = () => undefined;
let stoppedBy;

// What runs has a group of its own, which no signal to this process reaches.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stoppedBy = signal;
    pass(signal);
    setTimeout(() => pass('SIGKILL'), END_MS_MAX).unref();
  });
}

/** Resolves to what became of it; it and its children are ended when time is up. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(join(ROOT, 'node_modules/.bin', command), args, {
      cwd: ROOT,
      stdio: 'inherit',
      detached: true,
    });
    let isCut = false;
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    const timers = [
      [endsAt, 'SIGTERM'],
      [endsAt + END_MS_MAX, 'SIGKILL'],
    ].map(([at, signal]) =>
      setTimeout(
        () => {
          isCut = true;
          end(signal);
        },
        Math.max(at - Date.now(), 0),
      ),
    );
    const settle = (outcome) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(outcome);
    };
    pass = end;
    child.once('error', (error) => {
      process.stderr.write(`${command} cannot be started: ${error.message}. Run "pnpm install".\n`);
      settle('failed');
    });
    child.once('exit', (code) => settle(isCut ? 'cut off' : code === 0 ? 'ok' : 'failed'));
  });
}

const results = [];
for (const [name, command, args] of steps) {
  if (stoppedBy !== undefined) {
    process.stdout.write(`\nEnded by ${stoppedBy}.\n`);
    process.exit(128 + constants.signals[stoppedBy]);
  }
  const isLate = Date.now() >= endsAt;
  if (!isLate) process.stdout.write(`\n── ${name}: ${command} ${args.join(' ')}\n`);
  results.push([name, isLate ? 'not begun' : await run(command, args)]);
}
process.stdout.write(
  `\n${results.map(([name, outcome]) => `${outcome.padEnd(9)} ${name}`).join('\n')}\n`,
);
const undone = results.filter(([, outcome]) => outcome === 'cut off' || outcome === 'not begun');
if (undone.length > 0) {
  const names = undone.map(([name]) => name).join(', ');
  process.stdout.write(`Time was up after ${seconds} s for: ${names}.\n`);
}
process.stdout.write(`${LEFT_OUT}\n`);
process.exit(results.every(([, outcome]) => outcome === 'ok') ? 0 : 1);
