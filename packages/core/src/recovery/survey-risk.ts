import { AppError } from '../errors.ts';
import type { Outbox } from '../ports/outbox.ts';
import type { QueueViewer } from '../ports/queue-viewer.ts';
import type { Replica } from '../ports/replica.ts';
import type { VersionVector } from '../state/version-vector.ts';
import { eachQueuePage } from './holding-messages.ts';
import { listAtRisk, type PeerSight, type WriteAtRisk } from './list-at-risk.ts';
import { addVectors, listQueuedWrites } from './list-queued-writes.ts';

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
  /** At risk, and on their way in the queue of a peer. */
  readonly writes: readonly WriteAtRisk[];
  /** Peers of which nothing is known, so that nothing is assumed. */
  readonly outOfReach: readonly string[];
  /** Rows of the outbox of which nobody can say what they hold. */
  readonly unreadable: readonly string[];
}

interface Seen {
  readonly sight: PeerSight;
  readonly queued: readonly WriteAtRisk[];
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
  const listed = new Set(found.map(({ stamp, entityId }) => `${stamp}/${entityId}`));
  const queued: WriteAtRisk[] = [];
  const outOfReach: string[] = [];
  for (const [peer, look] of looks) {
    const seen = await look();
    if (seen === undefined) outOfReach.push(peer);
    else queued.push(...seen.queued.filter((one) => buckets.includes(one.bucket)));
  }
  const writes = [...found, ...queued.filter((one) => !listed.has(`${one.stamp}/${one.entityId}`))];
  return { writes, outOfReach, unreadable };
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
  return { sight: { region: peer, replica: opened.replica, messages }, queued };
}

/** Of what is out of reach nothing is assumed, and the list goes on. */
async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AppError && error.code !== 'RECOVERY_REFUSED') return undefined;
    throw error;
  }
}
