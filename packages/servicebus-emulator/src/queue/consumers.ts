import type { StoredMessage } from '../store/message-store.ts';
import type { MessageLock } from './lock-table.ts';

/** A receiver that wants messages pushed to it. */
export interface Consumer {
  readonly mode: 'peek-lock' | 'receive-and-delete';
  /** How many messages it takes now. */
  capacity(): number;
  /** Called with each message, locked for it, in peek-lock mode. */
  deliverLocked(lock: MessageLock): void;
  /** Announces a message whose removal is being committed; deliverRemoved follows. */
  reserve(): void;
  /** Called after the removal is committed, in receive-and-delete mode. */
  deliverRemoved(message: StoredMessage): void;
  /** Called when it has capacity and the queue has nothing more to deliver. */
  exhausted(): void;
}

/** Takes turns between the consumers that have capacity. */
export interface Consumers {
  add(consumer: Consumer): void;
  remove(consumer: Consumer): void;
  next(): Consumer | undefined;
  withCapacity(): Consumer[];
  isEmpty(): boolean;
}

export function createConsumers(): Consumers {
  const all: Consumer[] = [];
  let turn = 0;
  return {
    add(consumer) {
      all.push(consumer);
    },
    remove(consumer) {
      const index = all.indexOf(consumer);
      if (index !== -1) all.splice(index, 1);
    },
    next() {
      for (let tried = 0; tried < all.length; tried += 1) {
        turn = (turn + 1) % all.length;
        const consumer = all[turn];
        if (consumer !== undefined && consumer.capacity() > 0) return consumer;
      }
      return undefined;
    },
    withCapacity: () => all.filter((consumer) => consumer.capacity() > 0),
    isEmpty: () => all.length === 0,
  };
}
