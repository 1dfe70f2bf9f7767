import {
  AppError,
  type Difference,
  TransientError,
  type VerifyReport,
  verifyRegions,
} from '@tandem/core';
import { createTableProof } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { duration } from '../option-values.ts';
import { type CliRegion, chooseBuckets, createSha256Digest } from '../regions/cli-region.ts';
import { readTombstoneAgeMs } from '../regions/region-setting.ts';
import { describeVerify } from '../report/describe-verify.ts';
import { timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import { type RecheckOptions, withRechecks } from './with-rechecks.ts';

export interface VerifyChoice extends RecheckOptions {
  readonly bucket?: string;
}

interface VerifyOptions extends VerifyChoice {
  readonly every?: number;
}

export function addVerify({ program, act }: Cli): void {
  const command = program
    .command('verify')
    .description('Are the regions equal? Reads every row; writes nothing but the proof.')
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .option(
      '--every <duration>',
      'goes on, keeping the time as of which they were equal',
      duration(1),
    );
  act<VerifyOptions>(withRechecks(command), async (session, options) => {
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
  const report = await verify(session, regions, options);
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
      last = await verify(session, regions, options);
      if (last.isEqual) provenMs = last.asOfMs;
      session.tell(`${provenText(provenMs)}; different now: ${last.differentCount}`);
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

function provenText(provenMs: number | undefined): string {
  return `proven equal as of ${provenMs === undefined ? 'never' : timeText(provenMs)}`;
}

/** Verifies, and keeps the proof in every region when it is of all buckets. */
export async function verify(
  session: Session,
  regions: readonly CliRegion[],
  options: VerifyChoice,
): Promise<VerifyReport> {
  const { io, progress } = session;
  const buckets = chooseBuckets(regions[0]?.recovery.buckets ?? [], options.bucket);
  let rows = 0;
  const report = await verifyRegions({
    regions: regions.map(({ recovery }) => recovery),
    buckets,
    clock: io.clock,
    createDigest: createSha256Digest,
    tombstoneAgeMs: await readTombstoneAgeMs(regions),
    recheckCountMax: options.rechecks,
    recheckDelayMs: options.recheckEvery,
    onRows(count) {
      io.signal.throwIfAborted();
      rows += count;
      progress.update('rows read', rows);
    },
  });
  progress.end();
  if (report.isEqual && options.bucket === undefined) {
    await keepProof(regions, report.asOfMs, session);
  }
  return report;
}

/** Whoever may only read has a proof all the same; it is then not kept for others. */
async function keepProof(
  regions: readonly CliRegion[],
  asOfMs: number,
  session: Session,
): Promise<void> {
  const names = regions.map(({ name }) => name);
  for (const { name, store } of regions) {
    try {
      await createTableProof({ store }).keep({ asOfMs, regions: names });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      session.tell(`The proof was not kept in ${name}: ${error.message}`);
    }
  }
}

function toOutcome(report: VerifyReport, session: Session, provenMs?: number): Outcome {
  const { io } = session;
  const requests = session.requests();
  const proof = report.isEqual ? report.asOfMs : provenMs;
  return {
    text: describeVerify(report, { requests, tookMs: io.clock.nowMs() - report.asOfMs }),
    json: {
      equal: report.isEqual,
      provenEqualAsOfMs: proof ?? null,
      asOfMs: report.asOfMs,
      settled: report.settledCount,
      different: report.differentCount,
      buckets: report.buckets.map(({ bucket, rows, digests }) => ({
        bucket,
        rows: Object.fromEntries(rows),
        digests: Object.fromEntries(digests),
      })),
      differences: report.differences.map(toJson),
      damaged: report.damaged,
      requests,
    },
    exitCode: exitCodeOfProof(report),
  };
}

export function exitCodeOfProof({ isEqual, damaged }: VerifyReport): ExitCode {
  if (isEqual) return EXIT.ok;
  return damaged.length > 0 ? EXIT.damaged : EXIT.finding;
}

export function toJson({ bucket, entityId, regions, fields }: Difference): object {
  return { id: entityId, bucket, regions, fields };
}
