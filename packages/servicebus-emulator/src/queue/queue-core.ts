import type { Clock } from '../clock.ts';
import type { MessageStore, QueueCounters, StoredMessage } from '../store/message-store.ts';
import type { Consumers } from './consumers.ts';
import type { LockTable, LockTerms, MessageLock } from './lock-table.ts';
import type { QueueProperties } from './queue-properties.ts';
import type { ReadyMessages } from './ready-messages.ts';
import type { SeenMessages } from './seen-messages.ts';
import type { Sessions } from './sessions/sessions.ts';

/** The state of one queue or dead-letter sub-queue, shared by the operations on it. */
export interface QueueCore {
  readonly id: number;
  /** The name of the entity, also for its dead-letter sub-queue. */
  readonly name: string;
  readonly store: MessageStore;
  readonly clock: Clock;
  readonly createLockToken: () => Buffer;
  readonly ready: ReadyMessages;
  readonly locks: LockTable;
  readonly consumers: Consumers;
  /** Undefined for a queue without sessions, and for every dead-letter sub-queue. */
  readonly sessions: Sessions | undefined;
  /** Undefined unless the queue detects duplicates. */
  readonly seen: SeenMessages | undefined;
  /** Sequence numbers whose settlement is being committed: neither locked nor free. */
  readonly settling: Set<number>;
  /** Undefined for a dead-letter sub-queue. */
  readonly deadLetters: QueueCore | undefined;
  readonly lockAlarm: Alarm;
  readonly dueAlarm: Alarm;
  readonly sessionAlarm: Alarm;
  /** Delivers what is ready; call it when messages or capacity may have come. */
  readonly pump: () => void;
  /** Takes the errors of work that nobody waits for. */
  readonly onFailure: (error: unknown) => void;
  properties: QueueProperties;
  counters: QueueCounters;
  paused: boolean;
  /** When somebody last did anything with the queue. */
  lastUsedAtMs: number;
}

/** Locks the message, and sees to it that the lock expires. */
export function lockMessage(core: QueueCore, message: StoredMessage): MessageLock {
  const lock = core.locks.add({ token: core.createLockToken(), message }, lockTerms(core));
  // What belongs to a session is held as long as the session is.
  if (core.sessions === undefined) core.lockAlarm.ringAt(lock.expiresAtMs);
  return lock;
}

export function lockTerms(core: QueueCore): LockTerms {
  const { lockDurationMs } = core.properties;
  const durationMs = core.sessions === undefined ? lockDurationMs : Number.POSITIVE_INFINITY;
  return { nowMs: core.clock.nowMs(), durationMs };
}

/** Returns true when the message has outlived its time to live. */
export function isExpired(core: QueueCore, message: { readonly dueAtMs: number | undefined }) {
  return message.dueAtMs !== undefined && message.dueAtMs <= core.clock.nowMs();
}

/** A timer that keeps only its earliest time. */
interface Alarm {
  ringAt(timeMs: number): void;
  cancel(): void;
}

/** Runs the task at the earliest time asked for, then forgets it; the task may ask again. */
export function createAlarm(clock: Clock, task: () => void): Alarm {
  let pending: { readonly timeMs: number; readonly cancel: () => void } | undefined;
  return {
    ringAt(timeMs) {
      if (pending !== undefined && pending.timeMs <= timeMs) return;
      pending?.cancel();
      const cancel = clock.schedule(timeMs - clock.nowMs(), () => {
        pending = undefined;
        task();
      });
      pending = { timeMs, cancel };
    },
    cancel() {
      pending?.cancel();
      pending = undefined;
    },
  };
}
