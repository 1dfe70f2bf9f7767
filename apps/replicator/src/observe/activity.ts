import {
  type AppError,
  type Clock,
  type Conflict,
  createNotices,
  type InboundMessage,
  isRefusalReason,
  type Notices,
  type RefusalReason,
  type Settlement,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import { type ActivityLog, createActivityLog } from './activity-log.ts';

/** Since this process started. */
export interface ActivityCounts {
  readonly conflicts: number;
  readonly relayed: number;
  readonly deadLettered: number;
  /** Of those, by the reason for which they were refused. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  readonly received: number;
}

/** Counts what the duties do, and logs what an operator must know of it. */
export interface Activity extends ActivityLog {
  counts(): ActivityCounts;
  /** When a duty that waits out an outage last tried again, in milliseconds since the epoch. */
  lastOutageMs(): number | undefined;
  readonly notices: Notices;
  noteRelayed(changeSets: number): void;
  noteReceived(messages: number): void;
}

export function createActivity(options: {
  readonly logger: Logger;
  readonly clock: Clock;
}): Activity {
  const { clock } = options;
  const log = createActivityLog(options);
  const counts = { conflicts: 0, relayed: 0, deadLettered: 0, received: 0 };
  const refused: Partial<Record<RefusalReason, number>> = {};
  const notices = createNotices({ clock, onNew: log.onNotice });
  let lastOutageMs: number | undefined;

  return {
    ...log,
    notices,
    counts: () => ({ ...counts, refused: { ...refused } }),
    lastOutageMs: () => lastOutageMs,
    noteRelayed(changeSets) {
      counts.relayed += changeSets;
    },
    noteReceived(messages) {
      counts.received += messages;
    },
    onConflict(conflict: Conflict) {
      counts.conflicts += 1;
      log.onConflict(conflict);
    },
    onDeadLettered(message: InboundMessage, settlement: Settlement) {
      counts.deadLettered += 1;
      if (settlement.kind === 'dead-letter' && isRefusalReason(settlement.reason)) {
        refused[settlement.reason] = (refused[settlement.reason] ?? 0) + 1;
      }
      log.onDeadLettered(message, settlement);
    },
    onOutage(error: AppError, attempt: number, retryInMs: number) {
      lastOutageMs = clock.nowMs();
      log.onOutage(error, attempt, retryInMs);
    },
  };
}
