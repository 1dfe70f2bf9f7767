import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { Clock } from '../ports/clock.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';

export interface FinishLateOptions {
  readonly archive: Archive;
  /** By entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
  readonly clock: Clock;
  /** Between one round and the next, in milliseconds; well below the grace of the sweep. */
  readonly pauseMs?: number;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly onFailure?: (error: unknown) => void;
}

/** An archive and outboxes for a relay whose sending must not wait for them. */
export interface LateFinish {
  readonly archive: Archive;
  readonly outboxes: ReadonlyMap<string, Outbox>;
  /** Resolves when all that was promised has been tried, or `deadline` has. */
  drain(deadline: Promise<unknown>): Promise<void>;
}

const PAUSE_MS_DEFAULT = 500;
const LENGTH_MAX_DEFAULT = 10_000;

/**
 * Promises at once to archive and to remove, and does it in rounds: the first round at once, the
 * next after a pause with all that has gathered, so that under load many change sets of a bucket share
 * a transaction. What has not been archived is never removed: whatever fails or is cut off is still in
 * the outbox, and the sweep's.
 */
export function finishLate(options: FinishLateOptions): LateFinish {
  const { archive, outboxes, clock, pauseMs = PAUSE_MS_DEFAULT } = options;
  const lengthMax = options.lengthMax ?? LENGTH_MAX_DEFAULT;
  let appends: ArchiveEntry[] = [];
  let removes: OutboxEntry[] = [];
  const unarchived = new WeakSet<ArchiveEntry>();
  const draining = new AbortController();
  let working: Promise<void> | undefined;

  const finishRound = async (): Promise<void> => {
    const [archiving, removing] = [appends, removes];
    appends = [];
    removes = [];
    if (archiving.length > 0) await archive.append(archiving);
    for (const entry of archiving) unarchived.delete(entry);
    const safe = removing.filter((entry) => !unarchived.has(entry));
    for (const [kind, own] of Map.groupBy(safe, ({ set }) => set.entityKind)) {
      await outboxes.get(kind)?.remove(own);
    }
  };

  const work = async (): Promise<void> => {
    while (appends.length > 0 || removes.length > 0) {
      await finishRound().catch((error: unknown) => options.onFailure?.(error));
      await clock.sleep(pauseMs, draining.signal);
    }
    working = undefined;
  };

  const lateOutbox = (outbox: Outbox): Outbox => ({
    entityKind: outbox.entityKind,
    buckets: outbox.buckets,
    scan: (scan) => outbox.scan(scan),
    async remove(entries) {
      removes.push(...entries.slice(0, Math.max(0, lengthMax - removes.length)));
      working ??= work();
    },
    async park(entry, owed) {
      // Parking takes the row away by which its writer finds out that it was committed.
      await archive.append([entry]);
      await outbox.park(entry, owed);
    },
  });

  const append = async (entries: readonly ArchiveEntry[]): Promise<void> => {
    for (const entry of entries) unarchived.add(entry);
    appends.push(...entries.slice(0, Math.max(0, lengthMax - appends.length)));
    working ??= work();
  };

  return {
    archive: { append, has: (key) => archive.has(key), read: (span) => archive.read(span) },
    outboxes: new Map([...outboxes].map(([kind, outbox]) => [kind, lateOutbox(outbox)])),
    async drain(deadline) {
      draining.abort();
      await Promise.race([working ?? Promise.resolve(), deadline]);
    },
  };
}
