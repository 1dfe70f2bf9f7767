import { believedMs, type OwnClock } from '../arrival/claims.ts';

export interface RetentionHorizonInput extends OwnClock {
  /** What is older is trimmed, in milliseconds; undefined keeps it for ever. */
  readonly keepMs: number | undefined;
  /** What was stamped before this time, in milliseconds, is more than the size that is kept. */
  readonly fullBeforeMs: number | undefined;
  /** What is younger is never trimmed, whatever its size, in milliseconds. */
  readonly promiseMs: number;
  /** Holds for every peer the time before which it has applied what any region acknowledged, as it says. */
  readonly appliedByPeersMs: readonly (number | undefined)[];
}

/**
 * Returns the time, in milliseconds, before which an archive or a journal may be trimmed; undefined when nothing
 * may. What a peer has not proven to have is never trimmed (I22), and a clock that is ahead trims nothing that a
 * peer's clock takes for young.
 */
export function retentionHorizonMs(input: RetentionHorizonInput): number | undefined {
  const { keepMs, fullBeforeMs, promiseMs } = input;
  const wanted = [
    ...(keepMs === undefined ? [] : [provenMs(input, keepMs)]),
    ...(fullBeforeMs === undefined ? [] : [fullBeforeMs]),
  ];
  const promised = provenMs(input, promiseMs);
  const known = wanted.filter((timeMs) => timeMs !== undefined);
  if (known.length === 0 || promised === undefined) return undefined;
  return Math.min(Math.max(...known), promised);
}

/** Returns that long before what every peer has; undefined while one has not said what it has. */
function provenMs(input: RetentionHorizonInput, ageMs: number): number | undefined {
  const reached: number[] = [];
  for (const told of input.appliedByPeersMs) {
    const applied = believedMs(told, input);
    if (applied === undefined) return undefined;
    reached.push(applied);
  }
  return Math.min(input.nowMs, ...reached) - ageMs;
}
