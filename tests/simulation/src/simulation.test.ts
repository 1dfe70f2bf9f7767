import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { PAST_FAILURES } from './run/past-failures.ts';
import { runSeeds } from './run/run-seeds.ts';
import type { SeedResult } from './run/seed-result.ts';
import { startSeedWorker } from './run/seed-worker.ts';
import { hashText } from './world/draw.ts';

/** `pnpm sim --seeds 2000` is the long form. */
const SMOKE_SEEDS = 30;
/** So that every commit looks where none has looked; `pnpm sim --commit <hash>` begins there too. */
const FRESH_SEEDS = 10;
const WORKERS = 1;

function freshSeeds(): readonly number[] {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' });
  const first = hashText((stdout ?? '').trim(), 0);
  return Array.from({ length: FRESH_SEEDS }, (_, index) => first + index);
}

async function resultsOf(seeds: readonly number[]): Promise<readonly SeedResult[]> {
  const results: SeedResult[] = [];
  await runSeeds({ seeds, workers: WORKERS, onResult: (result) => void results.push(result) });
  return results;
}

async function resultWith(mutant: string, seed: number): Promise<SeedResult> {
  const worker = await startSeedWorker(mutant);
  try {
    return await worker.run({ seed });
  } finally {
    await worker.close();
  }
}

describe('regions in virtual time, under every fault we know', () => {
  test('lose nothing, revive nothing and become equal', async () => {
    const seeds = [...Array(SMOKE_SEEDS).keys()].map((index) => index + 1);
    const results = await resultsOf([
      ...seeds,
      ...PAST_FAILURES.map(({ seed }) => seed),
      ...freshSeeds(),
    ]);
    const failed = results.filter(({ violations }) => violations.length > 0);
    expect(failed.map(({ seed, violations }) => ({ seed, violations }))).toEqual([]);
    expect(results.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(500);
  });

  test('do the same, byte for byte, whenever they are given the same seed', async () => {
    const [first, again] = [await resultsOf([3, 4]), await resultsOf([3, 4])];
    expect(first.map(({ digest }) => digest)).toEqual(again.map(({ digest }) => digest));
    expect(new Set(first.map(({ digest }) => digest)).size).toBe(2);
  });

  const withMutant = PAST_FAILURES.flatMap(({ mutant, ...rest }) =>
    mutant === undefined ? [] : [{ mutant, ...rest }],
  );
  test.each(withMutant)('seed $seed still finds $mutant', async ({ seed, mutant, checker }) => {
    const { violations } = await resultWith(mutant, seed);
    expect(violations.map((one) => one.checker)).toContain(checker);
  });
});
