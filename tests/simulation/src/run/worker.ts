import { installMutant } from '../mutants/install-mutant.ts';
import { findMutant } from '../mutants/mutants.ts';
import type { RunOptions } from './run-seed.ts';

/** The sources of thousands of errors are of no use, and cost a third of the time. */
const STACK_FRAMES = 3;

Error.stackTraceLimit = STACK_FRAMES;
const [mutant] = process.argv.slice(2);
if (mutant !== undefined) installMutant(findMutant(mutant));
// Only now: what it imports is what the mutant is in.
const { runSeed } = await import('./run-seed.ts');

const answer = async (options: RunOptions): Promise<void> => {
  process.send?.(await runSeed(options));
};

process.on('message', (options: RunOptions) => void answer(options));
// Whoever asked is gone or has enough.
process.once('disconnect', () => process.exit());
process.send?.('loaded');
