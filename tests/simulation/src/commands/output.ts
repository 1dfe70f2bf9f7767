import type { Violation } from '../checkers/checker.ts';

export interface Output {
  /** Standard output is for one line of JSON; everything else goes to standard error. */
  readonly isJson: boolean;
}

const MESSAGE_LENGTH_MAX = 400;

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function sayResult(result: object, { isJson }: Output): void {
  process.stdout.write(`${JSON.stringify(result, null, isJson ? undefined : 2)}\n`);
}

export function describeViolations(violations: readonly Violation[]): string[] {
  return violations.map(
    ({ checker, message }) => `  ${checker}: ${message.slice(0, MESSAGE_LENGTH_MAX)}`,
  );
}

/** The command that repeats a run, with all its faults or with some. */
export function replayCommand(run: {
  readonly seed: number;
  readonly mutant?: string | undefined;
  readonly only?: readonly string[] | undefined;
}): string {
  const mutant = run.mutant === undefined ? '' : ` --mutant ${run.mutant}`;
  const only = run.only === undefined ? '' : ` --only '${run.only.join(',')}'`;
  return `pnpm sim --seed ${run.seed}${mutant}${only}`;
}
