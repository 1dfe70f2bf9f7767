import {
  AppError,
  type Clock,
  type DrillOrder,
  type DrillSwitch,
  isOutForDrill,
  type Lease,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import type { Duty } from './duties/run-duties.ts';

/** What a replicator knows of a drill: while it is out, its region receives nothing and is silent. */
export interface DrillRest {
  isOut(): boolean;
  /** Reads the order again; throws what reading throws. */
  look(): Promise<void>;
}

export interface DrillRestOptions {
  readonly drill: Pick<DrillSwitch, 'read'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
}

export function createDrillRest({ drill, clock, logger }: DrillRestOptions): DrillRest {
  let order: DrillOrder | undefined;
  let wasOut = false;
  // Asked of what is remembered, so that a drill ends in time while the table cannot be read.
  const isOut = (): boolean => isOutForDrill(order, clock.nowMs());
  return {
    isOut,
    async look() {
      order = await drill.read();
      if (isOut() === wasOut) return;
      wasOut = !wasOut;
      const event = wasOut ? 'drill-begun' : 'drill-ended';
      logger.warn({ event, drill: order?.id }, 'A drill takes this region out, or has ended.');
    },
  };
}

const REST_MS = 250;

/** Returns the duty, whose turns do nothing while the region is out. */
export function restDuringDrill(
  duty: Duty,
  { rest, clock }: { readonly rest: DrillRest; readonly clock: Clock },
): Duty {
  return {
    ...duty,
    turn: (signal) => (rest.isOut() ? clock.sleep(REST_MS, signal) : duty.turn(signal)),
  };
}

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
