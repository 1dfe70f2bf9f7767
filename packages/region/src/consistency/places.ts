import { TransientError } from '@tandem/core';

/**
 * Places of something that lasts: so many in this process, and fewer for one caller, so that nobody takes
 * those of the others. Whoever finds none is told to come back.
 */
export interface Places {
  /** Throws `OVERLOADED`. Call what it returns once, at the end. */
  take(caller: string): () => void;
}

export interface PlacesOptions {
  /** What takes the places, in the plural. */
  readonly what: string;
  readonly countMax: number;
  readonly perCallerMax: number;
}

const RETRY_AFTER_MS = 5_000;

export function createPlaces({ what, countMax, perCallerMax }: PlacesOptions): Places {
  let taken = 0;
  const takenBy = new Map<string, number>();
  return {
    take(caller) {
      const own = takenBy.get(caller) ?? 0;
      if (own >= perCallerMax) {
        throw full(`One caller has at most ${perCallerMax} ${what} in a process at once.`);
      }
      if (taken >= countMax) {
        throw full(`This process has ${countMax} ${what} under way, and takes no more at once.`);
      }
      taken += 1;
      takenBy.set(caller, own + 1);
      let isReturned = false;
      return () => {
        if (isReturned) return;
        isReturned = true;
        taken -= 1;
        const left = (takenBy.get(caller) ?? 0) - 1;
        if (left > 0) takenBy.set(caller, left);
        else takenBy.delete(caller);
      };
    },
  };
}

function full(message: string): TransientError {
  return new TransientError('OVERLOADED', message, { retryAfterMs: RETRY_AFTER_MS });
}
