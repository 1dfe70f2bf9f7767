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
