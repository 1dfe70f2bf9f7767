import { TerminalError } from '../errors.ts';
import { DRILL_MS_MAX } from '../model/drill-order.ts';
import type { Clock } from '../ports/clock.ts';
import type { DrillAnswer, DrillClient, DrillSwitch } from '../ports/drill.ts';
import type { Randomness } from '../ports/randomness.ts';
import { covers, mergeVectors, type VersionVector } from '../state/version-vector.ts';
import { type FailOverBounds, failOverBounds, type ProbeSettings } from './predict-drill.ts';

type DrillPhase = 'settling' | 'before' | 'leaving' | 'away' | 'returning' | 'after';

export interface DrillOptions {
  readonly region: string;
  readonly probing: ProbeSettings;
  readonly drill: DrillSwitch;
  readonly client: DrillClient;
  /** Whether a region says that it may take traffic; undefined when it does not answer. */
  readonly isReady: (region: string) => Promise<boolean | undefined>;
  readonly others: readonly string[];
  /**
   * Whether whoever sends clients has counted on the region and on another one for long enough to leave the one
   * for the other when it should; undefined where nobody can tell.
   */
  readonly isSettled: () => Promise<boolean | undefined>;
  readonly clock: Clock;
  /**
   * How far the region's clock is ahead of this one, in milliseconds: its processes read the order by
   * theirs, and an operator's may be wrong by minutes.
   */
  readonly regionAheadMs: number;
  readonly randomness: Pick<Randomness, 'uuid'>;
  readonly signal: AbortSignal;
  /** How long traffic stays away once it has left. */
  readonly awayMs: number;
  /** Beyond which the region is no longer waited for. */
  readonly returnMsMax: number;
  /** Whether the client tells which version it has seen. */
  readonly carriesVersion: boolean;
  readonly onPhase?: (phase: DrillPhase, counts: DrillCounts) => void;
}

export interface DrillReport {
  readonly region: string;
  readonly successor: string;
  readonly bounds: FailOverBounds;
  /** From the order to the first answer of another region, after which there was none of this one. */
  readonly failOverMs: number;
  readonly isWithinBounds: boolean;
  /** From the end of the order until the region said that it is ready; undefined: not in time. */
  readonly catchUpMs: number | undefined;
  /** From the end of the order until it answered the client again. */
  readonly failBackMs: number | undefined;
  readonly counts: DrillCounts;
  /** Other regions that were not ready all the while that clients were leaving. */
  readonly unsettled: readonly string[];
}

/** Between two requests of the client. */
const PACE_MS = 50;
/** A measurement is this much longer than the truth at most: one turn of the client, and a margin. */
const SLACK_MS = 2_000;
/** How long the client goes on once it is back, to see whether what it is shown is up to date. */
const AFTER_MS = 3_000;
const BEFORE_TURNS = 5;
const LOOK_EVERY_MS = 1_000;
/** Whatever has not settled in this many times the time that it takes will not. */
const SETTLES_WAITED = 4;

/**
 * Takes a region out of traffic, watches with a client of its own, brings it back and measures. The
 * order ends by itself should this process die, and is ended in any case. Throws `DRILL_REFUSED`
 * when nothing could be measured, or when nobody would be left to serve.
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { region, clock, drill, client, awayMs, returnMsMax } = options;
  const regionNowMs = (): number => clock.nowMs() + options.regionAheadMs;
  const bounds = failOverBounds(options.probing);
  await refuseUnlessSafe(options);
  await untilSettled(options);
  const tally = createDrillTally();
  const watch = createWatch(options, tally);
  const id = options.randomness.uuid();
  try {
    await watch('before', { turnsMax: BEFORE_TURNS });
    if (tally.counts().failed > 0) throw failing();
    if (tally.region() !== region) throw notServing(region, tally.region());
    const outMs = 2 * bounds.worstMs + awayMs;
    const order = { id, untilMs: regionNowMs() + Math.min(outMs, DRILL_MS_MAX) };
    if ((await drill.begin(order, regionNowMs())) === 'taken') throw taken(region);
    const orderedMs = clock.nowMs();
    const leftInMs = 2 * bounds.worstMs;
    const steadiness = createSteadiness(options);
    await watch('leaving', {
      msMax: leftInMs,
      until: () => tally.region() !== region,
      eachTurn: () => steadiness.look(),
    });
    const successor = tally.region();
    if (successor === undefined || successor === region) throw notLeft(region, leftInMs);
    const failOverMs = tally.sinceMs() - orderedMs;
    await watch('away', { msMax: awayMs });
    const endedMs = clock.nowMs();
    await drill.end(id, endedMs + options.regionAheadMs);
    let readyMs: number | undefined;
    await watch('returning', {
      msMax: returnMsMax,
      until: () => tally.region() === region,
      eachTurn: async () => {
        if (readyMs === undefined && (await options.isReady(region))) readyMs = clock.nowMs();
      },
    });
    const isBack = tally.region() === region;
    const backMs = tally.sinceMs();
    if (isBack) await watch('after', { msMax: AFTER_MS, isReadOnly: true });
    const { soonestMs, worstMs } = bounds;
    return {
      region,
      successor,
      bounds,
      failOverMs,
      isWithinBounds: failOverMs >= soonestMs && failOverMs <= worstMs + SLACK_MS,
      catchUpMs: readyMs === undefined ? undefined : readyMs - endedMs,
      failBackMs: isBack ? backMs - endedMs : undefined,
      counts: tally.counts(),
      unsettled: steadiness.unsteady(),
    };
  } finally {
    // Both, whatever becomes of the first: a table that is down must not leave the customer behind.
    await Promise.all([drill.end(id, regionNowMs()), client.remove()]);
  }
}

interface Watch {
  readonly msMax?: number;
  readonly turnsMax?: number;
  readonly until?: () => boolean;
  readonly isReadOnly?: boolean;
  readonly eachTurn?: () => Promise<void>;
}

/** Reads and writes in turns until it is enough; throws when the operator stops it. */
function createWatch(options: DrillOptions, tally: DrillTally) {
  const { clock, client, signal, carriesVersion } = options;
  const least = () => (carriesVersion ? tally.version() : undefined);
  return async (phase: DrillPhase, watch: Watch): Promise<void> => {
    const { msMax = Number.POSITIVE_INFINITY, turnsMax = Number.POSITIVE_INFINITY } = watch;
    const startedMs = clock.nowMs();
    for (let turn = 0; turn < turnsMax && clock.nowMs() - startedMs < msMax; turn += 1) {
      signal.throwIfAborted();
      // It reads first, and writes no more once it is back: its own write would hide what is missing.
      tally.noteRead(await client.read(least()), clock.nowMs());
      await watch.eachTurn?.();
      options.onPhase?.(phase, tally.counts());
      if (watch.until?.() === true) return;
      if (watch.isReadOnly !== true) {
        const written = await client.write(tally.nextCount(), least());
        tally.noteWrite(written, clock.nowMs());
      }
      await clock.sleep(PACE_MS, signal);
    }
  };
}

async function refuseUnlessSafe({ region, others, isReady }: DrillOptions): Promise<void> {
  const [own, ...rest] = await Promise.all([region, ...others].map((one) => isReady(one)));
  if (own !== true) {
    throw refused(`${region} is not ready, so nothing can be learnt. See: tandem status.`);
  }
  if (!rest.includes(true)) {
    throw refused(`No other region is ready: nobody would be left to serve. See: tandem status.`);
  }
}

/**
 * A region that came back a moment ago says that it is ready before the next probe of it, and before the answers
 * that clients keep have run out: a fail-over measured then is that of two. Waits until that is over, and throws
 * `DRILL_REFUSED` when it does not end.
 */
async function untilSettled(options: DrillOptions): Promise<void> {
  const { region, others, clock, signal, isReady } = options;
  const settleMs = settlingMs(options.probing);
  const startedMs = clock.nowMs();
  let steadySinceMs = startedMs;
  while (clock.nowMs() - startedMs <= SETTLES_WAITED * settleMs) {
    signal.throwIfAborted();
    const isSettled = await options.isSettled();
    if (isSettled === true) return;
    const [own, ...rest] = await Promise.all([region, ...others].map((one) => isReady(one)));
    if (own !== true || !rest.includes(true)) steadySinceMs = clock.nowMs();
    if (isSettled === undefined && clock.nowMs() - steadySinceMs >= settleMs) return;
    options.onPhase?.('settling', createDrillTally().counts());
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
  throw refused(
    `${region}, or every other region, has not settled: it came back a moment ago, and clients are not ` +
      'sent to it reliably yet. See: tandem status; then repeat the drill.',
  );
}

/** Until each endpoint has been probed again, and what clients were answered before has run out. */
export function settlingMs({ intervalMs, timeoutMs, ttlMs }: ProbeSettings): number {
  return intervalMs + timeoutMs + ttlMs;
}

/** Sees, now and then, which of the other regions are not ready. */
function createSteadiness({ others, isReady, clock }: DrillOptions) {
  const unsteady = new Set<string>();
  let lookedMs = Number.NEGATIVE_INFINITY;
  return {
    unsteady: (): readonly string[] => others.filter((one) => unsteady.has(one)),
    async look(): Promise<void> {
      if (clock.nowMs() - lookedMs < LOOK_EVERY_MS) return;
      lookedMs = clock.nowMs();
      const ready = await Promise.all(others.map((one) => isReady(one)));
      for (const [index, one] of others.entries()) if (ready[index] !== true) unsteady.add(one);
    },
  };
}

function refused(message: string): TerminalError {
  return new TerminalError('DRILL_REFUSED', message);
}

function notServing(region: string, serving: string | undefined): TerminalError {
  return refused(
    `Traffic goes to ${serving ?? 'nobody'}, not to ${region}: drill the region that it goes to.`,
  );
}

function failing(): TerminalError {
  return refused(
    'Requests fail although nothing is drilled yet. Where the API asks for tokens, give one with ' +
      'all scopes in TANDEM_TOKEN.',
  );
}

function taken(region: string): TerminalError {
  return refused(`Someone else drills ${region} now. Wait until that ends.`);
}

function notLeft(region: string, msMax: number): TerminalError {
  return refused(
    `Traffic had not left ${region} after ${msMax} ms: does Traffic Manager probe /health/ready, as ` +
      'often as was said?',
  );
}

interface DrillCounts {
  readonly writes: number;
  readonly reads: number;
  /** Requests that got no answer, or an error. */
  readonly failed: number;
  /** Reads that a region refused because it was behind the client. */
  readonly refused: number;
  /**
   * Reads that showed less than the client had been told to be written, and writes onto less than that:
   * there must be none.
   */
  readonly stale: number;
}

/** What one client saw of a drill, and when it was answered by which region. */
export interface DrillTally {
  /** Returns what the client has seen so far. */
  version(): VersionVector | undefined;
  nextCount(): number;
  noteWrite(answer: DrillAnswer, atMs: number): void;
  noteRead(answer: DrillAnswer, atMs: number): void;
  /** Returns the region that answered last. */
  region(): string | undefined;
  /** Returns when a region answered for the first time since it last was another. */
  sinceMs(): number;
  counts(): DrillCounts;
}

export function createDrillTally(): DrillTally {
  const counts = { writes: 0, reads: 0, failed: 0, refused: 0, stale: 0 };
  let version: VersionVector | undefined;
  let asked = 0;
  let acknowledged = 0;
  let region: string | undefined;
  let sinceMs = 0;

  const learn = (seen: VersionVector): void => {
    if (seen.size > 0) version = mergeVectors(version ?? new Map(), seen);
  };

  const note = (answer: DrillAnswer, atMs: number): void => {
    if (answer.kind === 'failed') counts.failed += 1;
    else if (answer.region !== region) {
      ({ region } = answer);
      sinceMs = atMs;
    }
    if (answer.kind === 'refused') counts.refused += 1;
  };

  return {
    version: () => version,
    nextCount: () => (asked += 1),
    noteWrite(answer, atMs) {
      counts.writes += 1;
      note(answer, atMs);
      if (answer.kind !== 'answered') return;
      // The first answer of a region that is behind may be to a write, which hides from every read after it
      // what was missing.
      if (version !== undefined && !covers(answer.version, version)) counts.stale += 1;
      acknowledged = Math.max(acknowledged, answer.count);
      learn(answer.version);
    },
    noteRead(answer, atMs) {
      counts.reads += 1;
      note(answer, atMs);
      if (answer.kind !== 'answered') return;
      // Older than what this client was told: a write whose answer was lost may show, and be newer.
      if (answer.count < acknowledged) counts.stale += 1;
      else learn(answer.version);
    },
    region: () => region,
    sinceMs: () => sinceMs,
    counts: () => ({ ...counts }),
  };
}
