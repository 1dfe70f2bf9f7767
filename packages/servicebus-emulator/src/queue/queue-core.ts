import type { Clock } from '../clock.ts';
import type {
  MessageStore,
  NoteKey,
  QueueCounters,
  StoredMessage,
  StoreWrite,
} from '../store/message-store.ts';
import type { Consumers } from './consumers.ts';
import type { LockTable, LockTerms, MessageLock } from './lock-table.ts';
import type { QueueProperties } from './queue-properties.ts';
import type { ReadyMessages } from './ready-messages.ts';
import type { SeenMessages } from './seen-messages.ts';
import type { Sessions } from './sessions/sessions.ts';

/** The state of one queue or dead-letter sub-queue, shared by the operations on it. */
export interface QueueCore {
  readonly id: number;
  /** Is the name of the entity, also for its dead-letter sub-queue. */
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
  /** Is undefined for a dead-letter sub-queue. */
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

/** A message that has no number in its (new) queue yet. */
export type MessageDraft = Omit<StoredMessage, 'sequenceNumber' | 'enqueuedSequenceNumber'> &
  Partial<Pick<StoredMessage, 'enqueuedSequenceNumber'>>;

/** Several changes that take effect together, in one queue or in a queue and its dead letters. */
export interface QueueChange {
  /** Gives the message the next number and adds it. */
  append(core: QueueCore, draft: MessageDraft): StoredMessage;
  remove(core: QueueCore, message: StoredMessage): void;
  replace(core: QueueCore, change: { from: StoredMessage; to: StoredMessage }): void;
  /** Remembers the value under the key, or forgets it. */
  note(core: QueueCore, key: NoteKey, value: Buffer | undefined): void;
  /** Resolves when the change is committed and its new messages can be delivered. */
  commit(): Promise<void>;
}

function sizeOf(message: StoredMessage): number {
  return message.payload.length + (message.annotations?.length ?? 0);
}

function count(counters: QueueCounters, message: StoredMessage, sign: 1 | -1): QueueCounters {
  const sizeBytes = counters.sizeBytes + sign * sizeOf(message);
  return { ...counters, [message.state]: counters[message.state] + sign, sizeBytes };
}

export function createChange(): QueueChange {
  const writes: StoreWrite[] = [];
  const touched = new Map<QueueCore, StoredMessage[]>();
  const touch = (core: QueueCore): StoredMessage[] => {
    const appended = touched.get(core) ?? [];
    touched.set(core, appended);
    return appended;
  };
  return {
    append(core, draft) {
      const sequenceNumber = core.counters.nextSequenceNumber;
      const message = { enqueuedSequenceNumber: sequenceNumber, ...draft, sequenceNumber };
      const counters = { ...core.counters, nextSequenceNumber: sequenceNumber + 1 };
      core.counters = count(counters, message, 1);
      touch(core).push(message);
      writes.push({ kind: 'put', queueId: core.id, message });
      return message;
    },
    remove(core, message) {
      core.counters = count(core.counters, message, -1);
      touch(core);
      writes.push({ kind: 'remove', queueId: core.id, message });
    },
    replace(core, { from, to }) {
      core.counters = count(count(core.counters, from, -1), to, 1);
      touch(core);
      writes.push({ kind: 'put', queueId: core.id, message: to });
    },
    note(core, key, value) {
      touch(core);
      writes.push({ kind: 'note', queueId: core.id, key, value });
    },
    async commit() {
      for (const core of touched.keys()) {
        writes.push({ kind: 'counters', queueId: core.id, counters: core.counters });
      }
      const [store] = [...touched.keys()].map((core) => core.store);
      await store?.commit(writes);
      for (const [core, appended] of touched) {
        if (appended.length === 0) continue;
        core.ready.append(appended);
        core.pump();
      }
    },
  };
}
