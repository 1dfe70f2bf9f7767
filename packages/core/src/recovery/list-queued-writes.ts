import type { QueuedMessage } from '../ports/queue-viewer.ts';
import { type ChangeSet, originOf } from '../replication/change-set.ts';
import { readableSetsIn } from '../arrival/read-change-sets.ts';
import { mergeVectors, type VersionVector } from '../state/version-vector.ts';
import { stampTimeMs } from '../time/stamp.ts';
import type { PeerPlace, WriteAtRisk } from './list-at-risk.ts';

export interface QueuedAt {
  /** The region whose queue it is. */
  readonly peer: string;
  readonly place: Extract<PeerPlace, 'queued' | 'dead-lettered'>;
  readonly messages: readonly QueuedMessage[];
}

/**
 * The writes of a region that have left it and are not applied at a peer: they outlive the region, and
 * are late there.
 */
export function listQueuedWrites(
  region: string,
  { peer, place, messages }: QueuedAt,
): readonly WriteAtRisk[] {
  return messages.flatMap(readSets).flatMap((set): WriteAtRisk[] => {
    if (originOf(set) !== region) return [];
    const { entityKind, bucket, stamp } = set;
    return set.changes.map(({ entityId, operation }) => ({
      entityKind,
      bucket,
      entityId,
      stamp,
      operation,
      committedMs: stampTimeMs(stamp),
      fate: 'delayed',
      places: { [peer]: place },
    }));
  });
}

/** Adds what the change sets among the messages contain, by entity id: queues are read page by page. */
export function addVectors(
  vectors: Map<string, VersionVector>,
  messages: readonly QueuedMessage[],
): void {
  for (const { changes } of messages.flatMap(readSets)) {
    for (const { entityId, state } of changes) {
      vectors.set(entityId, mergeVectors(vectors.get(entityId) ?? new Map(), state.vector));
    }
  }
}

/** None of watermarks and of what cannot be read. */
function readSets({ subject, body }: QueuedMessage): readonly ChangeSet[] {
  return subject === 'watermark' ? [] : readableSetsIn(body);
}
