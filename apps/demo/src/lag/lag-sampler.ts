import { setTimeout as delay } from 'node:timers/promises';

/** At most so many customers are polled at once: the measurement must not be the load. */
const IN_FLIGHT_MAX = 32;
const POLL_INTERVAL_MS = 25;
const EVERY_MAX = 50;
/** A short run still has about so many samples. */
const SAMPLES_MIN = 20;

export interface LagSampler {
  /** Call it right after the acknowledgement; some of the customers are followed from there on. */
  acknowledged(customerId: string, region: string): void;
  /** Stops beginning with further customers. */
  close(): void;
  /** Resolves when every customer that is followed has arrived, or at the deadline. */
  finish(waitMsMax: number): Promise<readonly number[]>;
}

export interface LagSamplerOptions {
  /** Counts the customers that there will be. */
  readonly total: number;
  /** Whether the customer can be read in all regions but the given one. False also for no answer. */
  readonly hasArrived: (customerId: string, writtenIn: string) => Promise<boolean>;
}

/**
 * Measures how long it takes from a customer's acknowledgement in one region until it can be read
 * in the others, by asking for some of them again and again. The time of the last question counts as
 * a part of it, so a sample is never too small; one that does not arrive counts with its age.
 */
export function createLagSampler({ total, hasArrived }: LagSamplerOptions): LagSampler {
  const every = Math.max(1, Math.min(EVERY_MAX, Math.floor(total / SAMPLES_MIN)));
  const lagsMs: number[] = [];
  const inFlight = new Set<Promise<void>>();
  let acknowledgedCount = 0;
  let isClosed = false;
  let deadlineMs = Number.POSITIVE_INFINITY;

  const follow = async (customerId: string, region: string): Promise<void> => {
    const acknowledgedMs = performance.now();
    while (!(await hasArrived(customerId, region)) && performance.now() < deadlineMs) {
      await delay(POLL_INTERVAL_MS);
    }
    lagsMs.push(performance.now() - acknowledgedMs);
  };

  return {
    acknowledged(customerId, region) {
      acknowledgedCount += 1;
      const isDue = acknowledgedCount % every === 0;
      if (isClosed || !isDue || inFlight.size >= IN_FLIGHT_MAX) return;
      const following = follow(customerId, region).finally(() => inFlight.delete(following));
      inFlight.add(following);
    },
    close() {
      isClosed = true;
    },
    async finish(waitMsMax) {
      isClosed = true;
      deadlineMs = performance.now() + waitMsMax;
      await Promise.all(inFlight);
      return lagsMs;
    },
  };
}
