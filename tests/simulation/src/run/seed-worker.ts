import { Worker } from 'node:worker_threads';
import type { RunOptions } from './run-seed.ts';
import type { SeedResult } from './seed-result.ts';
import type { WorkerData } from './worker.ts';

/** A thread with the code loaded, as it is or with a mutant, that runs one seed at a time. */
export interface SeedWorker {
  run(options: RunOptions): Promise<SeedResult>;
  close(): Promise<void>;
}

/** A run that takes longer hangs, in real time. */
const RUN_MS_MAX = 120_000;

/** Throws when the code, or the mutant in it, cannot be loaded: that says nothing about the code. */
export async function startSeedWorker(mutant?: string): Promise<SeedWorker> {
  const data: WorkerData = { mutant };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  worker.removeAllListeners('error');
  // Nobody may be asking when it fails; whoever asks next is told.
  let failure: Error | undefined;
  worker.on('error', (error: Error) => {
    failure = error;
  });
  return {
    run: (options) =>
      new Promise((resolve) => {
        if (failure !== undefined) return resolve(brokenResult(options.seed, failure.message));
        const end = (result: SeedResult): void => {
          clearTimeout(timer);
          worker.removeAllListeners('message');
          worker.off('error', onError);
          resolve(result);
        };
        const onError = (error: Error): void => end(brokenResult(options.seed, error.message));
        const timer = setTimeout(() => {
          failure = new Error(`no end within ${RUN_MS_MAX} ms`);
          end(brokenResult(options.seed, failure.message));
        }, RUN_MS_MAX);
        worker.once('message', end);
        worker.once('error', onError);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window.
        worker.postMessage(options);
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}

/** A thread that died has shown that something is wrong as surely as a checker. */
function brokenResult(seed: number, message: string): SeedResult {
  return {
    seed,
    operations: 0,
    acknowledged: 0,
    events: 0,
    simulatedMs: 0,
    digest: '',
    violations: [{ checker: 'broken', message }],
    faults: {},
    happened: [],
    sitesSeen: [],
    sitesCrashed: [],
  };
}
