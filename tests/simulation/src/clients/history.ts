import type { Intent } from './choose-operation.ts';
import type { GadgetField } from './values.ts';

export type OperationKind = 'put' | 'patch' | 'remove' | 'get' | 'list' | 'oversize' | 'transact';

export type Outcome =
  | { readonly kind: 'pending' }
  /** The connection broke, or nobody could say: it may have happened. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** It did not happen, and the client was told so. */
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'acknowledged'; readonly stamp: string | undefined }
  | { readonly kind: 'listed'; readonly pages: readonly (readonly string[])[] }
  | { readonly kind: 'read'; readonly version: ReadonlyMap<string, string> | undefined };

/** What a client asked for and was told: the log that it would keep itself. */
export interface OperationRecord {
  readonly id: number;
  readonly client: number;
  readonly region: string;
  /** Of the process that was asked. */
  readonly writer: string;
  readonly entityId: string;
  /** All entities that it is about: of a transaction several. */
  readonly entityIds: readonly string[];
  readonly kind: OperationKind;
  readonly fields: readonly GadgetField[];
  readonly condition: Intent['condition'];
  /** True time. */
  readonly startMs: number;
  endMs: number;
  outcome: Outcome;
  /** The region's own table failed in some way while it ran. */
  hadStoreFault: boolean;
  /** The process that was asked stood still meanwhile. */
  wasPaused: boolean;
  /** The process stood still as it was asked: the write then shares in calls that it had made long before. */
  readonly cameInPause: boolean;
}

interface Acknowledgement {
  readonly stamp: string;
  readonly entityId: string;
  /** True time. */
  readonly atMs: number;
}

export interface History {
  readonly operations: readonly OperationRecord[];
  begin(record: OperationRecord): void;
  end(record: OperationRecord, outcome: Outcome, atMs: number): void;
  /** In the order of time. */
  acknowledgedIn(region: string): readonly Acknowledgement[];
}

export function createHistory(): History {
  const operations: OperationRecord[] = [];
  const acknowledged = new Map<string, Acknowledgement[]>();
  return {
    operations,
    begin: (record) => void operations.push(record),
    end(record, outcome, atMs) {
      record.outcome = outcome;
      record.endMs = atMs;
      if (outcome.kind !== 'acknowledged' || outcome.stamp === undefined) return;
      const own = acknowledged.get(record.region) ?? [];
      acknowledged.set(record.region, own);
      own.push({ stamp: outcome.stamp, entityId: record.entityId, atMs });
    },
    acknowledgedIn: (region) => acknowledged.get(region) ?? [],
  };
}
