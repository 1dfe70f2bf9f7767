import {
  type Clock,
  type EntityKind,
  isAlive,
  newestStamp,
  type Operation,
  type Randomness,
  type Replica,
  type RetryPolicy,
  retry,
  type StoredRow,
  type StoredState,
  stampRegion,
  toEntity,
} from '@tandem/core';
import type { EntityRecord, WriteOutcome } from '../replicated-table.ts';

export function toRecord<K extends EntityKind>(
  kind: K,
  entityId: string,
  { state, referenceId }: StoredState,
): EntityRecord<K> {
  const newest = newestStamp(state.vector);
  return {
    entityId,
    entity: toEntity(kind, state),
    version: state.vector,
    origin: newest === undefined ? '' : stampRegion(newest),
    referenceId,
  };
}

/** Undefined for a tombstone, as for no row at all. */
export function toLiveRecord<K extends EntityKind>(
  kind: K,
  entityId: string,
  row: StoredState | undefined,
): EntityRecord<K> | undefined {
  return row !== undefined && isAlive(row.state) ? toRecord(kind, entityId, row) : undefined;
}

export function toOutcome<K extends EntityKind>(
  operation: Operation,
  record: EntityRecord<K>,
): WriteOutcome<K> {
  if (operation === 'delete') return { kind: 'deleted', version: record.version };
  return { kind: operation === 'create' ? 'created' : 'replaced', record };
}

interface ReadContext {
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
