import type { DrillOrder } from '../model/drill-order.ts';

/**
 * Keeps the order of a drill in the region's own table: its processes obey it within seconds. All
 * times are by the region's clock.
 */
export interface DrillSwitch {
  /** Resolves with the order that was written last, over or not; undefined when there never was one. */
  read(): Promise<DrillOrder | undefined>;
  /** Resolves with `taken` when another order is in force. An order of the same id is replaced. */
  begin(order: DrillOrder, nowMs: number): Promise<'begun' | 'taken'>;
  /** Ends the order from `nowMs` on, and leaves it to be seen. Idempotent; leaves another's alone. */
  end(id: string, nowMs: number): Promise<void>;
}
