import type { DrillOrder } from '../model/drill-order.ts';
import type { VersionVector } from '../state/version-vector.ts';

export type DrillAnswer =
  | {
      readonly kind: 'answered';
      /** Names the region that answered. */
      readonly region: string;
      /** Is empty when nothing is there. */
      readonly version: VersionVector;
      /** Is the number that was written; 0 when nothing is there. */
      readonly count: number;
    }
  /** The region has not reached the version that the client has seen, and says so. */
  | { readonly kind: 'refused'; readonly region: string }
  | { readonly kind: 'failed' };

/** Is one client of the product, in front of all regions, with one entity of its own. */
export interface DrillClient {
  /** Neither throws: whatever goes wrong is an answer. `least` is the version the client has seen. */
  write(count: number, least: VersionVector | undefined): Promise<DrillAnswer>;
  read(least: VersionVector | undefined): Promise<DrillAnswer>;
  /** Removes its entity. Idempotent. */
  remove(): Promise<void>;
}

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
