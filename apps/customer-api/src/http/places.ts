import type { FastifyRequest } from 'fastify';
import { ProblemError } from './problem.ts';

/**
 * Places of something that lasts: so many in this process, and fewer for one caller, so that nobody takes
 * those of the others. Whoever finds none is told to come back.
 */
export interface Places {
  /** Throws `overloaded`. Call what it returns once, at the end. */
  take(caller: string): () => void;
}

export interface PlacesOptions {
  /** What takes the places, in the plural. */
  readonly what: string;
  readonly countMax: number;
  readonly perCallerMax: number;
}

const RETRY_AFTER_S = 5;

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

/** Whose places a request takes: where no token is asked for, those of the address that it came from. */
export function placeHolder({ caller, ip }: FastifyRequest): string {
  return caller === undefined ? `address ${ip}` : `subject ${caller.subject}`;
}

function full(detail: string): ProblemError {
  return new ProblemError('overloaded', {
    detail,
    headers: { 'retry-after': String(RETRY_AFTER_S) },
  });
}
