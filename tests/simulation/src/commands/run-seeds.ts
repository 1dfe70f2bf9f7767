import { runSeeds } from '../run/run-seeds.ts';
import { createTally } from '../run/tally.ts';
import { hashText } from '../world/draw.ts';
import { describeViolations, type Output, replayCommand, say, sayResult } from './output.ts';

export interface SeedsRequest {
  readonly seeds: number;
  readonly first: number;
  readonly commit?: string;
  readonly workers: number;
}

const PROGRESS_EVERY = 100;

/** Runs many seeds. Resolves with the exit code. */
export async function runSeedsCommand(request: SeedsRequest, output: Output): Promise<number> {
  const { commit, workers } = request;
  const first = commit === undefined ? request.first : hashText(commit, 0);
  const seeds = Array.from({ length: request.seeds }, (_, index) => first + index);
  const tally = createTally();
  let done = 0;
  await runSeeds({
    seeds,
    workers,
    onResult(result) {
      tally.add(result);
      done += 1;
      if (done % PROGRESS_EVERY === 0) say(`${done} of ${seeds.length} seeds`);
      if (result.violations.length === 0) return;
      say(`seed ${result.seed} failed; to repeat it: ${replayCommand(result)}`);
      for (const line of describeViolations(result.violations)) say(line);
    },
  });
  const uncovered = tally.uncovered();
  if (uncovered.length > 0) say(`no process died at: ${uncovered.join(', ')}`);
  const summary = tally.summary();
  sayResult(summary, output);
  return summary.failed === 0 ? 0 : 1;
}
