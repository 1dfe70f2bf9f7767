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

/**
 * What some reader takes for the end of a line, or a terminal for a command, and JSON leaves as it is:
 * DEL, C1 with its NEXT LINE, LINE SEPARATOR and PARAGRAPH SEPARATOR.
 */
const LINE_BREAKERS = /[\u007f-\u009f\u2028\u2029]/g;

/** Returns the value as one line, whatever a reader takes for the end of one. */
export function toNdjson(value: unknown): string {
  const text = JSON.stringify(value).replace(LINE_BREAKERS, escapeOf);
  return `${text}\n`;
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
