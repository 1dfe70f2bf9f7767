import { assert, TerminalError } from '../errors.ts';
import {
  formatStamp,
  isRegionName,
  isWriterId,
  parseStamp,
  STAMP_COUNTER_MAX,
  STAMP_POSSIBLE_MS_MAX,
  type Stamp,
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
   * Makes a new stamp, greater than every stamp this clock made and than `floor`, whatever the wall clock says:
   * what a person overwrote must stay overwritten (I8). Above a floor that is too far ahead it is the next one
   * that this clock has not made yet. Throws `STAMP_IMPOSSIBLE` when there is none.
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

/** Is the greatest counter that a stamp has room for. */
const COUNTER_FORM_MAX = 0xffff;

/** Spans of far-ahead readings that are remembered; the two nearest become one when there are more. */
const SPANS_MAX = 1_024;

/**
 * Creates a hybrid logical clock, whose stamps follow both the wall clock and every stamp that it was shown
 * (Kulkarni, Demirbas, Madappa, Avva and Leone, "Logical Physical Clocks", OPODIS 2014). It departs from the paper where a
 * stamp is too far ahead: that one is exceeded where it has to be, and never adopted.
 */
export function createHybridClock(options: HybridClockOptions): HybridClock {
  const { region, writer, nowMs, driftMsMax } = options;
  assert(isRegionName(region), `"${region}" is no region name`);
  assert(isWriterId(writer), `"${writer}" is no writer id`);
  let last = ZERO;
  // Readings above a far-ahead floor are no part of this clock's own time, so that a row stamped by a broken
  // clock can still be overwritten here. No reading is ever made twice, and no row is lifted to another's
  // height: each is the next above its floor that is in none of the spans made before.
  const spans = createSpans();

  const isTooFarAhead = (timeMs: number): boolean => timeMs > nowMs() + driftMsMax;

  const tickAhead = (floor: Reading): Reading => spans.take(successor(later(floor, last)));

  const tickNear = (floor: Reading): Reading => {
    const wall: Reading = { timeMs: Math.max(0, Math.trunc(nowMs())), counter: 0 };
    const base = later(last, floor);
    const next = spans.free(isLater(wall, base) ? wall : successor(base));
    if (next.timeMs > STAMP_POSSIBLE_MS_MAX) throw exhausted(next);
    last = next;
    spans.forgetBelow(last);
    return last;
  };

  return {
    tick(floor) {
      const reading = floor === undefined ? ZERO : parseStamp(floor);
      const made = isTooFarAhead(reading.timeMs) ? tickAhead(reading) : tickNear(reading);
      return formatStamp({ timeMs: made.timeMs, counter: made.counter, region, writer });
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

interface Span {
  readonly first: Reading;
  last: Reading;
}

interface Spans {
  /** Returns the first reading from `from` on that is in no span. */
  free(from: Reading): Reading;
  /** Does as `free`, and the reading is from then on in a span. */
  take(from: Reading): Reading;
  forgetBelow(reading: Reading): void;
}

/** Keeps the readings made so far above far-ahead floors, as spans in ascending order that do not touch. */
function createSpans(): Spans {
  const spans: Span[] = [];

  const free = (from: Reading): Reading => {
    let reading = from;
    for (const span of spans) {
      if (isLater(span.first, reading)) break;
      if (!isLater(reading, span.last)) reading = successor(span.last);
    }
    return reading;
  };

  const joinNearest = (): void => {
    let nearest = 0;
    const gapAfter = (place: number): number =>
      (spans[place + 1]?.first.timeMs ?? Number.POSITIVE_INFINITY) -
      (spans[place]?.last.timeMs ?? 0);
    for (let place = 1; place < spans.length - 1; place += 1) {
      if (gapAfter(place) < gapAfter(nearest)) nearest = place;
    }
    const [upper] = spans.splice(nearest + 1, 1);
    const lower = spans[nearest];
    if (lower !== undefined && upper !== undefined) lower.last = upper.last;
  };

  return {
    free,
    take(from) {
      const reading = free(from);
      const place = spans.findIndex(({ first }) => isLater(first, reading));
      const below = spans[(place < 0 ? spans.length : place) - 1];
      if (below !== undefined && isSame(successor(below.last), reading)) below.last = reading;
      else spans.splice(place < 0 ? spans.length : place, 0, { first: reading, last: reading });
      if (spans.length > SPANS_MAX) joinNearest();
      return reading;
    },
    forgetBelow(reading) {
      while (spans[0] !== undefined && isLater(reading, spans[0].last)) spans.shift();
    },
  };
}

function isLater(a: Reading, b: Reading): boolean {
  return a.timeMs > b.timeMs || (a.timeMs === b.timeMs && a.counter > b.counter);
}

function isSame(a: Reading, b: Reading): boolean {
  return a.timeMs === b.timeMs && a.counter === b.counter;
}

function later(a: Reading, b: Reading): Reading {
  return isLater(b, a) ? { timeMs: b.timeMs, counter: b.counter } : a;
}

function successor({ timeMs, counter }: Reading): Reading {
  // In the very last millisecond there is no next one to go on in.
  const isLast = timeMs >= STAMP_POSSIBLE_MS_MAX;
  if (counter < (isLast ? COUNTER_FORM_MAX : STAMP_COUNTER_MAX)) {
    return { timeMs, counter: counter + 1 };
  }
  if (isLast) throw exhausted({ timeMs, counter });
  return { timeMs: timeMs + 1, counter: 0 };
}

function exhausted({ timeMs }: Reading): TerminalError {
  return new TerminalError(
    'STAMP_IMPOSSIBLE',
    `No stamp is possible above the time ${timeMs} ms, the limit is ${STAMP_POSSIBLE_MS_MAX} ms. Set the ` +
      'clock of this machine right, or forget the entity whose row says so.',
    { details: { timeMs } },
  );
}
