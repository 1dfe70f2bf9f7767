import { PROBLEMS } from '../http/problem-catalogue.ts';
import { toProblem, toProblemError } from '../http/problem.ts';
import type { ImportReportLine } from '../schemas/bulk.ts';
import type { ImportEvent } from './import-customers.ts';

/** The line of the report that tells of an event. */
export function toReportLine(event: ImportEvent, requestId: string): ImportReportLine {
  if (event.kind === 'failed') {
    const problem = toProblemError(event.error);
    const { status } = PROBLEMS[problem.code];
    return { line: event.line, status, problem: toProblem(problem, requestId) };
  }
  const { settledThrough, written, failed } = event;
  const progress = { settledThrough, written, failed };
  if (event.kind === 'progress') return progress;
  return event.stopped === undefined
    ? { ...progress, outcome: 'complete' }
    : { ...progress, outcome: 'stopped', stoppedBy: event.stopped };
}

export function toNdjson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
