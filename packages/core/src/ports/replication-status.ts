import type { PeerProgress, ReplicationProgress } from '../readiness/decide-readiness.ts';

export interface Heartbeat {
  readonly nowMs: number;
  readonly catchingUpSinceMs: number | undefined;
  readonly hasBacklog: boolean;
  readonly peers: readonly PeerProgress[];
}

/** What the replicator tells the customer API of its region, through the region's own table. */
export interface ReplicationStatus {
  /** Undefined when no replicator of this region ever wrote one. */
  read(): Promise<ReplicationProgress | undefined>;
  /** Several replicators may write: of each peer's passed watermark the newest is kept. */
  beat(heartbeat: Heartbeat): Promise<void>;
}
