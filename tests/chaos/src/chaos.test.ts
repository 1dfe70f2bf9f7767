import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Breakage } from './broken/breakage.ts';
import { drawSchedule } from './faults/draw-schedule.ts';
import { type ChaosSummary, summarize } from './run/chaos-report.ts';
import { runChaos } from './run/run-chaos.ts';

/** `pnpm chaos --minutes 1 --seed 24`: every kind of fault, and a replicator that outsleeps its locks. */
const SEED = 24;
const RUN_SECONDS = 60;
/** Of a machine that is busy with other things as well. */
const ACKNOWLEDGED_PER_SECOND_MIN = 2;
const SECONDS_PER_KILL_MAX = 20;

const BROKEN_SECONDS = 15;
const SLOW_MS = 900_000;

interface Run {
  readonly seconds: number;
  readonly isTormented: boolean;
  readonly breakage?: Breakage;
  readonly settleMsMax: number;
}

async function run({ seconds, isTormented, ...options }: Run): Promise<ChaosSummary> {
  const lines: string[] = [];
  const folder = join(tmpdir(), `tandem-chaos-test-${process.pid}-${options.breakage ?? 'whole'}`);
  const runMs = seconds * 1_000;
  const report = await runChaos({
    ...options,
    seed: SEED,
    runMs,
    faults: isTormented ? drawSchedule(SEED, runMs) : [],
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

test(
  'I1, I2, I4, I9: a minute of kills, pauses and partitions: nothing is lost, revived or different',
  async () => {
    const found = await run({
      seconds: RUN_SECONDS,
      isTormented: true,
      settleMsMax: 300_000,
    });
    expect(found).toMatchObject({ lost: 0, resurrected: 0, diverged: 0, unexpected: 0 });
    expect(found.acknowledged).toBeGreaterThan(RUN_SECONDS * ACKNOWLEDGED_PER_SECOND_MIN);
    expect(found.kills).toBeGreaterThan(RUN_SECONDS / SECONDS_PER_KILL_MAX);
    expect(found.pauses).toBeGreaterThan(0);
    expect(found.partitions).toBeGreaterThan(0);
  },
  SLOW_MS,
);

test(
  'changes that are acknowledged and thrown away are found to be lost',
  async () => {
    const found = await run({
      seconds: BROKEN_SECONDS,
      isTormented: false,
      breakage: 'swallow',
      settleMsMax: 120_000,
    });
    expect(found.lost + found.resurrected).toBeGreaterThan(0);
    expect(found.unexpected).toBeGreaterThan(0);
  },
  SLOW_MS,
);

test(
  'changes that never arrive in the other region are found to be missing there',
  async () => {
    const found = await run({
      seconds: BROKEN_SECONDS,
      isTormented: false,
      breakage: 'purge',
      settleMsMax: 20_000,
    });
    expect(found.diverged).toBeGreaterThan(0);
    expect(found.lost + found.resurrected).toBeGreaterThan(0);
  },
  SLOW_MS,
);
