import type { Clock } from '../ports/clock.ts';
import type { OutboxEntry } from '../ports/outbox.ts';
import type { Relay } from './relay.ts';

export interface RelayQueueOptions {
  readonly relay: Relay;
  readonly onFailure?: (error: unknown) => void;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly batchMax?: number;
  /**
   * With it one round begins at least `GATHER_MS` after the one before, unless a whole batch waits:
   * what is committed in quick succession shares messages. The first of a quiet time leaves at once.
   */
  readonly clock?: Clock;
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
/** Hardly seen in the lag, and some ten writes of a single client that waits for each. */
export const GATHER_MS = 10;

export function createRelayQueue(options: RelayQueueOptions): RelayQueue {
  const lengthMax = options.lengthMax ?? LENGTH_MAX_DEFAULT;
  const batchMax = options.batchMax ?? BATCH_MAX_DEFAULT;
  let waiting: OutboxEntry[] = [];
  let working: Promise<void> | undefined;
  let isDraining = false;
  const hurry = new AbortController();

  const gather = async (sinceMs: number | undefined): Promise<void> => {
    if (options.clock === undefined || sinceMs === undefined) return;
    const leftMs = sinceMs + GATHER_MS - options.clock.nowMs();
    // Nothing is left to wait for, or the clock was set back.
    if (leftMs <= 0 || leftMs > GATHER_MS || waiting.length >= batchMax) return;
    await options.clock.sleep(leftMs, hurry.signal);
  };

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const beganMs = options.clock?.nowMs();
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      try {
        await options.relay.relay(batch);
      } catch (error) {
        options.onFailure?.(error);
      }
      await gather(beganMs);
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
      hurry.abort();
      await Promise.race([working ?? Promise.resolve(), deadline]);
    },
  };
}
