import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkRows } from '../checker/check-rows.ts';
import { checkRun } from '../checker/check-run.ts';
import type { Finding } from '../checker/finding.ts';
import { openTable } from '../clients/table-client.ts';
import { type ChaosCluster, endpointsOf, regionUrlsOf } from '../cluster/start-chaos-cluster.ts';
import type { ChaosReport } from './chaos-report.ts';
import type { ChaosOptions, ChaosParts } from './run-chaos.ts';
import { type End, untilEqual, untilRowsEqual } from './until-equal.ts';

/** Rows that are on their way yet are not diverged, however long the customers took. */
const ROWS_SETTLE_MS_MIN = 60_000;

/** Waits until the regions are ready and equal, reads them, and judges the run. */
export async function judge(
  options: ChaosOptions,
  { chaos, history, rowHistory, counts, endedByThemselves }: ChaosParts,
): Promise<ChaosReport> {
  const { seed, runMs, folder, settleMsMax, say, signal } = options;
  const { operations } = history;
  const healedMs = performance.now();
  const unready = await untilReady(chaos, settleMsMax, signal);
  const readyMs = Math.round(performance.now() - healedMs);
  say(`ready after ${readyMs} ms`);
  const known = new Set(operations.flatMap(({ customer = '' }) => (customer ? [customer] : [])));
  const end = await untilEqual(regionUrlsOf(chaos), { known, waitMsMax: settleMsMax, signal });
  say(`read after ${end.waitedMs} ms`);
  const knownRows = new Set(rowHistory.operations.map(({ row }) => row));
  const tables = Object.fromEntries(
    Object.entries(endpointsOf(chaos)).map(([region, connection]) => [
      region,
      openTable(connection),
    ]),
  );
  const rowsEnd = await untilRowsEqual(tables, {
    known: knownRows,
    waitMsMax: Math.max(settleMsMax - end.waitedMs, ROWS_SETTLE_MS_MIN),
    signal,
  });
  say(`rows read after ${rowsEnd.waitedMs} ms`);
  const ended = endedByThemselves.map(toFinding);
  const ofRows = [
    ...rowsEnd.unread.map((one) => toUnread('rows', one)),
    ...checkRows(rowHistory.operations, rowsEnd.regions),
  ];
  const ofCustomers = [
    ...end.unread.map((one) => toUnread('customers', one)),
    ...checkRun(operations, end.regions),
  ];
  const findings = [...ended, ...unready, ...ofCustomers, ...ofRows];
  const states = end.regions.map(({ region, customers }) => [
    region,
    Object.fromEntries(customers),
  ]);
  await writeFile(join(folder, 'final-states.json'), JSON.stringify(Object.fromEntries(states)));
  const rowStates = rowsEnd.regions.map(({ region, rows }) => [region, Object.fromEntries(rows)]);
  await writeFile(join(folder, 'final-rows.json'), JSON.stringify(Object.fromEntries(rowStates)));
  await writeFile(join(folder, 'findings.json'), JSON.stringify(findings, undefined, 2));
  return {
    seed,
    minutes: runMs / 60_000,
    operations,
    customers: known.size,
    rowOperations: rowHistory.operations,
    rows: knownRows.size,
    rowFindings: ofRows.length,
    findings,
    faults: counts,
    regions: options.regions.length,
    endedByThemselves: ended.length,
    readyMs,
    equalMs: end.waitedMs + rowsEnd.waitedMs,
    folder,
  };
}

/** Nothing that is done to a process or around it is a reason to end, unless it is killed. */
function toFinding(message: string, index: number): Finding {
  return { verdict: 'unexpected', key: `ended ${index}`, message, operations: [] };
}

function toUnread(what: string, { region, why }: End<unknown>['unread'][number]): Finding {
  const message = `the ${what} of ${region} could not be read when all was healed: ${why}`;
  return { verdict: 'unexpected', key: `unread ${what} ${region}`, message, operations: [] };
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
