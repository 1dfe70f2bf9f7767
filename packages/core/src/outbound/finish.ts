import { Rounds } from '../concurrency/rounds.ts';
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
  const unarchived = new WeakSet<ArchiveEntry>();
  const waiting = { archive: 0, remove: 0 };
  let isDraining = false;

  const finishRound = async (round: readonly LateStep[]): Promise<void> => {
    const entriesOf = (step: LateStep['step']): readonly OutboxEntry[] =>
      round.flatMap((one) => (one.step === step ? [one.entry] : []));
    waiting.archive = 0;
    waiting.remove = 0;
    const archiving = entriesOf('archive');
    if (archiving.length > 0) await archive.append(archiving);
    for (const entry of archiving) unarchived.delete(entry);
    const safe = entriesOf('remove').filter((entry) => !unarchived.has(entry));
    for (const [kind, own] of Map.groupBy(safe, ({ set }) => set.entityKind)) {
      await outboxes.get(kind)?.remove(own);
    }
  };
  const pause = { clock, pauseMs: () => (isDraining ? 0 : pauseMs) };
  const rounds = new Rounds({ flush: finishRound, onFailure: options.onFailure, pause });
  const promise = (step: LateStep['step'], entries: readonly OutboxEntry[]): void => {
    const taken = entries.slice(0, Math.max(0, lengthMax - waiting[step]));
    waiting[step] += taken.length;
    rounds.add(...taken.map((entry) => ({ step, entry })));
  };

  return {
    async archive(entries) {
      for (const entry of entries) unarchived.add(entry);
      promise('archive', entries);
    },
    async remove(entries) {
      promise('remove', entries);
    },
    async park(entry, owed) {
      // Parking takes the row away by which its writer finds out that it was committed.
      await archive.append([entry]);
      await outboxOf(outboxes, entry).park(entry, owed);
    },
    async drain(deadline) {
      isDraining = true;
      rounds.wake();
      await Promise.race([rounds.working ?? Promise.resolve(), deadline]);
    },
  };
}

/** What was promised of one entry. */
interface LateStep {
  readonly step: 'archive' | 'remove';
  readonly entry: OutboxEntry;
}

function outboxOf(outboxes: ReadonlyMap<string, Outbox>, { set }: OutboxEntry): Outbox {
  const outbox = outboxes.get(set.entityKind);
  if (outbox === undefined) throw new Error(`no outbox for kind ${set.entityKind}`);
  return outbox;
}
