import { AppError, TransientError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Lease } from '../ports/lease.ts';

export const RECOVERY_LEASE_MS = 60_000;
const RENEW_MS = 20_000;

export interface LeaseHolding {
  readonly clock: Clock;
  /** Aborted when the work is to stop. */
  readonly signal: AbortSignal;
  /** Aborted when a lease is lost: the work stops as it does for an operator. */
  readonly leaseLost: AbortController;
}

export interface LeasedRegion {
  readonly name: string;
  /** Names whoever recovers the region; only a courtesy between operators. */
  readonly lease: Lease;
}

/** Does the work under the leases of all regions. Throws `RECOVERY_BUSY` when one is not to be had, or lost. */
export async function holdLeases<T>(
  regions: readonly LeasedRegion[],
  { clock, signal, leaseLost }: LeaseHolding,
  work: () => Promise<T>,
): Promise<T> {
  const held: LeasedRegion[] = [];
  const done = new AbortController();
  try {
    for (const region of regions) {
      if (!(await region.lease.acquire(RECOVERY_LEASE_MS))) throw busy(region);
      held.push(region);
    }
    signal.throwIfAborted();
    const renewing = Promise.all(held.map((region) => renew(region, clock, done.signal)));
    void renewing.catch((error: unknown) => leaseLost.abort(error));
    const result = await work();
    done.abort();
    await renewing;
    return result;
  } catch (error) {
    // Whatever the work made of being stopped: why it was is what counts.
    throw leaseLost.signal.aborted ? leaseLost.signal.reason : error;
  } finally {
    done.abort();
    await Promise.allSettled(held.map(({ lease }) => lease.release()));
  }
}

/** Throws once someone else has the lease, or could have it because nobody can renew it. */
async function renew(
  { name, lease }: LeasedRegion,
  clock: Clock,
  done: AbortSignal,
): Promise<void> {
  let endsMs = clock.nowMs() + RECOVERY_LEASE_MS;
  for (;;) {
    await clock.sleep(RENEW_MS, done);
    if (done.aborted) return;
    const askedMs = clock.nowMs();
    // A store that is down for a moment is asked again for as long as the lease lasts.
    const outcome = await lease.acquire(RECOVERY_LEASE_MS).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      return 'unknown' as const;
    });
    if (outcome === true) endsMs = askedMs + RECOVERY_LEASE_MS;
    else if (outcome === false || clock.nowMs() >= endsMs) throw lost(name);
  }
}

function busy({ name }: LeasedRegion): TransientError {
  return new TransientError(
    'RECOVERY_BUSY',
    `Someone else recovers the region ${name} now. Wait until that ends; when it was cut off, it is ` +
      `over ${RECOVERY_LEASE_MS / 1_000} s later.`,
  );
}

function lost(name: string): TransientError {
  return new TransientError(
    'RECOVERY_BUSY',
    `The lease of ${name} could not be renewed, so that someone else may recover it now. Stopped; what was ` +
      'done stays done. See whether someone does, and repeat the command.',
  );
}
