import type { ChangePublisher, ChangeReceiver } from '@tandem/core';

/** One queue of one namespace. */
export interface BusQueue {
  readonly connection: string;
  readonly queue: string;
}

interface PeerQueue extends BusQueue {
  readonly region: string;
}

/** Makes what the replicator sends and receives with; nothing connects before it is used. */
export interface Bus {
  createPublisher(peer: PeerQueue): ChangePublisher;
  createReceiver(own: BusQueue): ChangeReceiver;
  /** Throws `BUS_UNAVAILABLE` or `BUS_THROTTLED` while the namespace is not there. */
  ensureQueue(own: BusQueue): Promise<void>;
}
