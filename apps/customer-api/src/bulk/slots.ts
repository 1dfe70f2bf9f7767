import { ProblemError } from '../http/problem.ts';

/** How many of something long run at once in this process; one more is told to come back. */
export interface Slots {
  /** Throws `overloaded`. Call what it returns once, at the end. */
  take(): () => void;
}

const RETRY_AFTER_S = 5;

export function createSlots(what: string, countMax: number): Slots {
  let taken = 0;
  return {
    take() {
      if (taken >= countMax) {
        throw new ProblemError('overloaded', {
          detail: `This process has ${countMax} ${what} under way, and takes no more at once.`,
          headers: { 'retry-after': String(RETRY_AFTER_S) },
        });
      }
      taken += 1;
      let isReturned = false;
      return () => {
        if (!isReturned) taken -= 1;
        isReturned = true;
      };
    },
  };
}
