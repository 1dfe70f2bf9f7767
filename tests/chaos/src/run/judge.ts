import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkRun } from '../checker/check-run.ts';
import type { Finding } from '../checker/finding.ts';
import { type ChaosCluster, urlsOf } from '../cluster/start-chaos-cluster.ts';
import { REGION_NAMES } from '../cluster/wire-plan.ts';
import type { ChaosReport } from './chaos-report.ts';
import type { ChaosOptions, ChaosParts } from './run-chaos.ts';
import { untilEqual } from './until-equal.ts';

/** Waits until the regions are ready and equal, reads them, and judges the run. */
export async function judge(
  options: ChaosOptions,
  { chaos, history, counts, crashes }: ChaosParts,
): Promise<ChaosReport> {
  const { seed, runMs, folder, settleMsMax, say, signal } = options;
  const { east, west } = urlsOf(chaos);
  const { operations } = history;
  const healedMs = performance.now();
  const unready = await untilReady(chaos, settleMsMax, signal);
  const readyMs = Math.round(performance.now() - healedMs);
  say(`ready after ${readyMs} ms`);
  const known = new Set(operations.flatMap(({ customer = '' }) => (customer ? [customer] : [])));
  const end = await untilEqual({ urls: { east, west }, known, waitMsMax: settleMsMax, signal });
  say(`read after ${end.waitedMs} ms`);
  const findings = [...crashes.map(toFinding), ...unready, ...checkRun(operations, end.regions)];
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
    crashes: crashes.length,
    readyMs,
    equalMs: end.waitedMs,
    folder,
  };
}

/** Nothing that is done to a process or around it is a reason to end, unless it is killed. */
function toFinding(crash: string, index: number): Finding {
  return { verdict: 'unexpected', key: `crash ${index}`, message: crash, operations: [] };
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
            key: `unready ${REGION_NAMES[index] ?? index}`,
            message: `not ready when all was healed: ${String(outcome.reason)}`,
            operations: [],
          },
        ],
  );
}
