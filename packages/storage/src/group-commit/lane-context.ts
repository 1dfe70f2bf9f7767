import type {
  Archive,
  Clock,
  EntityKind,
  HybridClock,
  OutboxEntry,
  Randomness,
  Replica,
  TableStore,
} from '@tandem/core';
import type { RowMemory } from '../replica/row-memory.ts';
import type { EntityLine } from './entity-lines.ts';
import type { Gate } from './gate.ts';
import type { GroupWrite } from './pack-group.ts';
import type { PendingWrite } from './pending-write.ts';

/** What the lanes of one table share. */
export interface LaneContext<K extends EntityKind> {
  readonly kind: K;
  readonly store: TableStore;
  readonly archive: Archive;
  readonly replica: Replica;
  readonly memory: RowMemory;
  readonly hybridClock: HybridClock;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly wireVersion: number;
  readonly peers: readonly string[];
  /** Resolves when who is about to write has had the time to: who comes meanwhile goes along. */
  readonly gather?: (() => Promise<void>) | undefined;
  readonly onCommitted: (entry: OutboxEntry) => void;
  /** Transactions, and reads, under way over all buckets. */
  readonly commitGate: Gate;
  readonly readGate: Gate;
  /** Of arrivals and store calls, in one count for the whole table. */
  readonly nextNumber: () => number;
}

/** A write that is decided, and the line at whose head it stands. */
export interface LaneWrite<K extends EntityKind> extends GroupWrite {
  readonly line: EntityLine<K>;
  readonly pending: PendingWrite<K>;
  readonly isRemembered: boolean;
}
