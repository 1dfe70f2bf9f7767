// pnpm verify: everything that must hold before a commit lands, in the order in which it fails
// fastest. Prints one line a step, stops at the first failure, and says last what failed: who reads a
// run of half an hour begins at its end.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/**
 * Where every process of the tests finds what another has compiled, which takes a third of the processor's time from the start of a
 * service. Set to nothing outside, it is off, as counting covered lines wants it.
 */
const environment = { NODE_COMPILE_CACHE: `${ROOT}node_modules/.cache/node`, ...process.env };

const steps = [
  ['format', 'pnpm', ['run', 'lint:format']],
  ['lint', 'pnpm', ['run', 'lint:code']],
  ['boundaries', 'pnpm', ['run', 'lint:boundaries']],
  ['unused code', 'pnpm', ['run', 'lint:unused']],
  ['build and types', 'pnpm', ['run', 'typecheck']],
  // Every suite, also beside one that has failed. The end-to-end tests come last, on containers where an
  // engine answers, else on processes: their last line says which.
  ['tests', 'pnpm', ['exec', 'turbo', 'run', 'test', '--continue=always']],
];

/** Bounds what is kept of a suite's output in case it fails. */
const LINES_KEPT_MAX = 400;
const LINES_REPEATED_MAX = 120;
/** What a test printed while it ran stands before the list of failures. */
const LINES_BEFORE_FAILURES = 60;
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'gu');

/** Keeps the last lines of every suite by its name, and the names of those that failed. */
function createKeeper() {
  const suites = new Map();
  const failed = new Set();
  const add = (raw) => {
    const line = raw.replace(COLOUR, '');
    const suite = /^(\S+):test: (.*)$/u.exec(line);
    if (suite !== null) {
      const lines = suites.get(suite[1]) ?? [];
      lines.push(suite[2]);
      if (lines.length > LINES_KEPT_MAX) lines.shift();
      suites.set(suite[1], lines);
    }
    const failures = /^\s*Failed:\s+(.*)$/u.exec(line);
    for (const name of failures?.[1].split(',') ?? []) failed.add(name.trim().split('#')[0]);
  };
  /** Returns what each failed suite said of its failures, or its last lines where it ended without a word. */
  const failures = () =>
    [...failed].map((name) => {
      const lines = suites.get(name) ?? [];
      const failures = lines.findIndex((line) => line.includes('Failed Tests'));
      const begin = Math.max(
        failures < 0 ? lines.length - LINES_REPEATED_MAX : failures - LINES_BEFORE_FAILURES,
        0,
      );
      const told = lines.slice(begin, begin + LINES_BEFORE_FAILURES + LINES_REPEATED_MAX);
      return [`── ${name} failed`, ...told].join('\n');
    });
  return { add, failures };
}

async function passOn(output, keeper) {
  for await (const line of createInterface({ input: output })) {
    process.stdout.write(`${line}\n`);
    keeper.add(line);
  }
}

/** Runs one step with its output passed on line by line, and returns its exit code. */
async function run(command, args, keeper) {
  const child = spawn(command, args, {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: process.stdout.isTTY ? { ...environment, FORCE_COLOR: '1' } : environment,
  });
  const ended = new Promise((resolve, reject) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', reject);
  });
  const [code] = await Promise.all([ended, passOn(child.stdout, keeper)]);
  return code;
}

/** Nothing hangs on a service that does not end: the tests compile what it has left. */
const LOAD_MS_MAX = 60_000;

/**
 * Has each service load once, which ends with the first setting that it lacks. A process writes what it has compiled when it ends:
 * ten that are told to stop would all write the same thousands of files, for longer than a test waits.
 */
function compileServices() {
  const { PATH, NODE_COMPILE_CACHE } = environment;
  for (const service of ['customer-api', 'table-endpoint', 'replicator', 'traffic-manager']) {
    const main = `${ROOT}apps/${service}/src/main.ts`;
    const options = { env: { PATH, NODE_COMPILE_CACHE }, timeout: LOAD_MS_MAX };
    spawnSync(process.execPath, [main], { ...options, stdio: 'ignore' });
  }
}

const keeper = createKeeper();
const results = [];
let isFailed = false;
for (const [name, command, args] of steps) {
  const startedAt = Date.now();
  if (name === 'tests') compileServices();
  process.stdout.write(`\n── ${name}: ${command} ${args.join(' ')}\n`);
  isFailed = (await run(command, args, keeper)) !== 0;
  results.push(`${isFailed ? 'FAILED' : 'ok    '} ${name} (${Date.now() - startedAt} ms)`);
  if (isFailed) break;
}
for (const told of keeper.failures()) process.stdout.write(`\n${told}\n`);
process.stdout.write(
  `\n${results.join('\n')}\n\n${results.length - Number(isFailed)} passed, ${Number(isFailed)} failed\n`,
);
process.exit(isFailed ? 1 : 0);
