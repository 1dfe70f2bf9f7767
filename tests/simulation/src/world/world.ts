import type { OutboundMessage, TableRow } from '@tandem/core';
import type { Damages } from '../faults/damage-rows.ts';
import type { FaultInjector } from '../faults/fault-injector.ts';
import type { Losses } from '../faults/lose-data.ts';
import type { PoisonLog } from '../faults/poison.ts';
import type { Migration } from '../migration/migration.ts';
import type { RecoveryLog } from '../operators/recovery-log.ts';
import type { ApiProcess } from '../processes/api-process.ts';
import type { Incarnation } from '../processes/incarnation.ts';
import type { Slot } from '../processes/slot.ts';
import type { RunPlan } from '../run/run-plan.ts';
import type { Account } from './account.ts';
import type { Draw } from './draw.ts';
import type { Links } from './links.ts';
import type { Namespace } from './namespace.ts';
import type { Scheduler } from './scheduler.ts';
import type { Sites } from './sites.ts';
import type { Situations } from './situations.ts';
import type { Trace } from './trace.ts';

/** True when the process in it is dead, stands still, hardly works or hears nothing. */
export function isTroubledSlot(
  { isDown, isPaused, limpShare, silentUntilMs }: Slot,
  nowMs: number,
): boolean {
  return isDown || isPaused || limpShare > 0 || silentUntilMs > nowMs;
}

/** One region: what is durable, and the places where its processes run. */
export interface Region {
  readonly name: string;
  readonly account: Account;
  readonly namespace: Namespace;
  readonly slots: readonly Slot[];
  /** Those that have started, by slot. */
  readonly apis: Map<Slot, ApiProcess>;
}

export interface World {
  readonly seed: number;
  readonly plan: RunPlan;
  readonly draw: Draw;
  readonly scheduler: Scheduler;
  readonly faults: FaultInjector;
  readonly sites: Sites;
  readonly situations: Situations;
  readonly trace: Trace;
  readonly links: Links;
  readonly regions: readonly Region[];
  readonly slots: readonly Slot[];
  /** Of operators, who are at home in no region. */
  readonly operatorSlots: readonly Slot[];
  readonly recoveries: RecoveryLog;
  readonly losses: Losses;
  readonly damages: Damages;
  /** The table that moves, where one does; made once the world is. */
  migration: Migration | undefined;
  /** The faults are over, and operators finish what they are at. */
  isClosing: boolean;
  /** The process in each slot, while one lives. */
  readonly living: Map<Slot, Incarnation>;
  regionNamed(name: string): Region;
  /** Change sets that the queue of a region accepted from its peers, the first few of them. */
  sentTo(region: string): OutboundMessage[];
  /** Stamps of all change sets that the queue of a region has ever accepted. */
  acceptedBy(region: string): Set<string>;
  /** Told of each change set that the queue of a region accepts. */
  onAccepted(region: string, listener: (stamp: string) => void): void;
  /** Notes a change set that the queue of a region accepted. */
  noteAccepted(region: string, stamp: string): void;
  /** Every row of a table, with nothing in the way. */
  readRows(region: string, table: string): Promise<readonly TableRow[]>;
  bucketOf(entityId: string): string;
  readonly poison: PoisonLog;
  /** Dead letters that an operator has put back, by queue and message id. */
  readonly resubmitted: Set<string>;
  /** Messages that were set aside although the store took all that is in them, and no clock was wrong. */
  readonly unfounded: string[];
  /** Something that no operating error explains. */
  reportBug(incarnation: Incarnation | undefined, error: unknown): void;
  readonly bugs: readonly string[];
}
