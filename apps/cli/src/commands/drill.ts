import {
  type Clock,
  type DrillPrediction,
  type DrillReport,
  measureClockOffset,
  type ProbeSettings,
  predictDrill,
  runDrill,
  settlingMs,
  TerminalError,
} from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import {
  createHttpDrillClient,
  readTrafficManager,
  type TrafficManagerSight,
  tokenIn,
} from '../drill/drill-over-http.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { duration, wholeNumber } from '../option-values.ts';
import { isReady, lookAtRegions } from '../regions/look-at-regions.ts';
import type { CliRegion } from '../regions/region.ts';
import { secondsText } from '../report/describe-status.ts';
import { textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface DrillCommandOptions extends Partial<ProbeSettings> {
  readonly region: string;
  readonly forReal: boolean;
  readonly front?: string;
  readonly away: number;
  readonly return: number;
  readonly version: boolean;
  readonly messagesPerSecond: number;
}

/** What docs/adr and the stack's own settings use: fast probes, three tolerated failures. */
const PROBING_DEFAULT: ProbeSettings = {
  intervalMs: 10_000,
  timeoutMs: 9_000,
  toleratedFailures: 3,
  ttlMs: 10_000,
};
const AWAY_MS_DEFAULT = 10_000;
const RETURN_MS_DEFAULT = 300_000;
/**
 * A cautious guess: 2,000 change sets, and 100 of them in each message. Whoever knows better says
 * so.
 */
const MESSAGES_PER_SECOND_DEFAULT = 20;

export function addDrill({ program, act }: Cli): void {
  const command = program
    .command('drill')
    .description(
      'What if a region vanished now: what is lost, what is late, how long clients go on asking it. ' +
        'With --for-real it takes the region out of traffic, watches, brings it back and measures.',
    )
    .requiredOption('--region <region>', 'the region that is taken out')
    .option('--for-real', 'do it', false)
    .option('--front <url>', 'where clients ask; by default the traffic manager of the inventory')
    .option('--away <duration>', 'how long traffic stays away', duration(0), AWAY_MS_DEFAULT)
    .option('--return <duration>', 'how long it is waited for', duration(1), RETURN_MS_DEFAULT)
    .option('--no-version', 'a client that does not tell which version it has seen')
    .option('--interval-ms <n>', 'of the probes', wholeNumber(1, 600_000))
    .option('--timeout-ms <n>', 'of the probes', wholeNumber(1, 600_000))
    .option('--tolerated-failures <n>', 'of the probes', wholeNumber(0, 9))
    .option('--ttl-ms <n>', 'of what clients were answered', wholeNumber(0, 86_400_000))
    .option(
      '--messages-per-second <n>',
      'how fast a region applies what waits; a full message holds 100 change sets',
      wholeNumber(1, 1_000_000),
      MESSAGES_PER_SECOND_DEFAULT,
    );
  act<DrillCommandOptions>(command, async (session, options): Promise<Outcome> => {
    await session.entry(options.region);
    const probing = await findProbing(session, options);
    return options.forReal
      ? await drillForReal(session, options, probing)
      : await whatIf(session, options, probing);
  });
}

async function whatIf(
  session: Session,
  { region, messagesPerSecond }: DrillCommandOptions,
  probing: ProbeSettings,
): Promise<Outcome> {
  const sights = await lookAtRegions(session);
  // Traffic goes to nobody whose API does not say that it is ready, whatever its tables say.
  const statuses = sights.flatMap((sight) =>
    sight.kind === 'seen' && (sight.status.region === region || isReady(sight))
      ? [sight.status]
      : [],
  );
  const prediction = predictDrill({ region, statuses, probing, messagesPerSecond });
  // Of a region that cannot be seen nothing is counted, which is not nothing.
  const isSafe =
    prediction.lostChanges === 0 && !prediction.isAtLeast && prediction.successor !== undefined;
  const unseen = sights.flatMap((sight) =>
    sight.kind === 'unseen' ? [`${sight.region} is out of reach: ${sight.error.message}`] : [],
  );
  return {
    text: [describePrediction(prediction), ...unseen].join('\n'),
    json: {
      forReal: false,
      prediction,
      outOfReach: sights.flatMap((sight) => (sight.kind === 'unseen' ? [sight.region] : [])),
    },
    exitCode: isSafe ? EXIT.ok : EXIT.finding,
  };
}

async function drillForReal(
  session: Session,
  options: DrillCommandOptions,
  probing: ProbeSettings,
): Promise<Outcome> {
  const { io, progress } = session;
  const { regions, trafficManager } = await session.inventory();
  const front = options.front ?? trafficManager;
  if (front === undefined) {
    throw new UsageError('Where do clients ask? Give --front, or trafficManager in the inventory.');
  }
  const apis = new Map(regions.map(({ name, api }) => [name, api]));
  const token = tokenIn(io.environment);
  const region = await session.openAsIs(options.region);
  const report = await runDrill({
    region: options.region,
    probing,
    drill: region.drill,
    regionAheadMs: await measureAheadMs(region, io.clock),
    client: createHttpDrillClient({ front, customerId: io.randomness.uuid(), token }),
    isReady: async (one) => {
      const api = apis.get(one);
      return api === undefined ? undefined : io.readReadiness(api);
    },
    others: regions.map(({ name }) => name).filter((name) => name !== options.region),
    isSettled: async () => {
      const sight = await readTrafficManager(trafficManager);
      return (
        sight && isSettled(sight, { region: options.region, probing, nowMs: io.clock.nowMs() })
      );
    },
    clock: io.clock,
    randomness: io.randomness,
    signal: io.signal,
    awayMs: options.away,
    returnMsMax: options.return,
    carriesVersion: options.version,
    onPhase: (phase, { reads }) => progress.update(phase, reads),
  });
  const isGood =
    report.isWithinBounds && report.counts.stale === 0 && report.failBackMs !== undefined;
  return {
    text: describeDrill(report),
    json: { forReal: true, ...report },
    exitCode: isGood ? EXIT.ok : EXIT.finding,
  };
}

interface Settling {
  readonly region: string;
  readonly probing: ProbeSettings;
  readonly nowMs: number;
}

/**
 * Tells whether it counts on another region, and has not changed its mind about any for a while.
 */
function isSettled(
  { online, changedMs }: TrafficManagerSight,
  { region, probing, nowMs }: Settling,
): boolean {
  const isSteady = changedMs === undefined || nowMs - changedMs >= settlingMs(probing);
  return isSteady && online.some((one) => one !== region);
}

async function measureAheadMs({ name, status }: CliRegion, clock: Clock): Promise<number> {
  const aheadMs = await measureClockOffset(status, clock);
  if (aheadMs !== undefined) return aheadMs;
  throw new TerminalError(
    'DRILL_REFUSED',
    `Nobody can tell what the clock of ${name} says, by which the drill would end: its replicator was ` +
      'not heard. See: tandem status.',
  );
}

/** Takes what was given, else what the stand-in says, else what a stack sets up. */
async function findProbing(
  session: Session,
  { intervalMs, timeoutMs, toleratedFailures, ttlMs }: Partial<ProbeSettings>,
): Promise<ProbeSettings> {
  const { trafficManager } = await session.inventory();
  const known = (await readTrafficManager(trafficManager))?.probing ?? PROBING_DEFAULT;
  return {
    intervalMs: intervalMs ?? known.intervalMs,
    timeoutMs: timeoutMs ?? known.timeoutMs,
    toleratedFailures: toleratedFailures ?? known.toleratedFailures,
    ttlMs: ttlMs ?? known.ttlMs,
  };
}

export function describePrediction(prediction: DrillPrediction): string {
  const { region, successor, lostChanges, delayedChanges, isAtLeast, failOver } = prediction;
  const { successorLagMs, successorWaiting, drainMs } = prediction;
  const count = (changes: number): string => `${isAtLeast ? 'at least ' : ''}${changes} changes`;
  return textTable(
    [`if ${region} vanished now`, ''],
    [
      ['traffic would go to', successor ?? 'NOBODY: no other region is ready'],
      ['lost, if it never came back', count(lostChanges)],
      ['late: some regions have them, not all', count(delayedChanges)],
      [
        'time to fail over',
        `${secondsText(failOver.formulaMs)} by the formula, ${secondsText(failOver.worstMs)} at worst`,
      ],
      [
        'what is shown then is old by',
        successorLagMs === undefined ? 'not known' : secondsText(successorLagMs),
      ],
      [
        'messages to apply first',
        successorWaiting === undefined ? 'not known' : String(successorWaiting),
      ],
      ['time to drain them', drainMs === undefined ? 'not known' : secondsText(drainMs)],
    ],
  );
}

export function describeDrill(report: DrillReport): string {
  const { region, successor, bounds, failOverMs, isWithinBounds, counts } = report;
  const within = isWithinBounds ? 'within' : 'NOT within';
  const table = textTable(
    [`drill of ${region}`, 'measured', 'to be'],
    [
      [
        `clients at ${successor}`,
        secondsText(failOverMs),
        `${within} ${secondsText(bounds.soonestMs)} to ${secondsText(bounds.worstMs)}` +
          `, ${secondsText(bounds.formulaMs)} by the formula`,
      ],
      ['caught up', optional(report.catchUpMs), 'after the end of the drill'],
      [`clients at ${region} again`, optional(report.failBackMs), 'after the end of the drill'],
      ['writes', String(counts.writes), ''],
      ['reads', String(counts.reads), ''],
      ['requests that failed', String(counts.failed), '0'],
      ['reads put off until caught up', String(counts.refused), ''],
      ['reads older than the client', String(counts.stale), '0'],
    ],
  );
  return [
    table,
    ...(report.failBackMs === undefined
      ? [`${region} did not take traffic again in time: tandem status says why.`]
      : []),
    ...report.unsettled.map(
      (one) =>
        `${one} was not ready all the while that clients were leaving: it had not settled, and what was ` +
        'measured is not what a fail-over takes. Repeat the drill once it has.',
    ),
  ].join('\n');
}

function optional(ms: number | undefined): string {
  return ms === undefined ? 'not in time' : secondsText(ms);
}
