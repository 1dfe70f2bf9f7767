import type { Notice, PeerProgress, ReplicationProgress } from '../model/progress.ts';

export interface Heartbeat {
  readonly nowMs: number;
  readonly catchingUpSinceMs: number | undefined;
  readonly hasBacklog: boolean;
  readonly peers: readonly PeerProgress[];
  /** Holds what the writer has noticed; none by default. */
  readonly notices?: readonly Notice[];
  /** Is the newest wire version that the writer reads. */
  readonly readsWireVersion?: number;
  /** Names the settings that the environment of the writer overrides. */
  readonly overriddenSettings?: readonly string[];
  /** Counts by origin the change sets that the writer applied since its last beat; each is added to the peer's count. */
  readonly appliedSets?: ReadonlyMap<string, number>;
  /** Says how far ahead of `nowMs` a stored claim may be and be kept; `CLAIM_AHEAD_MS_MAX` by default. */
  readonly driftMsMax?: number;
}

/** Keeps what the replicator tells the customer API of its region, through the region's own table. */
export interface ReplicationStatus {
  /**
   * Resolves with what is written there, to be judged by `believedPeers`; undefined when nobody ever wrote one.
   */
  read(): Promise<ReplicationProgress | undefined>;
  /** Keeps the newest of each peer's claims that is believed, for several replicators may write. */
  beat(heartbeat: Heartbeat): Promise<void>;
}
