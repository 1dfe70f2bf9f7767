import Table from 'cli-table3';
import type { Finding, Verdict } from '../checker/finding.ts';
import type { FaultCounts } from '../faults/inflict-fault.ts';
import type { Operation } from '../history/operation.ts';
import type { RowOperation } from '../history/row-operation.ts';

export interface ChaosReport {
  readonly seed: number;
  readonly minutes: number;
  readonly operations: readonly Operation[];
  readonly customers: number;
  /** Of the clients of Table Storage. */
  readonly rowOperations: readonly RowOperation[];
  readonly rows: number;
  /** Those of the findings that are about rows. */
  readonly rowFindings: number;
  readonly findings: readonly Finding[];
  readonly faults: FaultCounts;
  readonly regions: number;
  /** Processes that ended though nobody had ended them. */
  readonly endedByThemselves: number;
  /** From the end of the faults until all regions were ready, and until they were equal. */
  readonly readyMs: number;
  readonly equalMs: number;
  /** Where the logs and the history are. */
  readonly folder: string;
}

export interface ChaosSummary {
  readonly acknowledged: number;
  readonly lost: number;
  readonly torn: number;
  readonly resurrected: number;
  readonly diverged: number;
  readonly unexpected: number;
  readonly endedByThemselves: number;
  readonly kills: number;
  readonly pauses: number;
  readonly freezes: number;
  readonly partitions: number;
  readonly rowsAcknowledged: number;
  readonly rowTransactions: number;
  readonly rowFindings: number;
}

/** The line of `--json`: what is promised first, then whatever else is known. */
export function summarize(report: ChaosReport): ChaosSummary & Readonly<Record<string, unknown>> {
  const { findings, operations, rowOperations, faults, seed, minutes, customers, regions } = report;
  const { kills, pauses, freezes, partitions, stops } = faults;
  const count = (verdict: Verdict): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  return {
    acknowledged: countWrites(operations, 'acknowledged'),
    lost: count('lost'),
    torn: count('torn'),
    resurrected: count('resurrected'),
    diverged: count('diverged'),
    unexpected: count('unexpected'),
    endedByThemselves: report.endedByThemselves,
    kills,
    pauses,
    freezes,
    partitions,
    stops,
    unanswered: countWrites(operations, 'unknown'),
    refused: countWrites(operations, 'refused'),
    reads: operations.filter(({ action }) => action === 'read').length,
    transactions: countTransactions(operations),
    customers,
    rowsAcknowledged: countWrites(rowOperations, 'acknowledged'),
    rowsUnanswered: countWrites(rowOperations, 'unknown'),
    rowTransactions: countRowTransactions(rowOperations),
    rows: report.rows,
    rowFindings: report.rowFindings,
    regions,
    minutes,
    seed,
    readyMs: report.readyMs,
    equalMs: report.equalMs,
    folder: report.folder,
  };
}

function countWrites(
  operations: readonly Pick<Operation | RowOperation, 'action' | 'outcome'>[],
  outcome: Operation['outcome'],
): number {
  return operations.filter((one) => one.action !== 'read' && one.outcome === outcome).length;
}

function countTransactions(operations: readonly Operation[]): number {
  const acknowledged = operations.filter(
    ({ group, outcome }) => group && outcome === 'acknowledged',
  );
  return new Set(acknowledged.map(({ values }) => values.email)).size;
}

function countRowTransactions(operations: readonly RowOperation[]): number {
  const written = operations.filter(
    ({ action, outcome }) => action !== 'read' && outcome === 'acknowledged',
  );
  return new Set(written.flatMap(({ together }) => together ?? [])).size;
}

export function toTable(report: ChaosReport): string {
  const table = new Table({ style: { head: [], border: [] } });
  for (const [name, value] of Object.entries(summarize(report)))
    table.push({ [name]: String(value) });
  return table.toString();
}
