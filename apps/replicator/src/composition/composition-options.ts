import type { Clock, EntityKind, PeerLink, Randomness, TableStore } from '@tandem/core';
import type { OpenedRegion } from '@tandem/region-kit';
import type { Logger } from '@tandem/service-kit';
import type { Telemetry } from '@tandem/telemetry';
import type { Bus } from '../bus/service-bus.ts';
import type { Duty } from '../duties/duty.ts';
import type { Activity } from '../observe/activity.ts';
import type {
  ObservedReceiver,
  ObservedStatus,
  ObservedSweeper,
} from '../observe/observed-ports.ts';

/** What a replicator is made from. */
export interface CompositionOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly bus: Bus;
  readonly kinds: readonly EntityKind[];
  readonly opened: OpenedRegion;
  readonly tracer?: Telemetry['tracer'];
}

export interface Composition {
  readonly duties: readonly Duty[];
  readonly activity: Activity;
  readonly links: readonly PeerLink[];
  /** Undefined in a region without peers. */
  readonly receiver: ObservedReceiver | undefined;
  readonly status: ObservedStatus;
  /** Undefined in a region without peers. */
  readonly sweeper: ObservedSweeper | undefined;
  /** Resolves when all that was received is settled or given up. Never rejects. */
  drain(): Promise<void>;
  /** Lets another process go on at once. Only a saving, so what fails is only logged. */
  releaseLeases(): Promise<void>;
  /** The receiver first, then the senders. */
  closeBus(): Promise<void>;
}
