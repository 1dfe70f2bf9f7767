/** The runs that were recorded: a line of JSON each, never changed, and read as they were written. */
import { appendFileSync, readFileSync } from 'node:fs';
import type { RunDescription } from './describe-run.ts';
import { type Recorded, whyInvalid } from './goals.ts';

const HISTORY = new URL('../../history.ndjson', import.meta.url);

type RecordedRun = RunDescription & Recorded;

export function readHistory(text: string = readFileSync(HISTORY, 'utf8')): RecordedRun[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedRun);
}

export function record(run: object): void {
  appendFileSync(HISTORY, `${JSON.stringify(run)}\n`);
}

/** The last valid run, on a machine like this one where one is given. */
export function lastValidRun(
  runs: readonly RecordedRun[],
  machine?: Pick<RunDescription, 'processor' | 'cores'>,
): RecordedRun | undefined {
  return runs.findLast(
    (run) =>
      whyInvalid(run).length === 0 &&
      (machine === undefined ||
        (run.processor === machine.processor && run.cores === machine.cores)),
  );
}
