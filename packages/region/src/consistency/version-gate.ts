import {
  type Clock,
  covers,
  OLD_REGION,
  stampRegion,
  stampTimeMs,
  type VersionVector,
} from '@tandem/core';
import { createPlaces } from './places.ts';

/** How long a request may be held back, and whose place it takes meanwhile. */
export interface Wait {
  readonly waitMs: number;
  readonly caller: string;
}

export type Reach =
  | { readonly kind: 'reached' | 'not-reached' }
  /** No region can have made this version: nothing is waited for. */
  | { readonly kind: 'impossible'; readonly why: string };

/** Holds a request back until this region has what its client has seen already. */
export interface VersionGate {
  /**
   * Whether the row of the customer contains `least`: at once, or after at most `waitMs`. Throws what
   * reading throws, and `OVERLOADED` where there is no place to wait.
   */
  reach(customerId: string, least: VersionVector, wait: Wait): Promise<Reach>;
}

/** Reads the version of a row, tombstone or not; undefined when there is none. */
export type ReadVersion = (customerId: string) => Promise<VersionVector | undefined>;

export interface VersionGateOptions {
  readonly readVersion: ReadVersion;
  readonly clock: Clock;
  /** Why no region can have made a version; undefined when one can. */
  readonly whyImpossible: (version: VersionVector) => string | undefined;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
  readonly waitersMax?: number;
  readonly waitersPerCallerMax?: number;
}

/** Each waits with a read of the table a few times a second. */
const WAITERS_MAX_DEFAULT = 200;
const WAITERS_PER_CALLER_MAX_DEFAULT = 50;
const DELAY_MS_MIN = 20;
const DELAY_MS_MAX = 250;

export function createVersionGate(options: VersionGateOptions): VersionGate {
  const { readVersion, clock, whyImpossible, stopping } = options;
  const places = createPlaces({
    what: 'requests that wait for a version',
    countMax: options.waitersMax ?? WAITERS_MAX_DEFAULT,
    perCallerMax: options.waitersPerCallerMax ?? WAITERS_PER_CALLER_MAX_DEFAULT,
  });

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
    async reach(customerId, least, { waitMs, caller }) {
      const endMs = clock.nowMs() + waitMs;
      // Before it is judged: a clock that ran ahead has made such stamps, and rows have them.
      if (await shows(customerId, least)) return { kind: 'reached' };
      const why = whyImpossible(least);
      if (why !== undefined) return { kind: 'impossible', why };
      if (waitMs <= 0) return { kind: 'not-reached' };
      const leave = places.take(caller);
      try {
        return { kind: (await waitFor(customerId, least, endMs)) ? 'reached' : 'not-reached' };
      } finally {
        leave();
      }
    },
  };
}

export interface VersionBounds {
  /** Names this region and its peers. */
  readonly regions: readonly string[];
  readonly nowMs: number;
  /** How far ahead of this clock another one may be, in milliseconds. */
  readonly driftMsMax: number;
}

/** Returns why no region can have made the version, naming the stamp's fault; undefined when one can. */
export function whyImpossible(
  version: VersionVector,
  { regions, nowMs, driftMsMax }: VersionBounds,
): string | undefined {
  for (const stamp of version.values()) {
    const region = stampRegion(stamp);
    if (region !== OLD_REGION && !regions.includes(region))
      return `it is of a region ${region}, which is none of these.`;
    if (stampTimeMs(stamp) > nowMs + driftMsMax) {
      return `its time in ${region} is further ahead than the clock of a region may be (${driftMsMax} ms).`;
    }
  }
  return undefined;
}
