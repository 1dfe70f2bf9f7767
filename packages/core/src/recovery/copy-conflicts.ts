import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Conflict } from '../replication/conflict.ts';

export interface CopyConflictsOptions {
  readonly entityKind: string;
  readonly bucket: string;
  readonly from: Pick<ConflictJournal, 'scan'>;
  readonly into: Pick<ConflictJournal, 'accept'>;
  readonly onCopied: (count: number) => void;
}

const BATCH_MAX = 500;

/** Gives one journal every conflict of a bucket that another has. Idempotent. Resolves with their number. */
export async function copyConflicts(options: CopyConflictsOptions): Promise<number> {
  const { entityKind, bucket, from, into, onCopied } = options;
  let copied = 0;
  let waiting: Conflict[] = [];
  const flush = async (): Promise<void> => {
    await into.accept(waiting);
    copied += waiting.length;
    onCopied(waiting.length);
    waiting = [];
  };
  for await (const conflict of from.scan(entityKind, bucket)) {
    waiting.push(conflict);
    if (waiting.length >= BATCH_MAX) await flush();
  }
  await flush();
  return copied;
}
