import type { DueMessage, ScanDueOptions } from './message-store.ts';

const BUCKET_MS = 1_000;

/** Which messages are due when: constant-time changes, ordered reads; buckets of one second. */
export interface DueIndex {
  add(entry: DueMessage): void;
  remove(entry: DueMessage): void;
  scan(options: Omit<ScanDueOptions, 'queueId'>): DueMessage[];
}

function isBehind(entry: DueMessage, after: DueMessage | undefined): boolean {
  if (after === undefined) return true;
  if (entry.dueAtMs !== after.dueAtMs) return entry.dueAtMs > after.dueAtMs;
  return entry.sequenceNumber > after.sequenceNumber;
}

function compareDue(a: DueMessage, b: DueMessage): number {
  return a.dueAtMs - b.dueAtMs || a.sequenceNumber - b.sequenceNumber;
}

export function createDueIndex(): DueIndex {
  const buckets = new Map<number, Map<number, number>>();
  const bucketOf = (dueAtMs: number) => Math.floor(dueAtMs / BUCKET_MS);
  return {
    add({ dueAtMs, sequenceNumber }) {
      const bucket = buckets.get(bucketOf(dueAtMs));
      if (bucket === undefined)
        buckets.set(bucketOf(dueAtMs), new Map([[sequenceNumber, dueAtMs]]));
      else bucket.set(sequenceNumber, dueAtMs);
    },
    remove({ dueAtMs, sequenceNumber }) {
      const bucket = buckets.get(bucketOf(dueAtMs));
      if (bucket?.delete(sequenceNumber) === true && bucket.size === 0) {
        buckets.delete(bucketOf(dueAtMs));
      }
    },
    scan({ untilMs, messagesMax, after }) {
      const first = after === undefined ? Number.NEGATIVE_INFINITY : bucketOf(after.dueAtMs);
      const numbers = [...buckets.keys()].filter((n) => n >= first && n <= bucketOf(untilMs));
      const found: DueMessage[] = [];
      for (const number of numbers.sort((a, b) => a - b)) {
        const entries = [...(buckets.get(number) ?? [])]
          .map(([sequenceNumber, dueAtMs]) => ({ dueAtMs, sequenceNumber }))
          .filter((entry) => entry.dueAtMs <= untilMs && isBehind(entry, after));
        found.push(...entries.sort(compareDue));
        if (found.length >= messagesMax) break;
      }
      return found.slice(0, messagesMax);
    },
  };
}
