import {
  addVectors,
  AppError,
  listAtRisk,
  listQueuedWrites,
  type PeerSight,
  type VersionVector,
  type WriteAtRisk,
} from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import type { CliRegion } from '../regions/cli-region.ts';
import { chooseBuckets } from '../regions/choose-buckets.ts';
import { eachPage, withQueue } from '../regions/open-queue.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

const SHOWN_MAX = 50;

const HELP = `
Lost: acknowledged in the region, and no other region has it in its rows, its queue or its dead letters.
Delayed: another has it, but not all show it yet. A peer that cannot be reached counts as having nothing.
Writes acknowledged after the time that is printed are not in the list.
`;

export function addAtRisk({ program, act }: Cli): void {
  const command = program
    .command('at-risk')
    .requiredOption('--region <region>', 'the region that would vanish')
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .description(
      'Lists the writes that would be lost or late if a region vanished now, one by one.',
    )
    .addHelpText('after', HELP);
  act<AtRiskOptions>(command, list);
}

interface AtRiskOptions {
  readonly region: string;
  readonly bucket?: string;
}

async function list(session: Session, { region: name, bucket }: AtRiskOptions): Promise<Outcome> {
  const asOfMs = session.io.clock.nowMs();
  const region = await session.openOne(name);
  const buckets = chooseBuckets(region.recovery.buckets, bucket);
  const { regions } = await session.inventory();
  const peers = regions.map((one) => one.name).filter((other) => other !== name);
  const looks = new Map(peers.map((peer) => [peer, lookAt(session, { peer, region })] as const));
  const unreadable: string[] = [];
  const found = await listAtRisk({
    outbox: region.recovery.outbox,
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
  return toOutcome(name, { asOfMs, writes, outOfReach, unreadable });
}

interface Seen {
  readonly sight: PeerSight;
  /** Writes of the region that wait in the peer's queue. */
  readonly queued: readonly WriteAtRisk[];
}

interface Looked {
  readonly peer: string;
  readonly region: CliRegion;
}

/** Looks when first asked, and once; undefined when the peer's tables are out of reach. */
function lookAt(session: Session, looked: Looked): () => Promise<Seen | undefined> {
  let looking: Promise<Seen | undefined> | undefined;
  return () => (looking ??= look(session, looked));
}

async function look(session: Session, { peer, region }: Looked): Promise<Seen | undefined> {
  const opened = await orUndefined(session.openOne(peer, region.bucketCount));
  if (opened === undefined) return undefined;
  const queued: WriteAtRisk[] = [];
  const messages = await orUndefined(
    withQueue(opened, session.io, async (queue) => {
      const vectors = { queued: new Map<string, VersionVector>(), deadLettered: new Map() };
      for await (const page of eachPage(queue, 'messages')) {
        addVectors(vectors.queued, page);
        queued.push(...listQueuedWrites(region.name, { peer, place: 'queued', messages: page }));
      }
      for await (const page of eachPage(queue, 'dead-letters')) {
        addVectors(vectors.deadLettered, page);
      }
      return vectors;
    }),
  );
  return { sight: { region: peer, replica: opened.recovery.replica, messages }, queued };
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

interface Findings {
  readonly asOfMs: number;
  readonly writes: readonly WriteAtRisk[];
  readonly outOfReach: readonly string[];
  /** Rows of the outbox of which nobody can say what they hold. */
  readonly unreadable: readonly string[];
}

function toOutcome(region: string, findings: Findings): Outcome {
  const { asOfMs, writes, outOfReach, unreadable } = findings;
  const lost = writes.filter(({ fate }) => fate === 'lost');
  const delayed = writes.filter(({ fate }) => fate === 'delayed');
  const [shown, more] = firstRows([...lost, ...delayed], SHOWN_MAX);
  const rows = shown.map(({ fate, entityId, operation, stamp, places }) => [
    fate,
    entityId,
    operation,
    stamp,
    Object.entries(places)
      .map(([peer, place]) => `${peer}: ${place}`)
      .join(', '),
  ]);
  return {
    text: [
      ...(writes.length === 0
        ? []
        : [textTable(['fate', 'id', 'operation', 'stamp', 'where it is'], rows) + more]),
      `If ${region} vanished now, ${lost.length} writes would be lost and ${delayed.length} late ` +
        `(as of ${timeText(asOfMs)}).`,
      ...outOfReach.map((peer) => `${peer} is out of reach: it may have more than is said here.`),
      ...(unreadable.length === 0
        ? []
        : [
            `${unreadable.length} rows of the outbox cannot be read: what they hold would be lost too.`,
          ]),
    ].join('\n'),
    json: {
      region,
      asOfMs,
      lost: lost.map(writeJson),
      delayed: delayed.map(writeJson),
      outOfReach,
      unreadable,
    },
    exitCode: lost.length + unreadable.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function writeJson(write: WriteAtRisk): object {
  const { entityId, bucket, stamp, operation, committedMs, places } = write;
  return { id: entityId, bucket, stamp, operation, committedMs, places };
}
