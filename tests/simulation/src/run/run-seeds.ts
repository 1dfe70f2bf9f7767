import type { SeedResult } from './seed-result.ts';
import { startSeedWorker } from './seed-worker.ts';

export interface RunSeedsOptions {
  readonly seeds: readonly number[];
  readonly workers: number;
  readonly mutant?: string;
  readonly onResult: (result: SeedResult) => void;
  /** Asked before each seed; true ends it early. */
  readonly isDone?: () => boolean;
}

/** Runs the seeds in processes. In what order they end says nothing. */
export async function runSeeds(options: RunSeedsOptions): Promise<void> {
  const { seeds, workers, mutant, onResult, isDone = () => false } = options;
  const waiting = [...seeds].reverse();
  const runLane = async (): Promise<void> => {
    const worker = await startSeedWorker(mutant);
    try {
      for (;;) {
        const seed = isDone() ? undefined : waiting.pop();
        if (seed === undefined) return;
        onResult(await worker.run({ seed }));
      }
    } finally {
      await worker.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, seeds.length) }, runLane));
}
