import { AppError } from '../errors.ts';
import type { Outbox } from '../ports/outbox.ts';
import type { QueueViewer } from '../ports/queue-viewer.ts';
import type { Replica } from '../ports/replica.ts';
import type { VersionVector } from '../state/version-vector.ts';
import { eachQueuePage } from './erase-entity.ts';
import {
  addVectors,
  listAtRisk,
  listQueuedWrites,
  type PeerSight,
  type WriteAtRisk,
} from './list-at-risk.ts';

/** A peer as far as it is needed to say what it has of another region's writes. */
export interface SurveyedPeer {
  readonly replica: Pick<Replica, 'read' | 'bucketOf'>;
  withQueue<T>(work: (queue: QueueViewer) => Promise<T>): Promise<T>;
}

export interface SurveyRiskOptions {
  /** The region that would vanish. */
  readonly region: string;
  readonly outbox: Outbox;
  readonly buckets: readonly string[];
  readonly peers: readonly string[];
  /** Throws an operating error for a peer that is out of reach. */
  readonly openPeer: (peer: string) => Promise<SurveyedPeer>;
}

export interface RiskSurvey {
  /** Are at risk, and on their way in the queue of a peer. */
  readonly writes: readonly WriteAtRisk[];
  /** Peers of which nothing is known, so that nothing is assumed. */
  readonly outOfReach: readonly string[];
  /** Rows of the outbox of which nobody can say what they hold. */
  readonly unreadable: readonly string[];
}

interface Seen {
  readonly sight: PeerSight;
  readonly queued: readonly WriteAtRisk[];
  /** Whether all that was asked of its rows was answered. */
  readonly rows: { readonly isReadable: boolean };
}

/** Lists what would be lost or late if a region vanished now, with what has left it and is not applied yet. */
export async function surveyRisk(options: SurveyRiskOptions): Promise<RiskSurvey> {
  const { outbox, buckets, peers } = options;
  const looks = new Map(peers.map((peer) => [peer, lookOnce(peer, options)] as const));
  const unreadable: string[] = [];
  const found = await listAtRisk({
    outbox,
    buckets,
    peers,
    lookAt: async (peer) => (await looks.get(peer)?.())?.sight,
    onUnreadable: (rowKey) => void unreadable.push(rowKey),
  });
  const seen = await Promise.all(
    [...looks].map(async ([peer, look]) => [peer, await look()] as const),
  );
  const outOfReach = seen.flatMap(([peer, sight]) =>
    sight?.rows.isReadable === true ? [] : [peer],
  );
  const queued = seen
    .flatMap(([, sight]) => sight?.queued ?? [])
    .filter((one) => buckets.includes(one.bucket));
  return { writes: joinWrites(found, queued), outOfReach, unreadable };
}

/** What lies in several queues is one write, in all those places; what the outbox told of is told already. */
function joinWrites(
  found: readonly WriteAtRisk[],
  queued: readonly WriteAtRisk[],
): readonly WriteAtRisk[] {
  const keyOf = ({ stamp, entityId }: WriteAtRisk): string => `${stamp}/${entityId}`;
  const listed = new Set(found.map(keyOf));
  const late = new Map<string, WriteAtRisk>();
  for (const one of queued) {
    if (listed.has(keyOf(one))) continue;
    const places = { ...late.get(keyOf(one))?.places, ...one.places };
    late.set(keyOf(one), { ...one, places });
  }
  return [...found, ...late.values()];
}

/** Looks when first asked, and once; undefined when the peer's tables are out of reach. */
function lookOnce(peer: string, options: SurveyRiskOptions): () => Promise<Seen | undefined> {
  let looking: Promise<Seen | undefined> | undefined;
  return () => (looking ??= look(peer, options));
}

async function look(
  peer: string,
  { region, openPeer }: SurveyRiskOptions,
): Promise<Seen | undefined> {
  const opened = await orUndefined(openPeer(peer));
  if (opened === undefined) return undefined;
  const queued: WriteAtRisk[] = [];
  const messages = await orUndefined(
    opened.withQueue(async (queue) => {
      const vectors = { queued: new Map<string, VersionVector>(), deadLettered: new Map() };
      for await (const page of eachQueuePage(queue, 'messages')) {
        addVectors(vectors.queued, page);
        queued.push(...listQueuedWrites(region, { peer, place: 'queued', messages: page }));
      }
      for await (const page of eachQueuePage(queue, 'dead-letters')) {
        addVectors(vectors.deadLettered, page);
      }
      return vectors;
    }),
  );
  const { replica } = opened;
  const rows = { isReadable: true };
  const sight: PeerSight = {
    region: peer,
    replica: {
      bucketOf: (entityId) => replica.bucketOf(entityId),
      async read(...asked) {
        const read = await orUndefined(replica.read(...asked));
        rows.isReadable &&= read !== undefined;
        return read;
      },
    },
    messages,
  };
  return { sight, queued, rows };
}

/** Assumes nothing of what is out of reach, and goes on with the list. */
async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AppError && error.code !== 'RECOVERY_REFUSED') return undefined;
    throw error;
  }
}
