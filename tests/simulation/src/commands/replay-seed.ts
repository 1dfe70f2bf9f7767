import { writeFile } from 'node:fs/promises';
import type { SeedResult } from '../run/seed-result.ts';
import { type SeedWorker, startSeedWorker } from '../run/seed-worker.ts';
import { shrink } from '../run/shrink.ts';
import { describeViolations, type Output, replayCommand, say, sayResult } from './output.ts';

export interface ReplayRequest {
  readonly seed: number;
  readonly mutant: string | undefined;
  /** Only these faults; all that the seed draws when undefined. */
  readonly only: readonly string[] | undefined;
  readonly traceFile: string | undefined;
}

const SHRINK_TRIES_MAX = 300;

/** Repeats one run. When it fails, looks for the shortest list of faults with which it still does. */
export async function replaySeedCommand(request: ReplayRequest, output: Output): Promise<number> {
  const { seed, mutant, only, traceFile } = request;
  const worker = await startSeedWorker(mutant);
  try {
    const result = await worker.run({
      seed,
      keepTrace: traceFile !== undefined,
      ...(only === undefined ? {} : { only: new Set(only) }),
    });
    const lines = result.trace ?? [];
    if (traceFile !== undefined) await writeFile(traceFile, `${lines.join('\n')}\n`);
    if (result.violations.length > 0) {
      for (const line of describeViolations(result.violations)) say(line);
      if (only === undefined) await sayShortest(worker, request, result);
    }
    const { operations, acknowledged, simulatedMs, digest, faults, violations } = result;
    sayResult({ seed, operations, acknowledged, simulatedMs, digest, faults, violations }, output);
    return result.violations.length === 0 ? 0 : 1;
  } finally {
    await worker.close();
  }
}

async function sayShortest(
  worker: SeedWorker,
  { seed, mutant }: ReplayRequest,
  result: SeedResult,
): Promise<void> {
  const checkers = new Set(result.violations.map(({ checker }) => checker));
  const fails = async (faults: readonly string[]): Promise<boolean> => {
    const { violations } = await worker.run({ seed, only: new Set(faults) });
    return violations.some(({ checker }) => checkers.has(checker));
  };
  say(`${result.happened.length} faults happened; looking for the fewest that fail…`);
  const shortest = await shrink(result.happened, fails, SHRINK_TRIES_MAX);
  say(`${shortest.length} are enough: ${replayCommand({ seed, mutant, only: shortest })}`);
}
