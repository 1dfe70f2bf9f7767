import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkRun } from '../checker/check-run.ts';
import type { Finding } from '../checker/finding.ts';
import { type ChaosCluster, regionUrlsOf } from '../cluster/start-chaos-cluster.ts';
import type { ChaosReport } from './chaos-report.ts';
import type { ChaosOptions, ChaosParts } from './run-chaos.ts';
import { untilEqual } from './until-equal.ts';

/** Waits until the regions are ready and equal, reads them, and judges the run. */
export async function judge(
  options: ChaosOptions,
  { chaos, history, counts, endedByThemselves }: ChaosParts,
): Promise<ChaosReport> {
  const { seed, runMs, folder, settleMsMax, say, signal } = options;
  const { operations } = history;
  const healedMs = performance.now();
  const unready = await untilReady(chaos, settleMsMax, signal);
  const readyMs = Math.round(performance.now() - healedMs);
  say(`ready after ${readyMs} ms`);
  const known = new Set(operations.flatMap(({ customer = '' }) => (customer ? [customer] : [])));
  const urls = regionUrlsOf(chaos);
  const end = await untilEqual({ urls, known, waitMsMax: settleMsMax, signal });
  say(`read after ${end.waitedMs} ms`);
  const ended = endedByThemselves.map(toFinding);
  const findings = [...ended, ...unready, ...checkRun(operations, end.regions)];
  const states = end.regions.map(({ region, customers }) => [
    region,
    Object.fromEntries(customers),
  ]);
  await writeFile(join(folder, 'final-states.json'), JSON.stringify(Object.fromEntries(states)));
  await writeFile(join(folder, 'findings.json'), JSON.stringify(findings, undefined, 2));
  return {
    seed,
    minutes: runMs / 60_000,
    operations,
    customers: known.size,
    findings,
    faults: counts,
    regions: options.regions.length,
    endedByThemselves: ended.length,
    readyMs,
    equalMs: end.waitedMs,
    folder,
  };
}

/** Nothing that is done to a process or around it is a reason to end, unless it is killed. */
function toFinding(message: string, index: number): Finding {
  return { verdict: 'unexpected', key: `ended ${index}`, message, operations: [] };
}

async function untilReady(
  { cluster }: ChaosCluster,
  waitMsMax: number,
  signal: AbortSignal,
): Promise<Finding[]> {
  const outcomes = await Promise.allSettled(
    cluster.regions.map((region) => region.untilReady(waitMsMax, signal)),
  );
  signal.throwIfAborted();
  return outcomes.flatMap((outcome, index): Finding[] =>
    outcome.status === 'fulfilled'
      ? []
      : [
          {
            verdict: 'unexpected',
            key: `unready ${cluster.regions[index]?.name ?? index}`,
            message: `not ready when all was healed: ${String(outcome.reason)}`,
            operations: [],
          },
        ],
  );
}
