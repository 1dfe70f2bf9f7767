import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { regionNames } from '@tandem/local-cluster';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Breakage } from './broken/breakage.ts';
import { REGIONS_MIN } from './cluster/wire-plan.ts';
import { drawSchedule } from './faults/draw-schedule.ts';
import { type ChaosSummary, summarize } from './run/chaos-report.ts';
import { runChaos } from './run/run-chaos.ts';

/** `pnpm chaos --minutes 2 --seed 29`: every kind of fault, and a broker that stands still for more than a minute. */
const SEED = 29;
const RUN_SECONDS = 120;
const REGIONS = regionNames(REGIONS_MIN);
/** Of a machine that is busy with other things as well. */
const ACKNOWLEDGED_PER_SECOND_MIN = 2;
const SECONDS_PER_KILL_MAX = 20;

/** Long enough for a hundred changes on a machine that is busy with the tests beside it. */
const BROKEN_SECONDS = 40;
const SLOW_MS = 900_000;

interface Run {
  readonly seconds: number;
  readonly isTormented: boolean;
  readonly breakage?: Breakage;
  readonly settleMsMax: number;
}

async function run(
  { seconds, isTormented, ...options }: Run,
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
): Promise<ChaosSummary> {
  const lines: string[] = [];
  const folder = join(tmpdir(), `tandem-chaos-test-${process.pid}-${options.breakage ?? 'whole'}`);
  const runMs = seconds * 1_000;
  const report = await runChaos({
    ...options,
    seed: SEED,
    regions: REGIONS,
    runMs,
    faults: isTormented ? drawSchedule(SEED, runMs, REGIONS) : [],
    folder,
    say: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  const isAsWanted = report.findings.length > 0 === (options.breakage !== undefined);
  // What went wrong is told by the logs and the history; they stay when it should not have.
  if (isAsWanted) onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  else process.stdout.write(`${lines.join('\n')}\n${JSON.stringify(report.findings, null, 1)}\n`);
  process.stdout.write(`chaos: ${JSON.stringify(summarize(report))}\n`);
  return summarize(report);
}

// Side by side, since most of the time is spent waiting: the whole system for two minutes, and beside
// it the broken ones, one after the other.
describe.concurrent('two regions as processes', () => {
  test(
    'I1, I2, I4, I9, I15, A9, A21: two minutes of kills, pauses, freezes and partitions: nothing is lost, revived or different, and nothing ends',
    async (context) => {
      const found = await run(
        { seconds: RUN_SECONDS, isTormented: true, settleMsMax: 300_000 },
        context,
      );
      expect(found).toMatchObject({ lost: 0, torn: 0, resurrected: 0, diverged: 0, unexpected: 0 });
      expect(found.endedByThemselves).toBe(0);
      expect(found.acknowledged).toBeGreaterThan(RUN_SECONDS * ACKNOWLEDGED_PER_SECOND_MIN);
      expect(found.rowsAcknowledged).toBeGreaterThan(RUN_SECONDS * ACKNOWLEDGED_PER_SECOND_MIN);
      expect(found.rowTransactions).toBeGreaterThan(0);
      expect(found.kills).toBeGreaterThan(RUN_SECONDS / SECONDS_PER_KILL_MAX);
      expect(found.pauses).toBeGreaterThan(0);
      expect(found.freezes).toBeGreaterThan(0);
      expect(found.partitions).toBeGreaterThan(0);
    },
    SLOW_MS,
  );

  test(
    'changes that are acknowledged and thrown away, or that never arrive, are found',
    async (context) => {
      const broken = { seconds: BROKEN_SECONDS, isTormented: false };
      const swallowed = await run(
        { ...broken, breakage: 'swallow', settleMsMax: 120_000 },
        context,
      );
      expect(swallowed.lost + swallowed.resurrected).toBeGreaterThan(0);
      expect(swallowed.unexpected).toBeGreaterThan(0);
      expect(swallowed.rowFindings).toBeGreaterThan(0);
      const purged = await run({ ...broken, breakage: 'purge', settleMsMax: 20_000 }, context);
      expect(purged.diverged).toBeGreaterThan(0);
      expect(purged.lost + purged.resurrected).toBeGreaterThan(0);
      expect(purged.rowFindings).toBeGreaterThan(0);
    },
    SLOW_MS,
  );
});
