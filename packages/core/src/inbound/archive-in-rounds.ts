import { Rounds } from '../concurrency/rounds.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { Clock } from '../ports/clock.ts';

export interface ArchiveInRoundsOptions {
  readonly archive: Archive;
  readonly clock: Clock;
  /**
   * Bounds the time between one round and the next, in milliseconds; it is well below the duration of a lock.
   */
  readonly pauseMs?: number;
}

/** Is an archive whose appends share transactions. */
export interface ArchiveRounds extends Archive {
  /** Resolves when the entries are archived; rejects when their round has failed, as it does. */
  append(entries: readonly ArchiveEntry[]): Promise<void>;
  /** Archives all that waits without a pause. */
  hurry(): void;
}

interface Waiting {
  readonly entries: readonly ArchiveEntry[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const PAUSE_MS_DEFAULT = 500;
/** So much is archived at once, without waiting for the pause to be over. */
const ROUND_ENTRIES_MAX = 1_000;
const ROUND_BYTES_MAX = 4 * 1_024 * 1_024;

/**
 * Archives the first round at once, the next after a pause with all that has gathered, so that under load many
 * change sets of a bucket share a transaction. Whoever appends waits, and so knows what is archived.
 */
export function archiveInRounds(options: ArchiveInRoundsOptions): ArchiveRounds {
  const { archive, clock, pauseMs = PAUSE_MS_DEFAULT } = options;
  let waitingEntries = 0;
  let waitingBytes = 0;

  const isFull = (): boolean =>
    waitingEntries >= ROUND_ENTRIES_MAX || waitingBytes >= ROUND_BYTES_MAX;

  const appendRound = async (round: readonly Waiting[]): Promise<void> => {
    waitingEntries = 0;
    waitingBytes = 0;
    try {
      await archive.append(round.flatMap(({ entries }) => entries));
      for (const { resolve } of round) resolve();
    } catch (error) {
      for (const { reject } of round) reject(error);
    }
  };
  const pause = { clock, pauseMs: () => (isFull() ? 0 : pauseMs) };
  const rounds = new Rounds<Waiting>({ flush: appendRound, pause });

  return {
    has: (key) => archive.has(key),
    read: (span) => archive.read(span),
    append(entries) {
      if (entries.length === 0) return Promise.resolve();
      const archived = Promise.withResolvers<void>();
      waitingEntries += entries.length;
      for (const { encoded } of entries) waitingBytes += encoded.length;
      rounds.add({ entries, ...archived });
      if (isFull()) rounds.wake();
      return archived.promise;
    },
    hurry: () => rounds.hurry(),
  };
}
