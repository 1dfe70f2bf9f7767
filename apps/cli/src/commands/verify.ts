import { TransientError, type VerifyReport } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { exitCodeOfProof } from '../exit-codes.ts';
import { duration, withRechecks } from '../option-values.ts';
import { requireReplicated, withClientTable } from '../regions/choose-kind.ts';
import { proveEqual, type VerifyChoice } from '../regions/prove-equal.ts';
import type { CliRegion } from '../regions/region.ts';
import {
  conflictDifferenceJson,
  describeVerify,
  differenceJson,
} from '../report/describe-verify.ts';
import { timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface VerifyOptions extends VerifyChoice {
  readonly every?: number;
}

export function addVerify({ program, act }: Cli): void {
  const command = program
    .command('verify')
    .description(
      'Are the regions equal? Reads every row and every conflict; writes nothing but the proof.',
    )
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .option(
      '--every <duration>',
      'goes on, keeping the time as of which they were equal',
      duration(1),
    );
  act<VerifyOptions>(withClientTable(withRechecks(command)), async (session, options) => {
    requireReplicated(session, 'There is nothing to compare.');
    const regions = await session.open();
    if (options.every === undefined) return verifyOnce(session, regions, options);
    return verifyForEver(session, regions, { ...options, every: options.every });
  });
}

async function verifyOnce(
  session: Session,
  regions: readonly CliRegion[],
  options: VerifyChoice,
): Promise<Outcome> {
  const report = await proveEqual(session, regions, options);
  return toOutcome(report, session);
}

/**
 * Prints a line a round, and ends when it is told to, with the last round that was whole. A region that is
 * out of reach for a while does not end it, unless it is from the beginning.
 */
async function verifyForEver(
  session: Session,
  regions: readonly CliRegion[],
  options: VerifyOptions & { readonly every: number },
): Promise<Outcome> {
  const { io } = session;
  let provenMs: number | undefined;
  let last: VerifyReport | undefined;
  for (;;) {
    for (const region of regions) region.beginRound();
    try {
      last = await proveEqual(session, regions, options);
      if (last.isEqual) provenMs = last.asOfMs;
      session.tell(`${provenText(provenMs)}; different now: ${countDifferent(last)}`);
    } catch (error) {
      const isPassing = io.signal.aborted || error instanceof TransientError;
      if (!isPassing || last === undefined) throw error;
      if (error instanceof TransientError) {
        session.tell(`${provenText(provenMs)}; not compared now: ${error.message}`);
      }
    }
    await io.clock.sleep(options.every, io.signal);
    if (io.signal.aborted) return toOutcome(last, session, provenMs);
  }
}

/** Counts rows and conflicts. */
function countDifferent({ differentCount, journals }: VerifyReport): number {
  return differentCount + journals.differentCount;
}

function provenText(provenMs: number | undefined): string {
  return `proven equal as of ${provenMs === undefined ? 'never' : timeText(provenMs)}`;
}

function toOutcome(report: VerifyReport, session: Session, provenMs?: number): Outcome {
  const { io } = session;
  const requests = session.requests();
  const proof = report.isEqual ? report.asOfMs : provenMs;
  return {
    text: describeVerify(report, { requests, tookMs: io.clock.nowMs() - report.asOfMs }),
    json: {
      table: session.table?.name ?? session.kind.name,
      equal: report.isEqual,
      provenEqualAsOfMs: proof ?? null,
      asOfMs: report.asOfMs,
      settled: report.settledCount,
      different: report.differentCount,
      buckets: report.buckets.map(({ bucket, rows, bytes, digests }) => ({
        bucket,
        rows: Object.fromEntries(rows),
        bytes: Object.fromEntries(bytes),
        digests: Object.fromEntries(digests),
      })),
      differences: report.differences.map(differenceJson),
      damaged: report.damaged,
      conflicts: {
        recorded: Object.fromEntries(report.journals.recorded),
        different: report.journals.differentCount,
        settled: report.journals.settledCount,
        damaged: report.journals.damagedCount,
        differences: report.journals.differences.map(conflictDifferenceJson),
      },
      requests,
    },
    exitCode: exitCodeOfProof(report),
  };
}
