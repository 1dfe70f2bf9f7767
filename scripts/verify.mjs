// pnpm verify: everything that must hold before a commit lands, in the order in which it fails
// fastest. Prints one line a step, and stops at the first failure.
import { spawnSync } from 'node:child_process';

const steps = [
  ['format', 'pnpm', ['run', 'lint:format']],
  ['lint', 'pnpm', ['run', 'lint:code']],
  ['boundaries', 'pnpm', ['run', 'lint:boundaries']],
  ['unused code', 'pnpm', ['run', 'lint:unused']],
  ['build and types', 'pnpm', ['run', 'typecheck']],
  ['tests', 'pnpm', ['exec', 'vitest', 'run', '--project', '!e2e']],
  // On containers where an engine answers, else on processes: its last line says which.
  ['end-to-end tests', 'pnpm', ['run', 'e2e']],
];

// Less than what pnpm e2e sends, so that a machine which is busy with something else keeps up.
process.env.E2E_RATE ??= '50';

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
