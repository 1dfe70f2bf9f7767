import { AppError, type VerifyReport, verifyRegions } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { RecheckOptions } from '../option-values.ts';
import type { Session } from '../session.ts';
import { type CliRegion, chooseBuckets, createSha256Digest, readTombstoneAgeMs } from './region.ts';

export interface VerifyChoice extends RecheckOptions {
  readonly bucket?: string;
}

/** Compares the regions, rows and journals of conflicts, and keeps the proof in every one when it is of all buckets. */
export async function proveEqual(
  session: Session,
  regions: readonly CliRegion[],
  options: VerifyChoice,
): Promise<VerifyReport> {
  const { io, progress, kind } = session;
  const buckets = chooseBuckets(regions[0]?.recovery.buckets ?? [], options.bucket);
  let [rows, conflicts] = [0, 0];
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
    onConflicts(count) {
      io.signal.throwIfAborted();
      conflicts += count;
      progress.update('conflicts read', conflicts);
    },
  });
  progress.end();
  // The proof that status shows is of the customers.
  if (report.isEqual && options.bucket === undefined && kind.name === customerKind.name) {
    await keepProof(regions, report.asOfMs, session);
  }
  return report;
}

/** Keeps the proof for others; whoever may only read has it all the same. */
async function keepProof(
  regions: readonly CliRegion[],
  asOfMs: number,
  session: Session,
): Promise<void> {
  const names = regions.map(({ name }) => name);
  for (const { name, proof } of regions) {
    try {
      await proof.keep({ asOfMs, regions: names });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      session.tell(`The proof was not kept in ${name}: ${error.message}`);
    }
  }
}
