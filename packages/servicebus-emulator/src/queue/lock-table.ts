import type { StoredMessage } from '../store/message-store.ts';

export interface MessageLock {
  /** 16 bytes, which are also the delivery tag. */
  readonly token: Buffer;
  readonly message: StoredMessage;
  readonly expiresAtMs: number;
}

/**
 * The messages that receivers hold. Locks are kept in the order in which they were taken or
 * renewed, which is the order of expiry as long as the lock duration stays the same.
 */
export interface LockTable {
  add(lock: MessageLock): void;
  /** Removes and returns the lock; undefined when there is none or it has expired. */
  release(token: Buffer, nowMs: number): MessageLock | undefined;
  /** Moves the expiry; undefined as for release. */
  renew(options: RenewOptions): MessageLock | undefined;
  find(sequenceNumber: number): MessageLock | undefined;
  /** Removes and returns all locks that have expired. */
  takeExpired(nowMs: number): MessageLock[];
  nextExpiryMs(): number | undefined;
}

export interface RenewOptions {
  readonly token: Buffer;
  readonly nowMs: number;
  readonly expiresAtMs: number;
}

const keyOf = (token: Buffer): string => token.toString('latin1');

export function createLockTable(): LockTable {
  const byToken = new Map<string, MessageLock>();
  const bySequenceNumber = new Map<number, MessageLock>();

  function add(lock: MessageLock): void {
    byToken.set(keyOf(lock.token), lock);
    bySequenceNumber.set(lock.message.sequenceNumber, lock);
  }
  function remove(lock: MessageLock): void {
    byToken.delete(keyOf(lock.token));
    bySequenceNumber.delete(lock.message.sequenceNumber);
  }
  function findLive(token: Buffer, nowMs: number): MessageLock | undefined {
    const lock = byToken.get(keyOf(token));
    return lock === undefined || lock.expiresAtMs <= nowMs ? undefined : lock;
  }

  return {
    add,
    release(token, nowMs) {
      const lock = findLive(token, nowMs);
      if (lock !== undefined) remove(lock);
      return lock;
    },
    renew({ token, nowMs, expiresAtMs }) {
      const lock = findLive(token, nowMs);
      if (lock === undefined) return undefined;
      const renewed = { ...lock, expiresAtMs };
      remove(lock);
      add(renewed);
      return renewed;
    },
    find: (sequenceNumber) => bySequenceNumber.get(sequenceNumber),
    takeExpired(nowMs) {
      const expired: MessageLock[] = [];
      for (const lock of byToken.values()) {
        if (lock.expiresAtMs > nowMs) break;
        expired.push(lock);
      }
      for (const lock of expired) remove(lock);
      return expired;
    },
    nextExpiryMs: () => byToken.values().next().value?.expiresAtMs,
  };
}
