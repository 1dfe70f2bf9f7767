import { chunk } from '../concurrency/bounded.ts';
import { TerminalError } from '../errors.ts';
import { type ChangeSet, type Operation, originOf, transactionOf } from '../model/change-set.ts';
import { scanOutbox } from '../outbound/sweep.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import type { QueuedMessage } from '../ports/queue-viewer.ts';
import type { Replica } from '../ports/replica.ts';
import { hasSeen, mergeVectors, type VersionVector } from '../state/version-vector.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';
import { readableSetsIn } from '../wire/message-body.ts';

/** Where a peer has a change: in its rows, in its queue, among its dead letters, or nowhere. */
type PeerPlace = 'applied' | 'queued' | 'dead-lettered' | 'nowhere' | 'not-known';

type RowsRead = Awaited<ReturnType<Replica['read']>>;

/** What of a peer is needed to say where a change is. */
export interface PeerSight {
  readonly region: string;
  readonly replica: Pick<Replica, 'bucketOf'> & {
    /** Undefined when its rows are out of reach. */
    read(...asked: Parameters<Replica['read']>): Promise<RowsRead | undefined>;
  };
  /**
   * What the changes in its queue and among its dead letters contain, by entity id (a change contains
   * every earlier one of its entity); undefined when out of reach.
   */
  readonly messages:
    | {
        readonly queued: ReadonlyMap<string, VersionVector>;
        readonly deadLettered: ReadonlyMap<string, VersionVector>;
      }
    | undefined;
}

export interface WriteAtRisk {
  readonly entityKind: string;
  readonly bucket: string;
  readonly entityId: string;
  readonly stamp: Stamp;
  readonly operation: Operation;
  /** By the wall clock of its writer, in milliseconds; never later than its acknowledgement. */
  readonly committedMs: number;
  /** `lost`: no other region has it. `delayed`: another has it, and not all show it yet. */
  readonly fate: 'lost' | 'delayed';
  /** Are kept by peer. */
  readonly places: Readonly<Record<string, PeerPlace>>;
}

export interface ListAtRiskOptions {
  readonly outbox: Outbox;
  /** Names the buckets of the outbox that are looked through; all by default. */
  readonly buckets?: readonly string[];
  readonly peers: readonly string[];
  /**
   * Asked for after the outbox was read: what leaves the outbox meanwhile is found in the peer's queue
   * or rows, and not reported as lost. Undefined for a peer that cannot be reached.
   */
  readonly lookAt: (peer: string) => Promise<PeerSight | undefined>;
  /** Told of each row of the outbox that cannot be read or was set aside: what it holds is not in the list. */
  readonly onUnreadable: (rowKey: string) => void;
}

const READ_BATCH_MAX = 100;
/** Held in memory without their fields: some 200 MB. */
const WRITES_MAX = 500_000;

/** What is kept of an outbox row. */
interface OwedSet {
  readonly entityKind: string;
  readonly bucket: string;
  readonly stamp: Stamp;
  readonly committedMs: number;
  readonly changes: readonly {
    readonly entityId: string;
    readonly operation: Operation;
    /** Tells of a row that it contains the change. */
    readonly transaction: Stamp;
  }[];
}

/**
 * Lists the writes acknowledged in a region that would be lost, or late, if it vanished now. Never
 * flattering (I11): of a peer that cannot be reached nothing is assumed. Throws `RECOVERY_REFUSED` when
 * more is owed than can be held in memory.
 */
export async function listAtRisk(options: ListAtRiskOptions): Promise<readonly WriteAtRisk[]> {
  const { peers } = options;
  const entries = await readOutbox(options);
  if (entries.length === 0) return [];
  const sights = await Promise.all(
    peers.map(async (peer) => [peer, await options.lookAt(peer)] as const),
  );
  const places = await Promise.all(
    sights.map(async ([peer, sight]) => [peer, await placesAt(sight, entries)] as const),
  );
  return entries
    .flatMap((entry) => entry.changes.map((change) => ({ entry, change })))
    .flatMap(({ entry, change }): WriteAtRisk[] => {
      const at = places.map(([peer, found]): [string, PeerPlace] => [
        peer,
        found.get(placeKey(entry, change.entityId)) ?? 'not-known',
      ]);
      const fate = fateOf(at.map(([, place]) => place));
      if (fate === undefined) return [];
      const { entityKind, bucket, stamp, committedMs } = entry;
      const { entityId, operation } = change;
      const named = Object.fromEntries(at);
      return [{ entityKind, bucket, entityId, stamp, operation, committedMs, fate, places: named }];
    })
    .toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1));
}

/** Returns undefined when every peer shows it already. */
function fateOf(places: readonly PeerPlace[]): WriteAtRisk['fate'] | undefined {
  if (places.every((place) => place === 'applied')) return undefined;
  const isSafe = places.some((place) => place !== 'nowhere' && place !== 'not-known');
  return isSafe ? 'delayed' : 'lost';
}

/** By stamp: a parked entry lies there once for each peer that it is owed to. */
async function readOutbox({
  outbox,
  buckets = outbox.buckets,
  peers,
  onUnreadable,
}: ListAtRiskOptions): Promise<OwedSet[]> {
  const found = new Map<string, OwedSet>();
  let writes = 0;
  for (const bucket of buckets) {
    for await (const page of scanOutbox(outbox, { bucket, peers })) {
      for (const entry of page.entries) {
        if (!found.has(entry.set.stamp)) writes += entry.set.changes.length;
        found.set(entry.set.stamp, owedSetOf(entry));
      }
      if (writes > WRITES_MAX) throw tooMany();
      for (const rowKey of [...page.unreadable, ...page.aside]) onUnreadable(rowKey);
    }
  }
  return [...found.values()];
}

function owedSetOf({ set, committedAfterMs }: OutboxEntry): OwedSet {
  const { entityKind, bucket, stamp } = set;
  const changes = set.changes.map((change) => ({
    entityId: change.entityId,
    operation: change.operation,
    transaction: transactionOf(set, change),
  }));
  return { entityKind, bucket, stamp, committedMs: committedAfterMs, changes };
}

function tooMany(): TerminalError {
  return new TerminalError(
    'RECOVERY_REFUSED',
    `More than ${WRITES_MAX} writes wait in the outbox, which are listed in memory: list them bucket by ` +
      'bucket (--bucket). tandem status counts them.',
  );
}

async function placesAt(
  sight: PeerSight | undefined,
  entries: readonly OwedSet[],
): Promise<ReadonlyMap<string, PeerPlace>> {
  const places = new Map<string, PeerPlace>();
  if (sight === undefined) return places;
  const { replica, messages } = sight;
  const byEntity = Map.groupBy(
    entries.flatMap((entry) => entry.changes.map((change) => ({ ...change, entry }))),
    ({ entityId }) => entityId,
  );
  const byBucket = Map.groupBy(byEntity.keys(), (entityId) => replica.bucketOf(entityId));
  for (const [bucket, ids] of byBucket) {
    for (const part of chunk(ids, { countMax: READ_BATCH_MAX })) {
      const rows = await replica.read(bucket, part);
      for (const { entry, entityId, transaction } of part.flatMap((id) => byEntity.get(id) ?? [])) {
        const vector = rows?.get(entityId)?.state.vector;
        const isApplied = vector !== undefined && hasSeen(vector, transaction);
        const way = onTheWay(transaction, entityId, messages);
        // Of rows that nobody can read it is not known that they lack it.
        const place = rows === undefined && way === 'nowhere' ? 'not-known' : way;
        places.set(placeKey(entry, entityId), isApplied ? 'applied' : place);
      }
    }
  }
  return places;
}

function onTheWay(
  transaction: Stamp,
  entityId: string,
  messages: PeerSight['messages'],
): PeerPlace {
  if (messages === undefined) return 'not-known';
  const isIn = (vectors: ReadonlyMap<string, VersionVector>): boolean => {
    const vector = vectors.get(entityId);
    return vector !== undefined && hasSeen(vector, transaction);
  };
  if (isIn(messages.queued)) return 'queued';
  return isIn(messages.deadLettered) ? 'dead-lettered' : 'nowhere';
}

function placeKey({ stamp }: OwedSet, entityId: string): string {
  return `${stamp}/${entityId}`;
}

export interface QueuedAt {
  /** The region whose queue it is. */
  readonly peer: string;
  readonly place: Extract<PeerPlace, 'queued' | 'dead-lettered'>;
  readonly messages: readonly QueuedMessage[];
}

/**
 * Lists the writes of a region that have left it and are not applied at a peer: they outlive the region, and
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

/** Returns the change sets of a message; none of a watermark and of what cannot be read. */
function readSets({ subject, body }: QueuedMessage): readonly ChangeSet[] {
  return subject === 'watermark' ? [] : readableSetsIn(body);
}
