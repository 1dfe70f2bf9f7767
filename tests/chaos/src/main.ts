// pnpm chaos: regions as real processes under kills, pauses and cuts, judged from outside.
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenForStop, regionNames } from '@tandem/local-cluster';
import { drawSchedule } from './faults/draw-schedule.ts';
import { EXIT_CODES, readArguments } from './run/arguments.ts';
import { summarize, toTable } from './run/chaos-report.ts';
import { runChaos } from './run/run-chaos.ts';

const FINDINGS_SHOWN_MAX = 20;
const MINUTE_MS = 60_000;
/** Above every lock, lease, back-off and watchdog of the regions. */
const SETTLE_MS_MAX = 10 * MINUTE_MS;
/** A broken system never becomes equal. */
const BROKEN_SETTLE_MS_MAX = 30_000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const args = readArguments(process.argv);
  const runMs = args.minutes * MINUTE_MS;
  const regions = regionNames(args.regions);
  const folder = args.folder ?? join(tmpdir(), `tandem-chaos-${args.seed}-${process.pid}`);
  const stop = listenForStop();
  try {
    const report = await runChaos({
      seed: args.seed,
      runMs,
      regions,
      faults: drawSchedule(args.seed, runMs, regions),
      breakage: args.broken,
      folder,
      settleMsMax: args.broken === undefined ? SETTLE_MS_MAX : BROKEN_SETTLE_MS_MAX,
      say,
      signal: stop.signal,
    });
    for (const { verdict, message } of report.findings.slice(0, FINDINGS_SHOWN_MAX)) {
      say(`${verdict}: ${message}`);
    }
    const isClean = report.findings.length === 0;
    if (isClean && args.folder === undefined) {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    } else {
      say(`logs, history and findings: ${folder}`);
    }
    if (args.json) say(toTable(report));
    process.stdout.write(`${args.json ? JSON.stringify(summarize(report)) : toTable(report)}\n`);
    return isClean ? EXIT_CODES.clean : EXIT_CODES.findings;
  } catch (error) {
    say(`logs and history: ${folder}`);
    if (stop.signal.aborted) return EXIT_CODES.interrupted;
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return EXIT_CODES.failed;
  } finally {
    stop.release();
  }
}

process.exitCode = await main();
