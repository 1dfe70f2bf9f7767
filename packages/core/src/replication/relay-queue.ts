import type { OutboxEntry } from '../ports/outbox.ts';
import type { Relay } from './relay.ts';

export interface RelayQueueOptions {
  readonly relay: Relay;
  readonly onFailure?: (error: unknown) => void;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly batchMax?: number;
}

/**
 * Relays what this process has just committed, without waiting for the sweep. Only a shortcut: the
 * outbox table is the queue, so what does not fit here, or fails, is the sweep's.
 */
export interface RelayQueue {
  /** Never waits and never throws. */
  offer(entry: OutboxEntry): void;
  /** Takes nothing more, and resolves when what was taken has been tried or `deadlineMs` is over. */
  drain(deadline: Promise<unknown>): Promise<void>;
  readonly length: number;
}

const LENGTH_MAX_DEFAULT = 10_000;
const BATCH_MAX_DEFAULT = 500;

export function createRelayQueue(options: RelayQueueOptions): RelayQueue {
  const lengthMax = options.lengthMax ?? LENGTH_MAX_DEFAULT;
  const batchMax = options.batchMax ?? BATCH_MAX_DEFAULT;
  let waiting: OutboxEntry[] = [];
  let working: Promise<void> | undefined;
  let isDraining = false;

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      try {
        await options.relay.relay(batch);
      } catch (error) {
        options.onFailure?.(error);
      }
    }
    working = undefined;
  };

  return {
    get length() {
      return waiting.length;
    },
    offer(entry) {
      if (isDraining || waiting.length >= lengthMax) return;
      waiting.push(entry);
      working ??= work();
    },
    async drain(deadline) {
      isDraining = true;
      await Promise.race([working ?? Promise.resolve(), deadline]);
    },
  };
}
