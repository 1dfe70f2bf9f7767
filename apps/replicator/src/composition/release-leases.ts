import { AppError, type Lease } from '@tandem/core';
import type { Logger } from '@tandem/service-kit';

/** Lets another process go on at once. Only a saving, so what fails is only logged. */
export async function releaseLeases(leases: readonly Lease[], logger: Logger): Promise<void> {
  for (const lease of leases) {
    try {
      await lease.release();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      logger.warn(
        { event: 'lease-not-released', error },
        'A lease could not be released and runs out by itself.',
      );
      return;
    }
  }
}
