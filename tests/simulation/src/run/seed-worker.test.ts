import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { assert } from '@tandem/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SeedResult } from './seed-result.ts';
import { startSeedWorker } from './seed-worker.ts';

const SEED = 7;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seed-worker-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function resultFrom(onSeed: string): Promise<SeedResult> {
  const [result] = await resultsFrom(onSeed, 1);
  assert(result !== undefined, 'every seed has a result');
  return result;
}

/** What a program that answers each seed with `onSeed` gives; `starts` counts its starts. */
async function resultsFrom(onSeed: string, count: number): Promise<SeedResult[]> {
  const file = join(folder, 'program.mjs');
  await writeFile(
    file,
    `import { appendFileSync, readFileSync } from 'node:fs';
    appendFileSync(${JSON.stringify(join(folder, 'starts'))}, 'x');
    const starts = readFileSync(${JSON.stringify(join(folder, 'starts'))}).length;
    process.on('message', ({ seed }) => { ${onSeed} });
    process.send({ kind: 'loaded' });`,
  );
  const worker = await startSeedWorker(undefined, pathToFileURL(file));
  const results: SeedResult[] = [];
  try {
    while (results.length < count) results.push(await worker.run({ seed: SEED }));
    return results;
  } finally {
    await worker.close();
  }
}

const ANSWER = `process.send({ kind: 'result', result: { seed, violations: [] } });`;

describe('a seed in a process of its own', () => {
  test('is answered', async () => {
    expect(await resultFrom(ANSWER)).toEqual({ seed: SEED, violations: [] });
  });

  test('is run once more when the runtime ended itself', async () => {
    const result = await resultFrom(
      `if (starts === 1) process.kill(process.pid, 'SIGTRAP'); else { ${ANSWER} }`,
    );
    expect(result).toEqual({ seed: SEED, violations: [] });
  });

  test.each([
    ['the runtime ends itself each time', `process.kill(process.pid, 'SIGTRAP');`, 'SIGTRAP'],
    ['the process runs out of memory', 'process.abort();', 'SIGABRT'],
    ['the process gives up', 'process.exit(3);', 'exit code 3'],
    ['it says so', `process.send({ kind: 'failure', message: 'no room' });`, 'no room'],
  ])('is broken when %s', async (_, onSeed, why) => {
    const { seed, violations } = await resultFrom(onSeed);
    expect({ seed, violations }).toEqual({
      seed: SEED,
      violations: [{ checker: 'broken', message: expect.stringContaining(why) as string }],
    });
  });

  test('is nothing to the next one when it failed', async () => {
    const fails = `process.send({ kind: 'failure', message: 'no room' }, () => process.exit(1));`;
    const onSeed = `if (starts === 1) ${fails} else { ${ANSWER} }`;
    const results = await resultsFrom(onSeed, 2);
    expect(results.map(({ violations }) => violations.length)).toEqual([1, 0]);
  });

  test('that cannot be loaded says so', async () => {
    const nowhere = pathToFileURL(join(folder, 'nowhere.mjs'));
    await expect(startSeedWorker(undefined, nowhere)).rejects.toThrow(/could not be loaded.*1/u);
  });
});
