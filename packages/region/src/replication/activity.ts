import {
  type AppError,
  type Clock,
  type Conflict,
  createNotices,
  type DriftReport,
  type InboundMessage,
  isRefusalReason,
  type Notice,
  type Notices,
  type OwnClock,
  REFUSALS,
  type RefusalReason,
  type Settlement,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import {
  type CopyRecord,
  type MirrorRecord,
  mirrorLagMs,
  paceOf,
  type TrimmedKind,
} from '@tandem/storage';

/** Since this process started. */
export interface ActivityCounts {
  readonly conflicts: number;
  readonly relayed: number;
  readonly deadLettered: number;
  /** Counts those by the reason for which they were refused. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  readonly received: number;
  /** Counts the rows that the retention took away, by table. */
  readonly trimmed: Readonly<Partial<Record<TrimmedKind['table'], number>>>;
  /** Counts the rows of deleted tables that were taken away. */
  readonly purged: number;
  /** Counts the rows of old tables that were written here. */
  readonly copied: number;
}

/** How far the copy of one old table is, as far as this process has seen. */
export interface CopyProgress {
  readonly table: string;
  readonly read: number;
  readonly written: number;
  readonly refused: number;
  readonly stray: number;
  readonly rowsPerSecond: number | null;
  /** Null where nobody counted the rows before. */
  readonly leftMs: number | null;
  /** The code alone, of what keeps it from going on. */
  readonly troubleCode: string | null;
}

/** How far a mirror of a table is, as far as this process has seen. */
export interface MirrorProgress {
  readonly table: string;
  /** For how long, at most, a write that is here is not there yet; null before the first pass has ended. */
  readonly lagMs: number | null;
  readonly rows: number;
  readonly refused: number;
  /** The code alone, of what keeps it from going on. */
  readonly troubleCode: string | null;
}

interface MirrorNote {
  readonly table: string;
  /** Is undefined before the first page. */
  readonly record: MirrorRecord | undefined;
}

interface CopyNote {
  readonly table: string;
  readonly record: CopyRecord;
  /** How many rows there are, where that is known. */
  readonly rows?: number | undefined;
  /** Counts those that were written since the last note; none by default. */
  readonly written?: number | undefined;
}

/** Counts what the duties do, and logs what an operator must know of it. */
export interface Activity extends ActivityLog {
  counts(): ActivityCounts;
  /** Lists the copies that this process works at, or did last. */
  copies(): readonly CopyProgress[];
  /** Lists the mirrors that this process keeps. */
  mirrors(): readonly MirrorProgress[];
  /** Returns when a duty that waits out an outage last tried again, in milliseconds since the epoch. */
  lastOutageMs(): number | undefined;
  readonly notices: Notices;
  noteRelayed(changeSets: number): void;
  noteReceived(messages: number): void;
  notePurged(rows: number): void;
  noteTrimmed(trimmed: Pick<TrimmedKind, 'table' | 'rows'>): void;
  noteCopy(note: CopyNote): void;
  /** Takes the place of what was noted before. */
  noteMirrors(notes: readonly MirrorNote[]): void;
}

/** So many copies are told of at once, the last ones. */
const COPIES_MAX = 20;

export interface ActivityOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Is the setting `Clock.DriftMsMax`: a time further ahead of the clock is not believed. */
  readonly driftMsMax: number;
}

export function createActivity(options: ActivityOptions): Activity {
  const { clock } = options;
  const log = createActivityLog(options);
  const counts = { conflicts: 0, relayed: 0, deadLettered: 0, received: 0, purged: 0, copied: 0 };
  const progress = createProgress(options);
  const refused: Partial<Record<RefusalReason, number>> = {};
  const trimmed: Partial<Record<TrimmedKind['table'], number>> = {};
  const notices = createNotices({ clock, onNew: log.onNotice });
  let lastOutageMs: number | undefined;

  return {
    ...log,
    notices,
    counts: () => ({
      ...counts,
      refused: { ...refused },
      trimmed: { ...trimmed },
    }),
    copies: progress.copies,
    mirrors: progress.mirrors,
    noteMirrors: progress.noteMirrors,
    noteCopy(note) {
      counts.copied += note.written ?? 0;
      progress.noteCopy(note);
    },
    lastOutageMs: () => lastOutageMs,
    noteRelayed(changeSets) {
      counts.relayed += changeSets;
    },
    noteReceived(messages) {
      counts.received += messages;
    },
    notePurged(rows) {
      counts.purged += rows;
    },
    noteTrimmed({ table, rows }) {
      trimmed[table] = (trimmed[table] ?? 0) + rows;
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
      if (error.code === 'CLOCK_AHEAD') notices.note('clock-ahead', OWN_CLOCK, error.message);
      log.onOutage(error, attempt, retryInMs);
    },
  };
}

/** Keeps what was noted last of each copy and mirror. */
function createProgress({
  clock,
  driftMsMax,
}: ActivityOptions): Pick<Activity, 'copies' | 'mirrors' | 'noteCopy' | 'noteMirrors'> {
  const copies = new Map<string, CopyNote>();
  let mirrors: readonly MirrorNote[] = [];
  return {
    copies: () => [...copies.values()].map(describeCopy),
    mirrors: () =>
      mirrors.map((note) => describeMirror(note, { nowMs: clock.nowMs(), driftMsMax })),
    noteMirrors(notes) {
      mirrors = notes;
    },
    noteCopy(note) {
      copies.delete(note.table);
      copies.set(note.table, note);
      const [oldest] = copies.keys();
      if (copies.size > COPIES_MAX && oldest !== undefined) copies.delete(oldest);
    },
  };
}

function describeMirror({ table, record }: MirrorNote, own: OwnClock): MirrorProgress {
  if (record === undefined) return { table, lagMs: null, rows: 0, refused: 0, troubleCode: null };
  const { rows, refused, refusedBefore, trouble } = record;
  return {
    table,
    lagMs: mirrorLagMs(record, own),
    rows,
    refused: Math.max(refused, refusedBefore),
    troubleCode: trouble === '' ? null : (trouble.split(':')[0] ?? null),
  };
}

function describeCopy({ table, record, rows }: CopyNote): CopyProgress {
  const { read, written, refusedCount, strayCount, trouble } = record;
  return {
    table,
    read,
    written,
    refused: refusedCount,
    stray: strayCount,
    ...paceOf(record, rows),
    troubleCode: trouble === '' ? null : (trouble.split(':')[0] ?? null),
  };
}

/** Is what a notice of the clock here is about. */
const OWN_CLOCK = 'the clock of a replicator';

/** What an operator must know of the work that goes on: ids and names, never values. */
interface ActivityLog {
  readonly onConflict: (conflict: Conflict) => void;
  readonly onDeadLettered: (message: InboundMessage, settlement: Settlement) => void;
  readonly onOutage: (error: AppError, attempt: number, retryInMs: number) => void;
  readonly onNotice: (notice: Notice) => void;
  readonly onDrift: (report: DriftReport) => void;
}

/** A reason is told of again after so long, with how many messages came under it meanwhile. */
const REFUSED_LOG_MS = 60_000;
/** So often at most it is said that stamps come from a clock far ahead. */
const DRIFT_LOG_MS = 1_000;
/** Message ids come from outside, and a log line has a bound too. */
const ID_LENGTH_MAX = 200;

interface ActivityLogOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function createActivityLog(options: ActivityLogOptions): ActivityLog {
  const { logger, clock } = options;
  let lastDriftMs: number | undefined;
  return {
    onConflict({ entityKind, entityId, stamps, fields }) {
      const names = fields.map(({ name }) => name);
      logger.info(
        { event: 'conflict-recorded', entityKind, entityId, stamps, fields: names },
        'Two changes of one entity had not seen each other; the losing values are kept.',
      );
    },
    onDeadLettered: createRefusalLog(options),
    onOutage(error, attempt, retryInMs) {
      logger.warn(
        { event: 'apply-interrupted', attempt, retryInMs, error },
        'The batch in hand cannot be applied now; it is kept and tried again.',
      );
    },
    onNotice({ kind, subject, detail }) {
      logger.error(
        { event: kind, subject, detail },
        'Something was noticed that an operator has to see to; tandem doctor says what helps.',
      );
    },
    onDrift(report) {
      if (lastDriftMs !== undefined && clock.nowMs() - lastDriftMs < DRIFT_LOG_MS) return;
      lastDriftMs = clock.nowMs();
      logger.warn(
        { event: 'clock-drift', ...report },
        'A received stamp is too far ahead of the clock; it is applied but not adopted.',
      );
    },
  };
}

/**
 * Tells each reason now and then, of which there are as many as the code names: a flood of messages is no flood
 * of lines.
 */
function createRefusalLog({ logger, clock }: ActivityLogOptions): ActivityLog['onDeadLettered'] {
  const told = new Map<string, { readonly atMs: number; since: number }>();
  return ({ messageId, sequenceNumber, deliveryCount }, settlement) => {
    const reason = settlement.kind === 'dead-letter' ? settlement.reason : settlement.kind;
    const last = told.get(reason);
    if (last !== undefined && clock.nowMs() - last.atMs < REFUSED_LOG_MS) {
      last.since += 1;
      return;
    }
    told.set(reason, { atMs: clock.nowMs(), since: 0 });
    const place = {
      messageId: messageId.slice(0, ID_LENGTH_MAX),
      sequenceNumber: String(sequenceNumber),
      deliveryCount,
    };
    const remedy = isRefusalReason(reason) ? REFUSALS[reason] : undefined;
    logger.error(
      { event: 'message-dead-lettered', reason, remedy, untold: last?.since ?? 0, ...place },
      'A message can never be applied and was dead-lettered.',
    );
  };
}
