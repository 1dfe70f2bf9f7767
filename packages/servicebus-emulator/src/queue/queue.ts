import type { Clock } from '../clock.ts';
import type { IncomingMessage } from '../message/message-codec.ts';
import type { MessageStore, QueueCounters, StoredMessage } from '../store/message-store.ts';
import { pump } from './actions/pump.ts';
import { type SendOutcome, send } from './actions/send.ts';
import {
  type DeferredOutcome,
  type DeferredRequest,
  expireLocks,
  receiveDeferred,
  type Settlement,
  type SettleOutcome,
  settle,
} from './actions/settle.ts';
import {
  type DeleteBatchRequest,
  deleteBatch,
  type ResubmitOutcome,
  resubmitDeadLetters,
  sweepExpired,
} from './actions/sweep-expired.ts';
import { type Consumer, createConsumers } from './consumers.ts';
import { createLockTable } from './lock-table.ts';
import { createAlarm, createChange, isExpired, lockTerms, type QueueCore } from './queue-core.ts';
import type { QueueProperties } from './queue-properties.ts';
import { createReadyMessages } from './ready-messages.ts';
import { openSeenMessages } from './seen-messages.ts';
import {
  createQueueSessions,
  expireSessions,
  type QueueSessions,
} from './sessions/queue-sessions.ts';
import { openSessions } from './sessions/sessions.ts';

/** One queue, or one dead-letter sub-queue. Every promise resolves after its change is committed. */
export interface Queue {
  readonly name: string;
  send(messages: readonly IncomingMessage[]): Promise<SendOutcome>;
  /** Delivers to the consumer from now on; call the returned pull when its capacity grows. */
  attach(consumer: Consumer): { pull(): void; detach(): void };
  settle(token: Buffer, settlement: Settlement): Promise<SettleOutcome>;
  /** The new expiry, or undefined when the lock is lost. */
  renewLock(token: Buffer): number | undefined;
  /** Messages of every state, locked or not, from the sequence number on. */
  peek(options: PeekOptions): Promise<StoredMessage[]>;
  /** All of the deferred messages, or none when one of them cannot be had. */
  receiveDeferred(request: DeferredRequest): Promise<DeferredOutcome>;
  cancelScheduled(numbers: readonly number[]): Promise<CancelOutcome>;
  /** Resolves to how many messages were deleted. */
  deleteBatch(request: DeleteBatchRequest): Promise<number>;
  /** Moves the oldest dead letters back into the queue. */
  resubmitDeadLetters(messagesMax: number): Promise<ResubmitOutcome>;
  /** Undefined for a queue without sessions. */
  readonly sessions: QueueSessions | undefined;
  properties(): QueueProperties;
  setProperties(properties: QueueProperties): void;
  counters(): QueueCounters;
  lastUsedAtMs(): number;
  /** True while a receiver waits for messages, or messages for their time. */
  isInUse(): boolean;
  /** A paused queue delivers nothing. */
  setPaused(paused: boolean): void;
  /** Stops all timers; the queue must not be used afterwards. */
  close(): void;
}

export interface QueueOptions {
  readonly id: number;
  readonly name: string;
  readonly properties: QueueProperties;
  readonly store: MessageStore;
  readonly clock: Clock;
  readonly createLockToken: () => Buffer;
  /** Background work failed: the store is broken. */
  readonly onFailure: (error: unknown) => void;
}

async function createCore(
  options: QueueOptions & { readonly deadLetters: QueueCore | undefined },
): Promise<QueueCore> {
  const { id, store, clock, onFailure } = options;
  const counters = await store.loadCounters(id);
  const isMain = options.deadLetters !== undefined;
  const { requiresSession, requiresDuplicateDetection } = options.properties;
  const sessions = isMain && requiresSession ? await openSessions(id, store) : undefined;
  const detects = isMain && requiresDuplicateDetection;
  const sweep = runOneAtATime(() => sweepExpired(core));
  const core: QueueCore = {
    id,
    name: options.name,
    store,
    clock,
    createLockToken: options.createLockToken,
    ready:
      sessions?.ready ??
      createReadyMessages({
        queueId: id,
        store,
        lastSequenceNumber: counters.nextSequenceNumber - 1,
      }),
    sessions,
    seen: detects ? await openSeenMessages(id, { store, clock }) : undefined,
    locks: createLockTable(),
    consumers: createConsumers(),
    settling: new Set(),
    deadLetters: options.deadLetters,
    lockAlarm: createAlarm(clock, () => void expireLocks(core).catch(onFailure)),
    dueAlarm: createAlarm(clock, () => void sweep().catch(onFailure)),
    sessionAlarm: createAlarm(clock, () => void expireSessions(core).catch(onFailure)),
    pump: () => pump(core),
    onFailure,
    properties: options.properties,
    counters,
    paused: false,
    lastUsedAtMs: clock.nowMs(),
  };
  // Finds what has expired while no process was running, and what expires next.
  await sweep();
  return core;
}

/** A call during a run makes it run once more. */
function runOneAtATime(task: () => Promise<void>): () => Promise<void> {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await task();
      }
    } finally {
      running = false;
    }
  };
}

function renewLock(core: QueueCore, token: Buffer): number | undefined {
  // The locks of a session's messages are not renewed: that of the session is.
  if (core.sessions !== undefined) return undefined;
  const lock = core.locks.renew(token, lockTerms(core));
  if (lock !== undefined) core.lockAlarm.ringAt(lock.expiresAtMs);
  return lock?.expiresAtMs;
}

function isInUse({ sessions, consumers, counters }: QueueCore): boolean {
  const isAwaited = !consumers.isEmpty() || (sessions?.waiters.size ?? 0) > 0;
  return isAwaited || (sessions?.held().length ?? 0) > 0 || counters.scheduled > 0;
}

function createQueue(core: QueueCore): Queue {
  /** The core, noting that somebody uses it. */
  const use = (): QueueCore => {
    core.lastUsedAtMs = core.clock.nowMs();
    return core;
  };
  return {
    name: core.name,
    send: (messages) => send(use(), messages),
    attach(consumer) {
      use().consumers.add(consumer);
      return { pull: core.pump, detach: () => use().consumers.remove(consumer) };
    },
    settle: (token, settlement) => settle(use(), token, settlement),
    renewLock: (token) => renewLock(use(), token),
    peek: (request) => peek(use(), request),
    receiveDeferred: (request) => receiveDeferred(use(), request),
    cancelScheduled: (numbers) => cancelScheduled(use(), numbers),
    deleteBatch: (request) => deleteBatch(use(), request),
    resubmitDeadLetters: (messagesMax) => resubmitDeadLetters(use(), messagesMax),
    sessions: createQueueSessions(core),
    properties: () => core.properties,
    setProperties(properties) {
      use().properties = properties;
    },
    counters: () => core.counters,
    lastUsedAtMs: () => core.lastUsedAtMs,
    isInUse: () => isInUse(core),
    setPaused(paused) {
      core.paused = paused;
      core.pump();
    },
    close() {
      core.lockAlarm.cancel();
      core.dueAlarm.cancel();
      core.sessionAlarm.cancel();
    },
  };
}

/** Opens a queue with its dead-letter sub-queue, which keeps its messages under the next id. */
export async function openQueue(
  options: QueueOptions,
): Promise<{ readonly main: Queue; readonly deadLetters: Queue }> {
  const deadLetters = await createCore({
    ...options,
    id: options.id + 1,
    deadLetters: undefined,
  });
  const main = await createCore({ ...options, deadLetters });
  return { main: createQueue(main), deadLetters: createQueue(deadLetters) };
}

type CancelOutcome =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'not-found'; readonly sequenceNumber: number };

/** Removes scheduled messages by number: all of them, or none when one is scheduled no longer. */
async function cancelScheduled(
  core: QueueCore,
  numbers: readonly number[],
): Promise<CancelOutcome> {
  const messages: StoredMessage[] = [];
  for (const sequenceNumber of new Set(numbers)) {
    const message = await core.store.read(core.id, sequenceNumber);
    if (message === undefined) return { kind: 'not-found', sequenceNumber };
    messages.push(message);
  }
  // No await between this check and the marks: nothing else can take them in between.
  const missing = messages.find(
    ({ state, sequenceNumber }) => state !== 'scheduled' || core.settling.has(sequenceNumber),
  );
  if (missing !== undefined) return { kind: 'not-found', sequenceNumber: missing.sequenceNumber };
  const change = createChange();
  for (const message of messages) {
    core.settling.add(message.sequenceNumber);
    change.remove(core, message);
  }
  await change.commit();
  for (const { sequenceNumber } of messages) core.settling.delete(sequenceNumber);
  return { kind: 'cancelled' };
}

/** The service answers with at most this much, too, whatever count is asked for. */
const PEEK_MESSAGES_MAX = 250;
const PEEK_BYTES_MAX = 1024 * 1024;

interface PeekOptions {
  readonly fromSequenceNumber: number;
  readonly messagesMax: number;
  /** Only the messages of this session. */
  readonly sessionId?: string | undefined;
}

/**
 * Returns messages of every state in order of sequence number, without those that have expired: as many as
 * were asked for, unless the queue or what an answer may hold ends before.
 */
async function peek(core: QueueCore, options: PeekOptions): Promise<StoredMessage[]> {
  const messagesMax = Math.min(options.messagesMax, PEEK_MESSAGES_MAX);
  const { sessionId } = options;
  let { fromSequenceNumber } = options;
  const found: StoredMessage[] = [];
  let bytes = 0;
  for (;;) {
    // Of a session any number of other messages may lie between, so pages are as large as they may be.
    const page = await core.store.scan({
      queueId: core.id,
      fromSequenceNumber,
      messagesMax: sessionId === undefined ? messagesMax - found.length : PEEK_MESSAGES_MAX,
      bytesMax: PEEK_BYTES_MAX,
    });
    const live = page.filter((m) => m.state === 'scheduled' || !isExpired(core, m));
    for (const message of live) {
      if (sessionId !== undefined && message.sessionId !== sessionId) continue;
      bytes += message.payload.length;
      if (found.length > 0 && bytes > PEEK_BYTES_MAX) return found;
      found.push(message);
      if (found.length >= messagesMax) return found;
    }
    const last = page.at(-1);
    if (last === undefined) return found;
    fromSequenceNumber = last.sequenceNumber + 1;
  }
}
