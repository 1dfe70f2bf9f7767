import {
  type Clock,
  type Randomness,
  type Replica,
  retry,
  type RetryPolicy,
  type StoredRow,
} from '@tandem/core';

export interface ReadContext {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

const READ_POLICY: RetryPolicy = { attemptsMax: 4, delayMsMin: 50, delayMsMax: 1_000 };
/** With what one read may take, a store that hangs is given up within ten seconds. */
const READ_BUDGET_MS = 3_500;

/** A tombstone is a row too. */
export async function readRow(
  entityId: string,
  context: ReadContext,
): Promise<StoredRow | undefined> {
  const { replica } = context;
  const rows = await retryRead(() => replica.read(replica.bucketOf(entityId), [entityId]), context);
  return rows.get(entityId);
}

export function retryRead<T>(
  read: () => Promise<T>,
  { clock, randomness }: Pick<ReadContext, 'clock' | 'randomness'>,
): Promise<T> {
  return retry(read, { policy: READ_POLICY, clock, randomness, budgetMs: READ_BUDGET_MS });
}
