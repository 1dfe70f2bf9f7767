import type { Clock } from '@tandem/core';
import type { Incarnation } from './incarnation.ts';

/** The wall clock of the process's machine; how long it sleeps depends on no wall clock. */
export function createClockPort(incarnation: Incarnation, part: string): Clock {
  return {
    nowMs: () => incarnation.slot.clock.nowMs(),
    sleep: (durationMs, signal) => incarnation.sleep(`${part}.sleep`, durationMs, signal),
  };
}
