import {
  type Archive,
  encodeChangeSet,
  type EntityKind,
  type HybridClock,
  latestStamp,
  type Operation,
  type OutboxEntry,
  retryDelayMs,
  type RetryPolicy,
  type StoredRow,
  type StoredState,
  type TableStore,
  TerminalError,
  TransientError,
  type Write,
  writeEntity,
} from '@tandem/core';
import { toRowOperation } from '../replica/table-replica.ts';
import type { WriteCondition, WriteOutcome } from '../replicated-table.ts';
import { commitChangeSet } from './commit-change-set.ts';
import { decideWrite } from './decide-write.ts';
import { toLiveRecord, toOutcome, toRecord } from './entity-record.ts';
import { type ReadContext, readRow } from './read-row.ts';

export interface WriteContext<K extends EntityKind> extends ReadContext {
  readonly kind: K;
  readonly store: TableStore;
  readonly archive: Archive;
  readonly hybridClock: HybridClock;
  readonly peers: readonly string[];
  readonly onCommitted: (entry: OutboxEntry) => void;
}

export interface WriteRequest {
  readonly entityId: string;
  readonly write: Write;
  readonly condition: WriteCondition | undefined;
}

/**
 * A change set must fit one Service Bus message, 256 KiB on Standard with its headers and
 * properties (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas).
 */
export const CHANGE_SET_BYTES_MAX = 240 * 1024;

const CONTENTION_POLICY: RetryPolicy = { attemptsMax: 10, delayMsMin: 5, delayMsMax: 200 };

/** Reads, decides and commits one write, again when someone else changed the row in between. */
export async function writeRow<K extends EntityKind>(
  request: WriteRequest,
  context: WriteContext<K>,
): Promise<WriteOutcome<K>> {
  const { kind, clock, randomness } = context;
  const { entityId, condition } = request;
  for (let attempt = 1; attempt <= CONTENTION_POLICY.attemptsMax; attempt += 1) {
    // A create needs no read: the insert tells whether something is there.
    const isBlind = attempt === 1 && condition?.kind === 'absent';
    const stored = isBlind ? undefined : await readRow(entityId, context);
    const decision = decideWrite(request.write, stored, condition);
    if (decision.kind === 'not-found') return decision;
    if (decision.kind === 'condition-failed') {
      return { kind: decision.kind, current: toLiveRecord(kind, entityId, stored) };
    }
    const { operation } = decision;
    const row = await commitRow({ ...request, stored, operation }, context);
    if (row !== undefined) return toOutcome(operation, toRecord(kind, entityId, row));
    if (!isBlind) {
      await clock.sleep(retryDelayMs(CONTENTION_POLICY, attempt, randomness.fraction()));
    }
  }
  throw new TransientError(
    'WRITE_CONTENDED',
    `Entity ${entityId} of ${kind.name} was changed by others ` +
      `${CONTENTION_POLICY.attemptsMax} times in a row. Try again.`,
  );
}

/** The new row, or undefined when the stored one was changed by someone else meanwhile. */
async function commitRow<K extends EntityKind>(
  request: WriteRequest & { stored: StoredRow | undefined; operation: Operation },
  context: WriteContext<K>,
): Promise<StoredState | undefined> {
  const { stored, entityId, operation } = request;
  const { kind } = context;
  const committedAfterMs = context.clock.nowMs();
  const stamp = context.hybridClock.tick(stored && latestStamp(stored.state));
  const state = writeEntity(request.write, { stored: stored?.state, stamp, policy: kind.policy });
  const bucket = context.replica.bucketOf(entityId);
  const set = { entityKind: kind.name, bucket, stamp, changes: [{ entityId, operation, state }] };
  const encoded = encodeChangeSet(set);
  if (encoded.length > CHANGE_SET_BYTES_MAX) throw tooLarge(kind, entityId, encoded.length);
  const entry = { set, encoded, owed: context.peers, committedAfterMs, parkedFor: undefined };
  const row: StoredState = { state, referenceId: undefined };
  const operations = [toRowOperation({ entityId, row, etag: stored?.etag })];
  const outcome = await commitChangeSet(entry, operations, { ...context, table: kind.name });
  if (outcome.kind === 'refused') return undefined;
  context.onCommitted(entry);
  return row;
}

function tooLarge(kind: EntityKind, entityId: string, bytes: number): TerminalError {
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `Entity ${entityId} of ${kind.name} takes ${bytes} bytes as a change; the limit is ` +
      `${CHANGE_SET_BYTES_MAX}, since it must fit one Service Bus message. Make it smaller.`,
    { details: { bytes, limit: CHANGE_SET_BYTES_MAX } },
  );
}
