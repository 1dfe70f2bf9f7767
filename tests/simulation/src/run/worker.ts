import { installMutant } from '../mutants/install-mutant.ts';
import { findMutant } from '../mutants/mutants.ts';
import type { RunOptions } from './run-seed.ts';
import type { WorkerMessage } from './seed-worker.ts';

/** The sources of thousands of errors are of no use, and cost a third of the time. */
const STACK_FRAMES = 3;

const say = (message: WorkerMessage, onSaid = (): void => undefined): void => {
  process.send?.(message, onSaid);
};

Error.stackTraceLimit = STACK_FRAMES;
process.once('uncaughtException', ({ message }: Error) =>
  say({ kind: 'failure', message }, () => process.exit(1)),
);
const [mutant] = process.argv.slice(2);
if (mutant !== undefined) installMutant(findMutant(mutant));
// Only now: what it imports is what the mutant is in.
const { runSeed } = await import('./run-seed.ts');

const answer = async (options: RunOptions): Promise<void> => {
  say({ kind: 'result', result: await runSeed(options) });
};

process.on('message', (options: RunOptions) => void answer(options));
// Whoever asked is gone or has enough.
process.once('disconnect', () => process.exit());
say({ kind: 'loaded' });
