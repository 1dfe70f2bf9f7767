import { type Clock, covers, type VersionVector } from '@tandem/core';

/** Holds a request back until this region has what its client has seen already. */
export interface VersionGate {
  /**
   * True once the row of the customer contains `least`: at once, or after at most `waitMs`; false
   * when it still does not. Throws what reading throws.
   */
  reaches(customerId: string, least: VersionVector, waitMs: number): Promise<boolean>;
}

/** Of the row, tombstone or not; undefined when there is none. */
export type ReadVersion = (customerId: string) => Promise<VersionVector | undefined>;

export interface VersionGateOptions {
  readonly readVersion: ReadVersion;
  readonly clock: Clock;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
  readonly waitersMax?: number;
}

/** Each waits with a read of the table a few times a second; one more is told to come back later. */
const WAITERS_MAX_DEFAULT = 200;
const DELAY_MS_MIN = 20;
const DELAY_MS_MAX = 250;

export function createVersionGate(options: VersionGateOptions): VersionGate {
  const { readVersion, clock, stopping, waitersMax = WAITERS_MAX_DEFAULT } = options;
  let waiters = 0;

  const shows = async (customerId: string, least: VersionVector): Promise<boolean> => {
    const version = await readVersion(customerId);
    return version !== undefined && covers(version, least);
  };

  const waitFor = async (
    customerId: string,
    least: VersionVector,
    endMs: number,
  ): Promise<boolean> => {
    let delayMs = DELAY_MS_MIN;
    for (;;) {
      const leftMs = endMs - clock.nowMs();
      if (leftMs <= 0 || stopping?.aborted) return false;
      await clock.sleep(Math.min(delayMs, leftMs), stopping);
      if (await shows(customerId, least)) return true;
      delayMs = Math.min(delayMs * 2, DELAY_MS_MAX);
    }
  };

  return {
    async reaches(customerId, least, waitMs) {
      const endMs = clock.nowMs() + waitMs;
      if (await shows(customerId, least)) return true;
      if (waiters >= waitersMax) return false;
      waiters += 1;
      try {
        return await waitFor(customerId, least, endMs);
      } finally {
        waiters -= 1;
      }
    },
  };
}
