import { randomFillSync } from 'node:crypto';
import type { StoredMessage } from '../store/message-store.ts';

export interface MessageLock {
  /** 16 bytes, which are also the delivery tag. */
  readonly token: Buffer;
  readonly message: StoredMessage;
  readonly expiresAtMs: number;
}

export interface LockTerms {
  readonly nowMs: number;
  readonly durationMs: number;
}

/** The messages that receivers hold. */
export interface LockTable {
  add(
    lock: { readonly token: Buffer; readonly message: StoredMessage },
    terms: LockTerms,
  ): MessageLock;
  /** Removes and returns the lock; undefined when there is none or it has expired. */
  release(token: Buffer, nowMs: number): MessageLock | undefined;
  /** Starts the lock anew; undefined as for release. */
  renew(token: Buffer, terms: LockTerms): MessageLock | undefined;
  find(sequenceNumber: number): MessageLock | undefined;
  /** Removes and returns all locks that have expired. */
  takeExpired(nowMs: number): MessageLock[];
  /** Removes and returns the locks on the messages of a session. */
  takeSession(sessionId: string): MessageLock[];
  nextExpiryMs(): number | undefined;
}

/** Locks of one duration: the order in which they were taken is the order in which they expire. */
type Lane = Map<string, MessageLock>;

const keyOf = (token: Buffer): string => token.toString('latin1');

function firstsOf(lanes: ReadonlyMap<number, Lane>): MessageLock[] {
  return [...lanes.values()].flatMap((lane) => lane.values().next().value ?? []);
}

function expiredIn(lanes: ReadonlyMap<number, Lane>, nowMs: number): MessageLock[] {
  const expired: MessageLock[] = [];
  for (const lane of lanes.values()) {
    for (const lock of lane.values()) {
      if (lock.expiresAtMs > nowMs) break;
      expired.push(lock);
    }
  }
  return expired;
}

/** Which messages of each session are locked, by number. */
function createSessionIndex() {
  const bySession = new Map<string, Set<number>>();
  return {
    add({ sessionId, sequenceNumber }: StoredMessage): void {
      if (sessionId === undefined) return;
      const numbers = bySession.get(sessionId) ?? new Set();
      bySession.set(sessionId, numbers.add(sequenceNumber));
    },
    remove({ sessionId, sequenceNumber }: StoredMessage): void {
      const numbers = sessionId === undefined ? undefined : bySession.get(sessionId);
      numbers?.delete(sequenceNumber);
      if (sessionId !== undefined && numbers?.size === 0) bySession.delete(sessionId);
    },
    numbersOf: (sessionId: string): number[] => [...(bySession.get(sessionId) ?? [])],
  };
}

export function createLockTable(): LockTable {
  /** There is more than one lane only after a queue's lock duration was changed. */
  const lanes = new Map<number, Lane>();
  const laneOf = new Map<string, number>();
  const bySequenceNumber = new Map<number, MessageLock>();
  const bySession = createSessionIndex();

  function find(key: string): MessageLock | undefined {
    const durationMs = laneOf.get(key);
    return durationMs === undefined ? undefined : lanes.get(durationMs)?.get(key);
  }
  const add: LockTable['add'] = ({ token, message }, { nowMs, durationMs }) => {
    const lock = { token, message, expiresAtMs: nowMs + durationMs };
    const lane: Lane = lanes.get(durationMs) ?? new Map();
    lanes.set(durationMs, lane.set(keyOf(token), lock));
    laneOf.set(keyOf(token), durationMs);
    bySequenceNumber.set(message.sequenceNumber, lock);
    bySession.add(message);
    return lock;
  };
  function remove({ token, message }: MessageLock): void {
    const key = keyOf(token);
    const durationMs = laneOf.get(key) ?? 0;
    const lane = lanes.get(durationMs);
    lane?.delete(key);
    if (lane?.size === 0) lanes.delete(durationMs);
    laneOf.delete(key);
    bySequenceNumber.delete(message.sequenceNumber);
    bySession.remove(message);
  }
  const release: LockTable['release'] = (token, nowMs) => {
    const lock = find(keyOf(token));
    if (lock === undefined || lock.expiresAtMs <= nowMs) return undefined;
    remove(lock);
    return lock;
  };

  return {
    add,
    release,
    renew(token, terms) {
      const lock = release(token, terms.nowMs);
      return lock === undefined ? undefined : add(lock, terms);
    },
    find: (sequenceNumber) => bySequenceNumber.get(sequenceNumber),
    takeExpired(nowMs) {
      const expired = expiredIn(lanes, nowMs);
      for (const lock of expired) remove(lock);
      return expired;
    },
    takeSession(sessionId) {
      const taken = bySession
        .numbersOf(sessionId)
        .flatMap((number) => bySequenceNumber.get(number) ?? []);
      for (const lock of taken) remove(lock);
      return taken;
    },
    nextExpiryMs() {
      const firsts = firstsOf(lanes).map((lock) => lock.expiresAtMs);
      return firsts.length === 0 ? undefined : Math.min(...firsts);
    },
  };
}

const TOKEN_BYTES = 16;
const TOKENS_PER_FILL = 256;

/** Returns a source of unguessable lock tokens, which asks for random bytes many at a time. */
export function createLockTokens(): () => Buffer {
  let pool = Buffer.alloc(0);
  let offset = 0;
  return () => {
    if (offset === pool.length) {
      pool = randomFillSync(Buffer.allocUnsafeSlow(TOKENS_PER_FILL * TOKEN_BYTES));
      offset = 0;
    }
    offset += TOKEN_BYTES;
    return pool.subarray(offset - TOKEN_BYTES, offset);
  };
}
