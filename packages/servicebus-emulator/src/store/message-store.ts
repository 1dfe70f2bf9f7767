import type { QueueProperties } from '../queue/queue-properties.ts';

export type MessageState = 'active' | 'deferred' | 'scheduled';

/** One message as it is kept. Objects are never changed after they were handed to a store. */
export interface StoredMessage {
  readonly sequenceNumber: number;
  readonly state: MessageState;
  readonly enqueuedAtMs: number;
  /** When an active or deferred message expires; when a scheduled one becomes active. */
  readonly dueAtMs: number | undefined;
  /** The time to live that receivers are shown. */
  readonly timeToLiveMs: number | undefined;
  readonly deliveryCount: number;
  /** What the sender said in the header; undefined where it said nothing. */
  readonly durable: boolean | undefined;
  readonly priority: number | undefined;
  /** The number it was first given, kept through dead-lettering. */
  readonly enqueuedSequenceNumber: number;
  /** The session (AMQP group) that the sender put it in. */
  readonly sessionId: string | undefined;
  /** The sender's message annotations: a 4-byte count of map items, then the encoded items. */
  readonly annotations: Buffer | undefined;
  /** The bare message: properties, application properties, body and footer, encoded. */
  readonly payload: Buffer;
}

/** What a queue must remember besides its messages. */
export interface QueueCounters {
  readonly nextSequenceNumber: number;
  readonly active: number;
  readonly deferred: number;
  readonly scheduled: number;
  readonly sizeBytes: number;
}

export const EMPTY_COUNTERS: QueueCounters = {
  nextSequenceNumber: 1,
  active: 0,
  deferred: 0,
  scheduled: 0,
  sizeBytes: 0,
};

/**
 * What a note is about: the state of a session by its id, when that was last set, or a message id
 * that counts as seen.
 */
export interface NoteKey {
  readonly kind: 'session-state' | 'session-updated' | 'seen-message';
  /** At most 128 characters. */
  readonly name: string;
}

export type StoreWrite =
  /** Inserts, or replaces the message of that number, whose dueAtMs must not differ. */
  | { readonly kind: 'put'; readonly queueId: number; readonly message: StoredMessage }
  | { readonly kind: 'remove'; readonly queueId: number; readonly message: StoredMessage }
  /** Remembers the value under the key; undefined forgets it. */
  | {
      readonly kind: 'note';
      readonly queueId: number;
      readonly key: NoteKey;
      readonly value: Buffer | undefined;
    }
  | { readonly kind: 'counters'; readonly queueId: number; readonly counters: QueueCounters };

export interface ScanOptions {
  readonly queueId: number;
  readonly fromSequenceNumber: number;
  readonly messagesMax: number;
  /** The scan stops after the message that reaches this many payload bytes. */
  readonly bytesMax: number;
}

export interface ScanDueOptions {
  readonly queueId: number;
  readonly untilMs: number;
  readonly messagesMax: number;
  /** Continues behind this message of the previous page. */
  readonly after?: DueMessage;
}

export interface DueMessage {
  readonly dueAtMs: number;
  readonly sequenceNumber: number;
}

/**
 * Keeps the messages of all queues. Each commit is atomic, and commits take effect in the order in
 * which they were called; a commit's promise resolves when the writes survive the death of this
 * process (or at once, for a store that does not). Reads see every commit that has resolved.
 */
export interface MessageStore {
  commit(writes: readonly StoreWrite[]): Promise<void>;
  read(queueId: number, sequenceNumber: number): Promise<StoredMessage | undefined>;
  /** Resolves with messages in order of sequence number, of every state. */
  scan(options: ScanOptions): Promise<StoredMessage[]>;
  /** Messages that have a dueAtMs, in order of it, then of sequence number. */
  scanDue(options: ScanDueOptions): Promise<DueMessage[]>;
  /** EMPTY_COUNTERS for a queue that was never written to. */
  loadCounters(queueId: number): Promise<QueueCounters>;
  readNote(queueId: number, key: NoteKey): Promise<Buffer | undefined>;
  /** All notes of the kind, in no particular order. */
  loadNotes(
    queueId: number,
    kind: NoteKey['kind'],
  ): Promise<{ readonly name: string; readonly value: Buffer }[]>;
}

export interface StoredQueue {
  /** Even and never reused; the dead-letter sub-queue keeps its messages under id + 1. */
  readonly id: number;
  readonly name: string;
  readonly properties: QueueProperties;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Keeps the list of queues. */
export interface QueueCatalog {
  load(): Promise<StoredQueue[]>;
  /** An even number that was never returned before, not even by an earlier process. */
  allocateId(): Promise<number>;
  save(queue: StoredQueue): Promise<void>;
  /** Removes the queue with all its messages and those of its dead-letter sub-queue. */
  drop(id: number): Promise<void>;
}

export interface EmulatorStore {
  readonly messages: MessageStore;
  readonly catalog: QueueCatalog;
  /** Resolves after all writes are finished; the store must not be used afterwards. */
  close(): Promise<void>;
}
