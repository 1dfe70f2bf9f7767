import Table from 'cli-table3';
import { type Comparison, type CustomersById, isUnchanged } from '../compare/compare-customers.ts';

const EXAMPLES_MAX = 5;

interface FailOverReport {
  /** Names the region that was lost. */
  readonly lost: string;
  /** Measures the longest time, from the loss on, in which no write was acknowledged. */
  readonly outageMs: number;
  readonly failedRequests: number;
  readonly retriedWrites: number;
}

export interface DemoReport {
  /** Names the regions in which the customers were read and compared. */
  readonly comparedIn: readonly string[];
  /** Holds all that was acknowledged. */
  readonly written: CustomersById;
  /** Says what each of it is: a customer, or a transaction of orders. */
  readonly kind: 'customers' | 'orders';
  readonly writeMs: number;
  readonly notAcknowledged: { readonly count: number; readonly reasons: readonly string[] };
  readonly comparison: Comparison;
  /** Lasts from the first write until the last customer was there, comparing included. */
  readonly totalMs: number;
  readonly lagsMs: readonly number[];
  readonly failOver?: FailOverReport;
}

/** Tells whether everything was acknowledged and is everywhere as it was written. */
export function hasSucceeded(report: DemoReport): boolean {
  return report.notAcknowledged.count === 0 && isUnchanged(report.comparison);
}

export function toJsonLine(report: DemoReport): string {
  const { comparison, failOver } = report;
  const { written, missing, different, torn } = countRows(report);
  return JSON.stringify({
    written,
    replicated: written - missing - different,
    missing,
    different,
    lagMsP50: rounded(percentile(report.lagsMs, 50)),
    lagMsP99: rounded(percentile(report.lagsMs, 99)),
    extra: comparison.extra.size,
    notAcknowledged: report.notAcknowledged.count,
    ...(torn === undefined ? {} : { transactions: { written: report.written.size, torn } }),
    ...(failOver === undefined
      ? {}
      : {
          failOver: {
            outageMs: rounded(failOver.outageMs),
            failedRequests: failOver.failedRequests,
            retriedWrites: failOver.retriedWrites,
          },
        }),
  });
}

export function toTable(report: DemoReport): string {
  const { comparison, failOver, lagsMs } = report;
  const { written, missing, different, torn } = countRows(report);
  const perSecond = Math.round((written * 1000) / Math.max(1, report.writeMs));
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['Written (acknowledged)', `${written} (${perSecond}/s)`],
    ['Not acknowledged', report.notAcknowledged.count],
    [`As written in ${report.comparedIn.join(' and ')}`, written - missing - different],
    ['Missing', missing],
    ['Different', different],
    ...(torn === undefined
      ? []
      : [['Transactions, and torn ones', `${report.written.size}, ${torn}`]]),
    ['Extra', comparison.extra.size],
    ['Lag, median', `${showMs(percentile(lagsMs, 50))} of ${lagsMs.length} samples`],
    ['Lag, 99th percentile', showMs(percentile(lagsMs, 99))],
    ['Writing, arriving, comparing', showMs(report.totalMs)],
  );
  if (failOver !== undefined) {
    table.push(
      [`Without an answer when ${failOver.lost} was lost`, showMs(failOver.outageMs)],
      ['Requests that failed', failOver.failedRequests],
      ['Writes that were retried', failOver.retriedWrites],
    );
  }
  return table.toString();
}

/** Tells what went wrong, with a few examples of each: ids and names of fields, never values. */
export function describeFaults({ comparison, notAcknowledged }: DemoReport): readonly string[] {
  const { missing, different, extra } = comparison;
  const examples = (ids: Iterable<string>): string => [...ids].slice(0, EXAMPLES_MAX).join(', ');
  const unlike = [...different].map(([id, fields]) => `${id} (${fields.join(', ')})`);
  return [
    ...notAcknowledged.reasons.map((reason) => `Not acknowledged: ${reason}`),
    ...(missing.size > 0 ? [`Missing: ${examples(missing)}`] : []),
    ...(different.size > 0 ? [`Different: ${examples(unlike)}`] : []),
    ...(extra.size > 0 ? [`Nobody wrote: ${examples(extra)}`] : []),
  ];
}

interface RowCounts {
  readonly written: number;
  readonly missing: number;
  readonly different: number;
  /** Counts the transactions of which a part is there; undefined where no transactions were written. */
  readonly torn: number | undefined;
}

/** Counts customers, or orders: as many as its transactions have. */
function countRows({ kind, written, comparison }: DemoReport): RowCounts {
  const { missing, different } = comparison;
  if (kind === 'customers') {
    const counts = { missing: missing.size, different: different.size };
    return { written: written.size, ...counts, torn: undefined };
  }
  const ordersOf = (id: string): number => Object.keys(written.get(id) ?? {}).length;
  const sumOf = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0);
  return {
    written: sumOf([...written.keys()].map(ordersOf)),
    missing: sumOf([...missing].map(ordersOf)),
    different: sumOf([...different.values()].map((names) => names.length)),
    torn: different.size,
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}

function showMs(ms: number | null): string {
  return ms === null ? 'not measured' : `${Math.round(ms).toLocaleString('en')} ms`;
}

/**
 * The nearest-rank percentile: the smallest value that at least `percent` of all do not exceed. Null
 * when there are none.
 */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? null;
}
