import type { DrillOrder } from '../drill/drill-order.ts';

/** The order of a drill, in the region's own table: its processes obey it within seconds. */
export interface DrillSwitch {
  /** The order that was written last, over or not; undefined when there is none. */
  read(): Promise<DrillOrder | undefined>;
  /** `taken` when another order is in force. An order of the same id is replaced. */
  begin(order: DrillOrder, nowMs: number): Promise<'begun' | 'taken'>;
  /** Idempotent. An order of another id stays. */
  end(id: string): Promise<void>;
}
