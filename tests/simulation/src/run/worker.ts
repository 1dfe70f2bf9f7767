import { parentPort, workerData } from 'node:worker_threads';
import { installMutant } from '../mutants/install-mutant.ts';
import { findMutant } from '../mutants/mutants.ts';
import type { RunOptions } from './run-seed.ts';

export interface WorkerData {
  /** Undefined for the code as it is. */
  readonly mutant: string | undefined;
}

/** The sources of thousands of errors are of no use, and cost a third of the time. */
const STACK_FRAMES = 3;

Error.stackTraceLimit = STACK_FRAMES;
const { mutant } = workerData as WorkerData;
if (mutant !== undefined) installMutant(findMutant(mutant));
// Only now: what it imports is what the mutant is in.
const { runSeed } = await import('./run-seed.ts');

const answer = async (options: RunOptions): Promise<void> => {
  const result = await runSeed(options);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window.
  parentPort?.postMessage(result);
};

parentPort?.on('message', (options: RunOptions) => void answer(options));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window.
parentPort?.postMessage('loaded');
