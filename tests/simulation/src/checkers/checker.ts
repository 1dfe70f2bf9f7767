import type { History } from '../clients/history.ts';
import type { PoisonLog } from '../faults/poison.ts';
import type { Ledger } from '../observe/ledger.ts';
import type { RawState } from '../observe/raw-state.ts';
import type { RawChangeSet } from '../observe/read-raw.ts';
import type { World } from '../world/world.ts';

export interface StoredEntity {
  readonly state: RawState;
  readonly referenceId: string | undefined;
  readonly partition: string;
  /** All that the store keeps but what is a region's own, as one text. */
  readonly bytes: string;
}

export interface RecordedConflict {
  readonly entityId: string;
  readonly fields: readonly {
    readonly name: string;
    readonly loser: readonly [stamp: string, value: unknown];
  }[];
  readonly life?: { readonly deleted: string; readonly survives: boolean };
}

/** What one region holds when all is over, read from its account. */
export interface FinalRegion {
  readonly name: string;
  readonly rows: ReadonlyMap<string, StoredEntity>;
  /** By partition and stamp. */
  readonly archive: ReadonlyMap<string, RawChangeSet>;
  readonly conflicts: readonly RecordedConflict[];
  /** By partition and row: what is recorded, as it is written. */
  readonly conflictBytes: ReadonlyMap<string, string>;
  readonly outboxKeys: readonly string[];
  /** Rows of its archive that are later ones of a set whose first row is not there. */
  readonly leftInArchive: readonly string[];
  /** All that its tables and its queue say, by place. */
  readonly everything: readonly { readonly place: string; readonly texts: readonly string[] }[];
  readonly deadLetters: readonly { readonly messageId: string; readonly reason: string }[];
  /** What its replicators tell of its peers, as it is written. */
  readonly progress: string | undefined;
  /** How long the oldest message has been waiting, in milliseconds; 0 for an empty queue. */
  readonly oldestMessageMs: number;
  /** What replaying the archive from empty gives, for stamps before a time. */
  readonly replays: readonly {
    readonly beforeMs: number;
    readonly rows: ReadonlyMap<string, StoredEntity>;
  }[];
}

export interface FinalState {
  readonly world: World;
  readonly ledger: Ledger;
  readonly history: History;
  readonly poison: PoisonLog;
  readonly regions: readonly FinalRegion[];
  readonly hasConverged: boolean;
}

/** One property of the final state. Returns what violates it, in words. */
export interface FinalChecker {
  readonly name: string;
  check(final: FinalState): readonly string[];
}

export interface Violation {
  readonly checker: string;
  readonly message: string;
}

/** True when the row may rightly be missing: it was deleted, and its tombstone collected here. */
export function isCollected({ ledger }: FinalState, region: string, entityId: string): boolean {
  return ledger.regionNamed(region).collected.has(entityId);
}

/** True when what a row knew of older lives may rightly be forgotten: collected, or lost by a store. */
export function isForgottenAnywhere(final: FinalState, entityId: string): boolean {
  const wasLost = final.regions.some(({ name }) =>
    final.ledger.regionNamed(name).lost.has(entityId),
  );
  return wasLost || isCollectedAnywhere(final, entityId);
}

export function isCollectedAnywhere(final: FinalState, entityId: string): boolean {
  return final.regions.some(({ name }) => isCollected(final, name, entityId));
}
