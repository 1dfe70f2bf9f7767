/** One write at a time, the kinds in short turns: the speed of a shared machine changes within seconds. */

import { percentile } from '../stats/spread.ts';
import type { InTurns } from './load-command.ts';
import { runCount } from './run-writers.ts';

/** Some tenths of a second. Each turn writes the same rows, so that none is new but in the warm-up. */
const WRITES_PER_TURN = 200;
const ROUNDS_OF_WARM_UP = 6;
/** What a write leaves to do is archived in rounds of half a second, and must not fall on the next kind. */
const SETTLE_MS = 700;

/**
 * The median latency of each turn, in milliseconds, in as many rounds as begin within `durationMs`, after
 * some that are not counted: what is just-in-time compiled for one write at a time was not before. Every
 * other round takes the kinds in the opposite order. `writes` are told which write of the turn it is.
 */
export async function runInTurns<Kind extends string>(
  durationMs: number,
  writes: Readonly<Record<Kind, (nth: number) => Promise<unknown>>>,
): Promise<InTurns<Kind>> {
  const kinds = Object.keys(writes) as Kind[];
  const rounds: Record<Kind, number>[] = [];
  let endMs = Number.POSITIVE_INFINITY;
  for (let round = -ROUNDS_OF_WARM_UP; performance.now() < endMs; round += 1) {
    if (round === 0) endMs = performance.now() + durationMs;
    const medians: [Kind, number][] = [];
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const { latenciesMs } = await runCount(1, WRITES_PER_TURN, (nth) => writes[kind](nth));
      medians.push([kind, percentile(latenciesMs, 0.5)]);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, SETTLE_MS);
      });
    }
    if (round >= 0) rounds.push(Object.fromEntries(medians) as Record<Kind, number>);
  }
  return rounds;
}
