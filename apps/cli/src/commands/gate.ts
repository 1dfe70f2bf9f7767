import { AppError, NEWEST_WIRE_VERSION } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { keepStores } from '../io.ts';
import { duration, durationText, withRechecks } from '../option-values.ts';
import { KINDS } from '../regions/choose-kind.ts';
import { isReady, lookAtRegions, type RegionSight } from '../regions/look-at-regions.ts';
import { proveEqual, type VerifyChoice } from '../regions/prove-equal.ts';
import { readSettingText } from '../regions/region.ts';
import { describeReason } from '../report/describe-status.ts';
import { escapeValue } from '../report/escape-text.ts';
import { timeText } from '../report/text-table.ts';
import { type CommonOptions, createSession, type Session } from '../session.ts';

interface GateOptions extends VerifyChoice, CommonOptions {
  readonly soak: number;
  readonly within: number;
  readonly every: number;
  readonly queues: boolean;
}

const SOAK_MS_DEFAULT = 10 * 60_000;
const WITHIN_MS_DEFAULT = 30 * 60_000;
const EVERY_MS_DEFAULT = 10_000;

export function addGate({ program, act }: Cli): void {
  const command = program
    .command('gate')
    .description(
      'May the next region be upgraded? Watches until all regions were well for a time without a break and no dead ' +
        'letter has come, then proves them equal. Stops at once where a region writes messages that this build does not read. ' +
        'Writes nothing but the proof.',
    )
    .option('--soak <duration>', 'for how long all must be well', duration(1), SOAK_MS_DEFAULT)
    .option('--within <duration>', 'gives up after', duration(1), WITHIN_MS_DEFAULT)
    .option('--every <duration>', 'looks again after', duration(1), EVERY_MS_DEFAULT)
    .option('--no-queues', 'where nobody may count messages: dead letters are not looked at');
  act<GateOptions>(withRechecks(command), gate);
}

/** Is why the time of being well begins anew, or that it never can be again. */
interface Break {
  readonly atMs: number;
  readonly reasons: readonly string[];
}

async function gate(session: Session, options: GateOptions): Promise<Outcome> {
  const { clock, signal } = session.io;
  // A look has nothing to say by itself.
  const io = { ...keepStores(session.io), out: () => undefined, err: () => undefined };
  const { soak, within, every, queues } = options;
  const startedMs = clock.nowMs();
  const first = new Map<string, number>();
  let wellSinceMs: number | undefined;
  let last: Break | undefined;
  const end = (what: string, exitCode: typeof EXIT.ok | typeof EXIT.finding): Outcome => ({
    text: escapeValue(what),
    json: {
      passed: exitCode === EXIT.ok,
      wellMs: wellSinceMs === undefined ? 0 : clock.nowMs() - wellSinceMs,
      lastBreak: last === undefined ? null : { atMs: last.atMs, reasons: last.reasons },
    },
    exitCode,
  });
  const tooNew = await findTooNew(createSession(io, options));
  for (;;) {
    signal.throwIfAborted();
    // What was silent at one look is asked anew at the next.
    const sights = await lookAtRegions(createSession(io, options));
    const nowMs = clock.nowMs();
    // Neither goes by itself, so no time makes it well again.
    const lasting = [...tooNew, ...(queues ? findGrown(sights, first) : [])];
    if (lasting.length > 0) {
      last = { atMs: nowMs, reasons: lasting };
      return end(`Stop: ${lasting.join(' ')}`, EXIT.finding);
    }
    const reasons = sights.flatMap((sight) => findReasons(sight, queues));
    if (reasons.length > 0) {
      if (wellSinceMs !== undefined || last === undefined)
        session.tell(`${timeText(nowMs)} not well: ${reasons.join(' ')}`);
      wellSinceMs = undefined;
      last = { atMs: nowMs, reasons };
    } else if (wellSinceMs === undefined) {
      wellSinceMs = nowMs;
      session.tell(`${timeText(nowMs)} all are well; they must be so for ${durationText(soak)}`);
    }
    if (wellSinceMs !== undefined && nowMs - wellSinceMs >= soak) break;
    if (nowMs - startedMs >= within) {
      const why = last === undefined ? 'the time was too short.' : last.reasons.join(' ');
      return end(
        `Stop: not well for ${durationText(soak)} within ${durationText(within)}: ${why}`,
        EXIT.finding,
      );
    }
    await clock.sleep(every, signal);
  }
  const different = await findDifferent(session, options);
  if (different.length > 0) {
    last = { atMs: clock.nowMs(), reasons: different };
    return end(`Stop: ${different.join(' ')} See tandem verify.`, EXIT.finding);
  }
  return end(
    `Go on: all regions were well for ${durationText(soak)}, and they are equal.`,
    EXIT.ok,
  );
}

/**
 * Returns a sentence for each region that writes messages which this build, and so a region that gets it, does not read. A region that
 * is silent now is told of by the looks.
 */
async function findTooNew(session: Session): Promise<readonly string[]> {
  const { regions } = await session.inventory();
  const asked = regions.map(async ({ name }) => {
    try {
      const text = await readSettingText(await session.openAsIs(name), 'Messages.WireVersion');
      if (text === undefined || !(Number(text) > NEWEST_WIRE_VERSION)) return [];
      return [
        `${name} writes messages of version ${text}, and this build reads up to ${NEWEST_WIRE_VERSION}: where it runs, they would be set ` +
          'aside as too new. Upgrade by a build that is not older.',
      ];
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return [];
    }
  });
  return (await Promise.all(asked)).flat();
}

function findReasons(sight: RegionSight, queues: boolean): readonly string[] {
  if (sight.kind === 'unseen') return [`${sight.region} gives no answer: ${sight.error.message}`];
  const { status, api } = sight;
  const { region, readiness, queue } = status;
  const own = readiness.kind === 'ready' ? [] : readiness.reasons.map(describeReason);
  const asked = isReady(sight) || readiness.kind !== 'ready' ? [] : [`its API is ${api}`];
  const counted =
    queues && (queue === undefined || 'error' in queue)
      ? ['how many dead letters it has is not known']
      : [];
  return [...own, ...asked, ...counted].map((reason) => `${region}: ${reason}.`);
}

/** Notes how many dead letters each region began with. Returns a sentence for each that has more. */
function findGrown(sights: readonly RegionSight[], first: Map<string, number>): readonly string[] {
  return sights.flatMap((sight) => {
    if (sight.kind === 'unseen') return [];
    const { region, queue } = sight.status;
    if (queue === undefined || 'error' in queue) return [];
    const before = first.get(region) ?? queue.deadLettered;
    first.set(region, before);
    const more = queue.deadLettered - before;
    return more > 0
      ? [
          `${region} has ${more} more dead letters than when this began. See tandem dead-letters list.`,
        ]
      : [];
  });
}

/** Compares what all regions have of each kind. Returns a sentence for each that is not the same. */
async function findDifferent(session: Session, options: GateOptions): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const kind of KINDS) {
    const of = session.of(kind);
    try {
      const names = (await session.inventory()).regions.map(({ name }) => name);
      const known = await Promise.all(names.map((name) => of.openAsIs(name)));
      // Regions in which there never were tables of clients have nothing of them.
      if (known.every(({ bucketCount }) => bucketCount === 0)) continue;
      const regions = await of.open(names);
      const report = await proveEqual(of, regions, options);
      if (report.isEqual) continue;
      const count = report.differentCount + report.journals.differentCount;
      const damaged = report.damaged.length + report.journals.damagedCount;
      problems.push(`${kind.name}: ${count} rows and conflicts differ, ${damaged} are damaged.`);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(`${kind.name} could not be compared: ${error.message}`);
    }
  }
  return problems;
}
