// pnpm verify: everything that must hold before a commit lands, in the order in which it fails
// fastest. Prints one line a step, and stops at the first failure.
import { spawnSync } from 'node:child_process';

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

const results = [];
for (const [name, command, args] of steps) {
  const startedAt = Date.now();
  process.stdout.write(`\n── ${name}: ${command} ${args.join(' ')}\n`);
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  results.push(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${Date.now() - startedAt} ms)`);
  if (status !== 0) break;
}
const failed = results.filter((line) => line.startsWith('FAILED')).length;
process.stdout.write(
  `\n${results.join('\n')}\n\n${results.length - failed} passed, ${failed} failed\n`,
);
process.exit(failed === 0 ? 0 : 1);
