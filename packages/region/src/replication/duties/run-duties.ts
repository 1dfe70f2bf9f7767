import {
  AppError,
  believedPeer,
  type Clock,
  type NoticeKind,
  type Notices,
  type PeerLink,
  type Randomness,
} from '@tandem/core';
import {
  type Logger,
  type LoopHealth,
  type SupervisedLoop,
  superviseLoop,
} from '@tandem/service-kit';
import type { StatusRow } from '@tandem/storage';
import type { ActivityCounts } from '../activity.ts';
import type { ObservedReceiver, ObservedStatus, ObservedSweeper } from '../observed-ports.ts';

/** The names are part of `/status` and of the log. */
export type DutyName =
  | 'sweep'
  | 'receive'
  | 'heartbeat'
  | 'dead-letters'
  | 'fragments'
  | 'status-log'
  | 'tombstones'
  | 'retention'
  | 'copy'
  | 'mirror'
  | 'configuration';

/** Something that the replicator does again and again. */
export interface Duty {
  readonly name: DutyName;
  /** One turn. Throws operating errors, which are logged and followed by another turn. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
  /** From the end of a turn to the next, in milliseconds before jitter; 0 for one that waits itself. */
  readonly intervalMs: () => number;
  /** Is how long passes before the first turn. */
  readonly firstDelayMs: number;
  /** The process is ready once this one has succeeded. */
  readonly isNeededForReady: boolean;
  /**
   * A turn that neither ends nor gives a sign of life for longer than this, in milliseconds, hangs,
   * and only a restart can help. Undefined for one that may rightly take as long as it likes.
   */
  readonly stallMs: number | undefined;
}

export interface RunDutiesOptions {
  readonly duties: readonly Duty[];
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface DutyHealth extends LoopHealth {
  readonly duty: Duty;
  readonly startedMs: number;
}

export interface RunningDuties {
  /** Resolves when every loop has ended after an abort. Never rejects. */
  readonly stopped: Promise<void>;
  health(): readonly DutyHealth[];
}

/** Short, since the region is not ready while its replicator is not heard. */
const RETRY_POLICY = { delayMsMin: 200, delayMsMax: 5_000 };
/** Intervals vary by this share up and down, so that replicators do not all turn at once. */
const JITTER = 0.2;

/** Runs every duty in a loop of its own: one that fails does not stop the others. */
export function runDuties(options: RunDutiesOptions): RunningDuties {
  const { duties, clock, randomness, logger, signal } = options;
  const startedMs = clock.nowMs();

  const start = (duty: Duty): SupervisedLoop => {
    let isFirst = true;
    const work = async (signal: AbortSignal): Promise<void> => {
      const waitMs = isFirst ? duty.firstDelayMs : jittered(duty.intervalMs(), randomness);
      isFirst = false;
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      if (!signal.aborted) await duty.turn(signal);
    };
    const { name } = duty;
    return superviseLoop({ name, work, clock, randomness, logger, signal, policy: RETRY_POLICY });
  };

  const loops = duties.map((duty) => ({ duty, loop: start(duty) }));
  return {
    stopped: Promise.all(loops.map(({ loop }) => loop.stopped)).then(() => undefined),
    health: () => loops.map(({ duty, loop }) => ({ duty, startedMs, ...loop.health() })),
  };
}

function jittered(intervalMs: number, randomness: Randomness): number {
  return Math.round(intervalMs * (1 - JITTER + 2 * JITTER * randomness.fraction()));
}

interface StatusLogDutyOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
  readonly links: readonly Pick<PeerLink, 'peer' | 'isReachable'>[];
  /** Is the setting `Clock.DriftMsMax`, in milliseconds. */
  readonly driftMsMax: number;
  readonly status: Pick<ObservedStatus, 'lastBeat'>;
  readonly sweeper: Pick<ObservedSweeper, 'owedSinceMs'>;
  readonly receiver: Pick<ObservedReceiver, 'lastSeen'>;
  readonly activity: {
    readonly notices: Pick<Notices, 'current'>;
    counts(): Pick<ActivityCounts, 'conflicts'>;
  };
}

const INTERVAL_MS = 60_000;
const STALL_MS = 300_000;

/**
 * Writes a line a minute, which alerts are made from: lag, age of the outbox, dead letters, times that cannot be true, and the
 * conflicts since the line before. A peer that was never heard of lags since this process began; a figure is never flattering (I11).
 */
export function createStatusLogDuty(options: StatusLogDutyOptions): Duty {
  const { clock, logger, links, driftMsMax, status, sweeper, receiver, activity } = options;
  const startedMs = clock.nowMs();
  let conflictsBefore = 0;
  return {
    name: 'status-log',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: STALL_MS,
    async turn() {
      const nowMs = clock.nowMs();
      const ageMs = (sinceMs: number) => Math.max(0, nowMs - sinceMs);
      const beat = status.lastBeat();
      const peers = links.map(({ peer, isReachable }) => {
        const told = beat?.peers.find((one) => one.peer === peer);
        const passedMs = told && believedPeer(told, { nowMs, driftMsMax }).passedMs;
        return { peer, reachable: isReachable(), lagMs: ageMs(passedMs ?? startedMs) };
      });
      const owedSinceMs = sweeper.owedSinceMs();
      const noticed = activity.notices.current();
      const counted = (kind: NoticeKind) => noticed.filter((one) => one.kind === kind).length;
      const { conflicts } = activity.counts();
      logger.info(
        {
          event: 'replication-status',
          lagMsMax: Math.max(0, ...peers.map(({ lagMs }) => lagMs)),
          outboxAgeMs: owedSinceMs === undefined ? null : ageMs(owedSinceMs),
          deadLetterCount: receiver.lastSeen().deadLetters ?? null,
          claimsRefusedCount: counted('claim-refused'),
          clocksAheadCount: counted('clock-ahead'),
          conflictCount: conflicts - conflictsBefore,
          peers,
        },
        'How far this region and its peers are behind each other.',
      );
      conflictsBefore = conflicts;
    },
  };
}

/** Records hold the beginning of what is said. */
const TROUBLE_CHARACTERS_MAX = 500;

interface WaitBounds {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

interface TableWork<Table> {
  readonly advance: (table: Table) => Promise<void>;
  /** Told of the trouble that a table has, and how long it waits for that, in milliseconds. */
  readonly interrupted: (table: Table, error: AppError, delayMs: number) => Promise<void>;
}

/** Advances tables one after another. One that has trouble waits before it is tried again, and holds up no other. */
export interface TableWaits {
  /** Ends early, and calls nothing interrupted, once the signal is aborted. Throws what is no error of operation. */
  advanceEach<Table extends { readonly tableId: string }>(
    tables: readonly Table[],
    signal: AbortSignal,
    work: TableWork<Table>,
  ): Promise<void>;
  /** Lets a table wait for so long, however well it goes. */
  during(tableId: string, delayMs: number): void;
}

export function createTableWaits(clock: Pick<Clock, 'nowMs'>, bounds: WaitBounds): TableWaits {
  const waits = new Map<string, { readonly untilMs: number; readonly delayMs: number }>();
  const during = (tableId: string, delayMs: number): void =>
    void waits.set(tableId, { delayMs, untilMs: clock.nowMs() + delayMs });
  return {
    async advanceEach(tables, signal, { advance, interrupted }) {
      for (const table of tables) {
        if (signal.aborted) return;
        const { tableId } = table;
        const before = waits.get(tableId);
        if (clock.nowMs() < (before?.untilMs ?? 0)) continue;
        try {
          await advance(table);
          // A wait that was asked for meanwhile stands.
          if (waits.get(tableId) === before) waits.delete(tableId);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          if (signal.aborted) return;
          const delayMs = Math.min(
            before === undefined ? bounds.delayMsMin : before.delayMs * 2,
            bounds.delayMsMax,
          );
          during(tableId, delayMs);
          await interrupted(table, error, delayMs);
        }
      }
    },
    during,
  };
}

/** Writes into the record of a table what trouble it has, and what else is `changed` by it. Returns the record, if there is one. */
export async function noteTrouble<Value extends { readonly trouble: string }>(
  record: StatusRow<Value>,
  { code, message }: AppError,
  changed?: Partial<Value>,
): Promise<Value | undefined> {
  let value: Value | undefined;
  try {
    const seen = await record.look();
    if (seen.kind !== 'value') return undefined;
    const trouble = `${code}: ${message}`.slice(0, TROUBLE_CHARACTERS_MAX);
    value = { ...seen.value, ...changed, trouble };
    await record.write(value, seen);
  } catch (error) {
    // It was logged; the record may lie in the store that has the trouble.
    if (!(error instanceof AppError)) throw error;
  }
  return value;
}
