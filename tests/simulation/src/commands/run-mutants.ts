import type { Mutant } from '../mutants/mutant.ts';
import { findMutant, MUTANTS } from '../mutants/mutants.ts';
import { PAST_FAILURES } from '../run/past-failures.ts';
import { drawRunPlan } from '../run/run-plan.ts';
import { runSeeds } from '../run/run-seeds.ts';
import { createDraw } from '../world/draw.ts';
import { type Output, replayCommand, say, sayResult } from './output.ts';

export interface MutantsRequest {
  /** All when undefined. */
  readonly mutant: string | undefined;
  readonly workers: number;
}

interface Finding {
  readonly mutant: string;
  readonly isFound: boolean;
  readonly checker: string | undefined;
  readonly seed: number | undefined;
  /** Run until it was found, or in vain. */
  readonly seeds: number;
  readonly seedsMax: number;
}

/** A mutant that is not found within so many seeds counts as missed, unless it names its own number. */
const SEEDS_MAX_DEFAULT = 200;
/** To draw what a run will be takes a moment, and to run it a second. */
const SEEDS_LOOKED_AT_MAX = 50_000;

/** Puts one fault after the other into the code. Resolves with the exit code. */
export async function runMutantsCommand(
  { mutant, workers }: MutantsRequest,
  output: Output,
): Promise<number> {
  const mutants = mutant === undefined ? MUTANTS : [findMutant(mutant)];
  const findings: Finding[] = [];
  const waiting = [...mutants].reverse();
  const runLane = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const finding = await hunt(next);
      findings.push(finding);
      say(describe(finding, next));
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, mutants.length) }, runLane));
  const found = findings.filter(({ isFound }) => isFound).length;
  sayResult({ seeded: findings.length, found, findings }, output);
  return found === findings.length ? 0 : 1;
}

async function hunt(mutant: Mutant): Promise<Finding> {
  const { id, seedsMax = SEEDS_MAX_DEFAULT } = mutant;
  let finding: Finding | undefined;
  let seeds = 0;
  // What found it in earnest comes first.
  const past = PAST_FAILURES.flatMap((failure) => (failure.mutant === id ? [failure.seed] : []));
  await runSeeds({
    seeds: [...past, ...seedsOf(mutant, seedsMax)].slice(0, seedsMax),
    workers: 1,
    mutant: id,
    isDone: () => finding !== undefined,
    onResult({ seed, violations }) {
      seeds += 1;
      const [first] = violations;
      if (first === undefined) return;
      finding = { mutant: id, isFound: true, checker: first.checker, seed, seeds, seedsMax };
    },
  });
  const missed = { mutant: id, isFound: false, checker: undefined, seed: undefined };
  return finding ?? { ...missed, seeds, seedsMax };
}

/** Returns the first so many seeds in whose runs the mutant can happen. */
function seedsOf({ where }: Mutant, count: number): readonly number[] {
  const seeds: number[] = [];
  for (let seed = 1; seeds.length < count && seed <= SEEDS_LOOKED_AT_MAX; seed += 1)
    if (where === undefined || where(drawRunPlan(createDraw(seed)))) seeds.push(seed);
  return seeds;
}

function describe({ isFound, checker, seed, seeds }: Finding, { id, title }: Mutant): string {
  if (!isFound || seed === undefined) return `MISSED ${id} after ${seeds} seeds: ${title}`;
  const command = replayCommand({ seed, mutant: id });
  return `found  ${id} by ${checker ?? ''} after ${seeds} seeds: ${title} (${command})`;
}
