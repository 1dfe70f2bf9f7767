import type { EntityState, RepairPlan, ReplayPlan, RiskSurvey, VerifyReport } from '@tandem/core';
import type { RegionTraces, Restoration } from '@tandem/storage';

interface Span {
  readonly beforeMs?: number;
  readonly fromMs?: number;
  readonly entityId?: string;
  readonly bucket?: string;
}

/** What an operator types. */
export type Command =
  | { readonly kind: 'verify' }
  | { readonly kind: 'repair' }
  | {
      readonly kind: 'replay-table';
      readonly source: string;
      readonly target: string;
      readonly table: string;
      readonly span: Span;
    }
  | {
      readonly kind: 'replay-join';
      readonly source: string;
      readonly target: string;
      readonly span: Span;
    }
  | { readonly kind: 'replay-restore'; readonly region: string; readonly span: Span }
  | { readonly kind: 'rebuild'; readonly target: string }
  | { readonly kind: 'forget'; readonly entityId: string }
  | { readonly kind: 'restore-conflict'; readonly region: string; readonly pick: number }
  | { readonly kind: 'at-risk'; readonly region: string }
  | { readonly kind: 'resubmit'; readonly region: string };

/** What a command said that it would do, before it did. */
export type Plan =
  | { readonly kind: 'repair'; readonly plan: RepairPlan }
  | { readonly kind: 'replay-join'; readonly target: string; readonly plan: ReplayPlan }
  | { readonly kind: 'replay-restore'; readonly region: string; readonly plan: ReplayPlan }
  | {
      readonly kind: 'restore-conflict';
      readonly region: string;
      readonly entityId: string;
      readonly restoration: Restoration;
      /** What the command saw when it last looked at the row: before a write, what that is decided on. */
      readonly looked: { readonly state: EntityState | undefined };
      /** By field: the value that lost, as the wire spells it. */
      readonly lost: ReadonlyMap<string, unknown>;
      /** Stamps of values that took part in conflicts of the entity: what else is there is newer. */
      readonly contested: ReadonlySet<string>;
    };

/** What a command said that it had done. */
export type Report =
  | { readonly kind: 'verified'; readonly proof: VerifyReport }
  | { readonly kind: 'repaired'; readonly written: ReadonlyMap<string, number> }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'restored' }
  | { readonly kind: 'rebuilt'; readonly proof: VerifyReport }
  | { readonly kind: 'forgotten'; readonly traces: readonly RegionTraces[] }
  | {
      readonly kind: 'at-risk';
      readonly survey: RiskSurvey;
      /** Peers of which the queue was not read to its end. */
      readonly unread: ReadonlySet<string>;
    }
  | { readonly kind: 'resubmitted'; readonly chosen: readonly bigint[] }
  | { readonly kind: 'nothing-to-do' };

/** One command, from its first run to its last. */
export interface Recovery {
  readonly id: string;
  readonly command: Command;
  /** Of its first run, true time. */
  readonly startMs: number;
  /** Of this run, true time. */
  runStartMs: number;
  runs: number;
  plan: Plan | undefined;
  /** Of the runs before: what one of them sent may be done after its end. */
  readonly formerPlans: Plan[];
  /** When the reading for the plan began. */
  planStartMs: number;
  state:
    | { readonly kind: 'running' }
    | { readonly kind: 'killed' }
    | { readonly kind: 'failed'; readonly code: string }
    | { readonly kind: 'done'; readonly report: Report };
}

/** Called when a run of a command has ended well. */
type DoneListener = (recovery: Recovery, report: Report) => void;

/** All that operators did. */
export interface RecoveryLog {
  readonly all: readonly Recovery[];
  /** Entities that someone wanted forgotten. */
  readonly forgotten: ReadonlySet<string>;
  /** True once the operator has left everything in order. */
  isClosed: boolean;
  begin(command: Command, atMs: number): Recovery;
  done(recovery: Recovery, report: Report): void;
  onBegun(listener: (recovery: Recovery) => void): void;
  onDone(listener: DoneListener): void;
  named(id: string): Recovery | undefined;
}

export function createRecoveryLog(): RecoveryLog {
  const byId = new Map<string, Recovery>();
  const all: Recovery[] = [];
  const forgotten = new Set<string>();
  const listeners: DoneListener[] = [];
  const begunListeners: ((recovery: Recovery) => void)[] = [];
  return {
    all,
    forgotten,
    isClosed: false,
    begin(command, atMs) {
      const recovery: Recovery = {
        id: `recovery${all.length}`,
        command,
        startMs: atMs,
        runStartMs: atMs,
        runs: 0,
        plan: undefined,
        formerPlans: [],
        planStartMs: atMs,
        state: { kind: 'running' },
      };
      if (command.kind === 'forget') forgotten.add(command.entityId);
      all.push(recovery);
      byId.set(recovery.id, recovery);
      for (const listener of begunListeners) listener(recovery);
      return recovery;
    },
    done(recovery, report) {
      recovery.state = { kind: 'done', report };
      for (const listener of listeners) listener(recovery, report);
    },
    onBegun: (listener) => void begunListeners.push(listener),
    onDone: (listener) => void listeners.push(listener),
    named: (id) => byId.get(id),
  };
}
