import type { Heartbeat, ReplicationStatus } from '@tandem/core';

export interface ObservedStatus extends ReplicationStatus {
  /** The newest heartbeat that was written. */
  lastBeat(): Heartbeat | undefined;
}

/** Remembers the heartbeat, so that `/status` reads no table. */
export function observeStatus(status: ReplicationStatus): ObservedStatus {
  let last: Heartbeat | undefined;
  return {
    read: () => status.read(),
    async beat(heartbeat) {
      await status.beat(heartbeat);
      last = heartbeat;
    },
    lastBeat: () => last,
  };
}
