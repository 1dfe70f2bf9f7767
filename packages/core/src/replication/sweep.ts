import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import type { Clock } from '../ports/clock.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import type { PeerLink } from './peer-link.ts';
import type { Relay } from './relay.ts';
import { watermarkTimeMs } from './watermark.ts';

export interface SweepOptions {
  readonly outboxes: readonly Outbox[];
  readonly links: readonly PeerLink[];
  readonly relay: Relay;
  readonly clock: Clock;
  /** Younger entries are left to the process that committed them. */
  readonly graceMs: number;
  readonly onUnreadable?: (bucket: string, rowKeys: readonly string[]) => void;
}

export interface SweepReport {
  readonly relayed: number;
  /** For each peer whose outbox was read to its end: the time of the watermark to send. */
  readonly watermarks: ReadonlyMap<string, number>;
}

const PAGE_ROWS = 100;
/** Per bucket and pass: what is left waits for the next pass, and no watermark claims it. */
const PAGES_MAX = 20;
const BUCKETS_AT_ONCE = 4;

/** One pass over every bucket's outbox: relays what was left behind and finds what is still owed. */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  // Before the scan: a write committed and acknowledged from here on is not vouched for.
  const scanStartedMs = options.clock.nowMs();
  const tally = createTally();
  const work = options.outboxes.flatMap((outbox) =>
    outbox.buckets.map((bucket) => ({ outbox, bucket })),
  );
  await forEachBounded(work, BUCKETS_AT_ONCE, async ({ outbox, bucket }) => {
    await sweepLane({ ...options, scanStartedMs, tally, outbox, bucket });
    if (options.links.length < 2) return;
    for (const { peer } of options.links) {
      await sweepLane({ ...options, scanStartedMs, tally, outbox, bucket, parkedFor: peer });
    }
  });
  const watermarks = options.links
    .filter(({ peer }) => !tally.unread.has(peer))
    .map(({ peer }): [string, number] => [
      peer,
      watermarkTimeMs({ scanStartedMs, oldestOwedMs: tally.oldestOwedMs.get(peer) }),
    ]);
  return { relayed: tally.relayed, watermarks: new Map(watermarks) };
}

interface Tally {
  relayed: number;
  readonly oldestOwedMs: Map<string, number>;
  /** Peers for which something in an outbox was not read. */
  readonly unread: Set<string>;
}

function createTally(): Tally {
  return { relayed: 0, oldestOwedMs: new Map(), unread: new Set() };
}

interface LaneSweep extends SweepOptions {
  readonly scanStartedMs: number;
  readonly tally: Tally;
  readonly outbox: Outbox;
  readonly bucket: string;
  readonly parkedFor?: string;
}

async function sweepLane(lane: LaneSweep): Promise<void> {
  const peers =
    lane.parkedFor === undefined ? lane.links.map(({ peer }) => peer) : [lane.parkedFor];
  // A region without peers still has its archive to fill.
  const isAnyOpen =
    peers.length === 0 || lane.links.some((link) => peers.includes(link.peer) && link.isOpen());
  let continuation: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const scan = { bucket: lane.bucket, limit: isAnyOpen ? PAGE_ROWS : 1 };
    const {
      entries,
      unreadable,
      continuation: next,
    } = await lane.outbox.scan({
      ...scan,
      ...(lane.parkedFor === undefined ? {} : { parkedFor: lane.parkedFor }),
      ...(continuation === undefined ? {} : { continuation }),
    });
    await sweepEntries(lane, entries);
    if (unreadable.length > 0) {
      for (const peer of peers) lane.tally.unread.add(peer);
      lane.onUnreadable?.(lane.bucket, unreadable);
    }
    if (next === undefined) return;
    // While every peer is down the oldest row says all there is to say; reading on is waste.
    if (!isAnyOpen && entries.length > 0) break;
    continuation = next;
  }
  for (const peer of peers) lane.tally.unread.add(peer);
}

async function sweepEntries(lane: LaneSweep, entries: readonly OutboxEntry[]): Promise<void> {
  const { tally, graceMs, scanStartedMs } = lane;
  // What was committed in the future was committed by a wrong clock, so nobody knows how old it is.
  const futureMs = lane.clock.nowMs() + graceMs;
  const isDue = ({ committedAfterMs }: OutboxEntry): boolean =>
    scanStartedMs - committedAfterMs >= graceMs || committedAfterMs > futureMs;
  const due = entries.filter(isDue);
  const report = await lane.relay.relay(due);
  tally.relayed += report.relayed;
  for (const entry of [...entries.filter((one) => !isDue(one)), ...report.owed]) {
    for (const peer of entry.owed) {
      const oldest = tally.oldestOwedMs.get(peer) ?? Number.POSITIVE_INFINITY;
      tally.oldestOwedMs.set(peer, Math.min(oldest, entry.committedAfterMs));
    }
  }
}
