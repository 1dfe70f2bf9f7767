import {
  type Clock,
  countOutboxRows,
  type EntityKind,
  eraseDeadLetters,
  eraseEntity,
  findHolding,
  findTraces,
  hasSeen,
  newestStamp,
  type QueueViewer,
  type RecoveryRegion,
  type Stamp,
  type TableStore,
  TerminalError,
  type Traces,
  TransientError,
} from '@tandem/core';
import type { OutcomeOf } from '../replicated-table.ts';
import { hasFragmentsOf } from '../tables/table-fragments.ts';
import { countCopies, eraseCopies } from './replay-into-table.ts';

/** A table of whatever kind, as far as it forgets. */
export interface ForgettingTable {
  /** Deletes, and keeps no value. */
  forget(entityId: string): Promise<OutcomeOf<unknown>>;
}

/** A region that is to forget an entity. */
export interface ForgettingRegion<K extends EntityKind> {
  readonly name: string;
  readonly kind: K;
  readonly store: TableStore;
  readonly bucketCount: number;
  readonly recovery: RecoveryRegion;
  withQueue<T>(work: (queue: QueueViewer) => Promise<T>): Promise<T>;
  /** The region's own table to write to, as its API does. */
  openTable(): Promise<ForgettingTable>;
}

export interface ForgetOptions<K extends EntityKind> {
  /** All there are. */
  readonly regions: readonly ForgettingRegion<K>[];
  readonly entityId: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For every region to have the deletion, in milliseconds. */
  readonly waitMs: number;
}

/** Where values of an entity still are in one region, its queue and what replays made included. */
export interface RegionTraces extends Traces {
  readonly queued: number;
  readonly deadLetters: number;
  readonly replayTables: number;
}

const LOOK_EVERY_MS = 1_000;

/** Counts in every region; writes nothing. */
export async function findAllTraces<K extends EntityKind>({
  regions,
  entityId,
}: Pick<ForgetOptions<K>, 'regions' | 'entityId'>): Promise<readonly RegionTraces[]> {
  const found: RegionTraces[] = [];
  const peers = regions.map(({ name }) => name);
  for (const region of regions) {
    const traces = await findTraces(region.recovery, entityId, peers);
    const [queued, deadLetters] = await region.withQueue(async (queue) => [
      (await findHolding(queue, 'messages', entityId)).length,
      (await findHolding(queue, 'dead-letters', entityId)).length,
    ]);
    const replayTables = await countCopies(region, entityId);
    found.push({ ...traces, queued: queued ?? 0, deadLetters: deadLetters ?? 0, replayTables });
  }
  return found;
}

/**
 * Deletes the entity by a write that keeps no value, waits until every region has it, and erases what
 * archives, conflicts, dead letters and tables of replays hold of it. Idempotent: repeat it until nothing is
 * left. Resolves with what is. Throws `STATE_NOT_REACHED`, naming the regions that are behind, and once all else
 * is erased `RECOVERY_REFUSED`, naming the dead letters that nobody can read.
 */
export async function forgetEntity<K extends EntityKind>(
  options: ForgetOptions<K>,
): Promise<readonly RegionTraces[]> {
  const { regions, entityId } = options;
  const stamp = await writeForgetting(options);
  await untilGone(options, stamp);
  const unreadable: Record<string, readonly string[]> = {};
  for (const region of regions) {
    await eraseEntity(region.recovery, entityId, stamp);
    const left = await region.withQueue((queue) => eraseDeadLetters(queue, entityId, stamp));
    if (left.length > 0) unreadable[region.name] = left.map(String);
    await eraseCopies(region, entityId);
  }
  refuseUnreadable(entityId, unreadable);
  return findAllTraces(options);
}

/** In the region whose row is newest; undefined where no region has one. */
async function writeForgetting<K extends EntityKind>({
  regions,
  entityId,
}: ForgetOptions<K>): Promise<Stamp | undefined> {
  let latest: { readonly region: ForgettingRegion<K>; readonly stamp: Stamp } | undefined;
  for (const region of regions) {
    const { replica } = region.recovery;
    const row = (await replica.read(replica.bucketOf(entityId), [entityId])).get(entityId);
    const stamp = row && newestStamp(row.state.vector);
    if (row === undefined || stamp === undefined) continue;
    if (latest === undefined || stamp > latest.stamp) latest = { region, stamp };
  }
  if (latest === undefined) return undefined;
  const table = await latest.region.openTable();
  const outcome = await table.forget(entityId);
  return outcome.kind === 'deleted' ? newestStamp(outcome.version) : latest.stamp;
}

/**
 * Until the deletion is in every row and nothing older is under way: what arrived later would be archived
 * with its values.
 */
async function untilGone<K extends EntityKind>(
  options: ForgetOptions<K>,
  stamp: Stamp | undefined,
): Promise<void> {
  const { regions, clock, signal } = options;
  const endMs = clock.nowMs() + options.waitMs;
  for (;;) {
    const late: string[] = [];
    for (const region of regions) {
      if (await isUnderWay(region, options, stamp)) late.push(region.name);
    }
    if (late.length === 0) return;
    signal.throwIfAborted();
    if (clock.nowMs() >= endMs) {
      throw new TransientError(
        'STATE_NOT_REACHED',
        `The deletion is made and has not reached ${late.join(', ')} yet; nothing was erased from the ` +
          'archives. Repeat this once they have caught up.',
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

async function isUnderWay<K extends EntityKind>(
  region: ForgettingRegion<K>,
  { regions, entityId }: ForgetOptions<K>,
  stamp: Stamp | undefined,
): Promise<boolean> {
  const { replica } = region.recovery;
  const row = (await replica.read(replica.bucketOf(entityId), [entityId])).get(entityId);
  if (stamp !== undefined && (row === undefined || !hasSeen(row.state.vector, stamp))) return true;
  const peers = regions.map(({ name }) => name);
  // Not all of the traces: this is asked every second, and an archive is long.
  if ((await countOutboxRows(region.recovery, entityId, peers)) > 0) return true;
  // What is in a fragment nobody can tell.
  const place = { entityKind: region.kind.name, bucket: replica.bucketOf(entityId) };
  if (await hasFragmentsOf(region.store, place)) return true;
  return region.withQueue(
    async (queue) => (await findHolding(queue, 'messages', entityId)).length > 0,
  );
}

/** Throws when dead letters may hold values of the entity and cannot be read. */
function refuseUnreadable(
  entityId: string,
  unreadable: Readonly<Record<string, readonly string[]>>,
): void {
  const named = Object.entries(unreadable).map(
    ([region, numbers]) => `${numbers.join(', ')} of ${region}`,
  );
  if (named.length === 0) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `All else is erased, but dead letters cannot be read and may hold values of ${entityId}: ` +
      `${named.join('; ')}. Look at each by "tandem dead-letters show", resubmit it where a newer build can ` +
      'read it, discard it where it is worth nothing to others, and repeat this.',
    { details: { deadLetters: unreadable } },
  );
}
