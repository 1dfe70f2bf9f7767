import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { Clock } from '../ports/clock.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';

/**
 * What a relay does with its entries beside sending them: they are archived before, and leave the outbox after.
 * What is not archived never leaves it, so whatever is cut off is repeated by the sweep.
 */
export interface Finish {
  /** Resolves when the entries are archived, or are certain to be before they are removed. */
  archive(entries: readonly OutboxEntry[]): Promise<void>;
  /** Takes away what nobody is owed any more, now or later. */
  remove(entries: readonly OutboxEntry[]): Promise<void>;
  /** Parks the entry, archived by then, for the peers that are still owed it. */
  park(entry: OutboxEntry, owed: readonly string[]): Promise<void>;
}

export interface FinishOptions {
  readonly archive: Pick<Archive, 'append'>;
  /** By entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
}

/** Returns a finish of which every step is done when it resolves. */
export function finishAtOnce({ archive, outboxes }: FinishOptions): Finish {
  return {
    archive: (entries) => archive.append(entries),
    async remove(entries) {
      for (const [outbox, own] of Map.groupBy(entries, (one) => outboxOf(outboxes, one))) {
        await outbox.remove(own);
      }
    },
    park: (entry, owed) => outboxOf(outboxes, entry).park(entry, owed),
  };
}

export interface FinishLateOptions extends FinishOptions {
  readonly clock: Clock;
  /** Between one round and the next, in milliseconds; well below the grace of the sweep. */
  readonly pauseMs?: number;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly onFailure?: (error: unknown) => void;
}

/** A finish for a relay whose sending must not wait for it. */
export interface LateFinish extends Finish {
  /** Resolves when all that was promised has been tried, or `deadline` has. */
  drain(deadline: Promise<unknown>): Promise<void>;
}

const PAUSE_MS_DEFAULT = 500;
const LENGTH_MAX_DEFAULT = 10_000;

/**
 * Returns a finish that promises at once to archive and to remove, and does it in rounds: the first round at
 * once, the next after a pause with all that has gathered, so that under load many change sets of a bucket
 * share a transaction. What has not been archived is never removed: whatever fails or is cut off is still in
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

  return {
    async archive(entries) {
      for (const entry of entries) unarchived.add(entry);
      appends.push(...entries.slice(0, Math.max(0, lengthMax - appends.length)));
      working ??= work();
    },
    async remove(entries) {
      removes.push(...entries.slice(0, Math.max(0, lengthMax - removes.length)));
      working ??= work();
    },
    async park(entry, owed) {
      // Parking takes the row away by which its writer finds out that it was committed.
      await archive.append([entry]);
      await outboxOf(outboxes, entry).park(entry, owed);
    },
    async drain(deadline) {
      draining.abort();
      await Promise.race([working ?? Promise.resolve(), deadline]);
    },
  };
}

function outboxOf(outboxes: ReadonlyMap<string, Outbox>, { set }: OutboxEntry): Outbox {
  const outbox = outboxes.get(set.entityKind);
  if (outbox === undefined) throw new Error(`no outbox for kind ${set.entityKind}`);
  return outbox;
}
