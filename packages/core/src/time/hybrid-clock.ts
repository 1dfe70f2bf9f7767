import { assert } from '../errors.ts';
import {
  formatStamp,
  isRegionName,
  isWriterId,
  parseStamp,
  type Stamp,
  STAMP_COUNTER_MAX,
  STAMP_TIME_MS_MAX,
  stampTimeMs,
} from './stamp.ts';

export interface HybridClockOptions {
  readonly region: string;
  /** Unique to this process: two processes of one region must never make the same stamp. */
  readonly writer: string;
  readonly nowMs: () => number;
  /** A stamp further ahead of the wall clock than this is never adopted. */
  readonly driftMsMax: number;
  readonly onDrift?: (report: DriftReport) => void;
}

export interface DriftReport {
  readonly stamp: Stamp;
  readonly aheadMs: number;
  readonly driftMsMax: number;
}

export interface HybridClock {
  /**
   * A new stamp, greater than every stamp this clock made and than `floor`, whatever the wall
   * clock says: what a person overwrote must stay overwritten (I8).
   */
  tick(floor?: Stamp): Stamp;
  /** Learns of a received stamp. One too far ahead is reported and never adopted. */
  observe(stamp: Stamp): void;
  /** A tick above such a stamp is as far ahead itself: nothing else should be stamped with it. */
  isTooFarAhead(stamp: Stamp): boolean;
}

interface Reading {
  readonly timeMs: number;
  readonly counter: number;
}

const ZERO: Reading = { timeMs: 0, counter: 0 };

export function createHybridClock(options: HybridClockOptions): HybridClock {
  const { region, writer, nowMs, driftMsMax } = options;
  assert(isRegionName(region), `"${region}" is no region name`);
  assert(isWriterId(writer), `"${writer}" is no writer id`);
  let last = ZERO;
  // Readings above a far-ahead floor come from a second sequence, so that a row stamped by a broken
  // clock can still be overwritten here without this region's own clock running away. Once the
  // first sequence reaches the second, the two become one: no reading is ever made twice.
  let ahead: { readonly first: Reading; readonly last: Reading } | undefined;

  const isTooFarAhead = (timeMs: number): boolean => timeMs > nowMs() + driftMsMax;

  const tickAhead = (floor: Reading): Reading => {
    const made = successor(later(later(floor, last), ahead?.last ?? ZERO));
    ahead = { first: ahead?.first ?? made, last: made };
    return made;
  };

  const tickNear = (floor: Reading): Reading => {
    const wall: Reading = { timeMs: Math.max(0, Math.trunc(nowMs())), counter: 0 };
    const base = later(last, floor);
    last = isLater(wall, base) ? wall : successor(base);
    if (ahead !== undefined && !isLater(ahead.first, last)) {
      last = isLater(last, ahead.last) ? last : successor(ahead.last);
      ahead = undefined;
    }
    return last;
  };

  return {
    tick(floor) {
      const reading = floor === undefined ? ZERO : parseStamp(floor);
      const made = isTooFarAhead(reading.timeMs) ? tickAhead(reading) : tickNear(reading);
      return formatStamp({ ...made, region, writer });
    },
    observe(stamp) {
      const reading = parseStamp(stamp);
      if (isTooFarAhead(reading.timeMs)) {
        options.onDrift?.({ stamp, aheadMs: reading.timeMs - nowMs(), driftMsMax });
        return;
      }
      last = later(last, reading);
    },
    isTooFarAhead: (stamp) => isTooFarAhead(stampTimeMs(stamp)),
  };
}

function isLater(a: Reading, b: Reading): boolean {
  return a.timeMs > b.timeMs || (a.timeMs === b.timeMs && a.counter > b.counter);
}

function later(a: Reading, b: Reading): Reading {
  return isLater(b, a) ? { timeMs: b.timeMs, counter: b.counter } : a;
}

function successor({ timeMs, counter }: Reading): Reading {
  if (counter < STAMP_COUNTER_MAX) return { timeMs, counter: counter + 1 };
  assert(timeMs < STAMP_TIME_MS_MAX, 'the hybrid clock has reached the end of time');
  return { timeMs: timeMs + 1, counter: 0 };
}
