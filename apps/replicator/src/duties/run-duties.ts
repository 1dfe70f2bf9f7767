import type { Clock, Randomness } from '@tandem/core';
import {
  type Logger,
  type LoopHealth,
  type SupervisedLoop,
  superviseLoop,
} from '@tandem/service-kit';
import type { Duty } from './duty.ts';

export interface RunDutiesOptions {
  readonly duties: readonly Duty[];
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface DutyHealth extends LoopHealth {
  readonly duty: Duty;
  readonly startedMs: number;
}

export interface RunningDuties {
  /** Resolves when every loop has ended after an abort. Never rejects. */
  readonly stopped: Promise<void>;
  health(): readonly DutyHealth[];
}

/** Short, since the region is not ready while its replicator is not heard. */
const RETRY_POLICY = { delayMsMin: 200, delayMsMax: 5_000 };
/** Intervals vary by this share up and down, so that replicators do not all turn at once. */
const JITTER = 0.2;

/** Runs every duty in a loop of its own: one that fails does not stop the others. */
export function runDuties(options: RunDutiesOptions): RunningDuties {
  const { duties, clock, randomness, logger, signal } = options;
  const startedMs = clock.nowMs();

  const start = (duty: Duty): SupervisedLoop => {
    let isFirst = true;
    const work = async (signal: AbortSignal): Promise<void> => {
      const waitMs = isFirst ? duty.firstDelayMs : jittered(duty.intervalMs(), randomness);
      isFirst = false;
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      if (!signal.aborted) await duty.turn(signal);
    };
    const { name } = duty;
    return superviseLoop({ name, work, clock, randomness, logger, signal, policy: RETRY_POLICY });
  };

  const loops = duties.map((duty) => ({ duty, loop: start(duty) }));
  return {
    stopped: Promise.all(loops.map(({ loop }) => loop.stopped)).then(() => undefined),
    health: () => loops.map(({ duty, loop }) => ({ duty, startedMs, ...loop.health() })),
  };
}

function jittered(intervalMs: number, randomness: Randomness): number {
  return Math.round(intervalMs * (1 - JITTER + 2 * JITTER * randomness.fraction()));
}
