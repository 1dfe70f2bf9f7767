import type { Notices } from '../arrival/notices.ts';
import { forEachBounded, pagesOf } from '../concurrency/bounded.ts';
import { AppError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Outbox, OutboxEntry, OutboxPage } from '../ports/outbox.ts';
import { encodeConflictMessages } from '../wire/encode-conflict.ts';
import { watermarkTimeMs } from '../wire/watermark.ts';
import type { PeerLink } from './peer-link.ts';
import type { Relay, RelayReport } from './relay.ts';

export interface SweepOptions {
  /** Those that may hold something: asked anew for each pass, where that changes. */
  readonly outboxes: () => Promise<readonly Outbox[]>;
  readonly links: readonly PeerLink[];
  readonly relay: Relay;
  readonly clock: Clock;
  /** Younger entries are left to the process that committed them. */
  readonly graceMs: number;
  readonly notices?: Pick<Notices, 'note'>;
}

export interface SweepReport {
  readonly relayed: number;
  /** For each peer whose outbox was read to its end: the time of the watermark to send; 0 claims nothing. */
  readonly watermarks: ReadonlyMap<string, number>;
  /** The same but for rows that wait for an operator: no peer has to wait for those. */
  readonly sound: ReadonlyMap<string, number>;
  /** Why some of what is due could not be relayed, if so; the watermarks say no more than is true. */
  readonly failure: AppError | undefined;
}

const PAGE_ROWS = 100;
/** Per bucket and pass: what is left waits for the next pass, and no watermark claims it. */
const PAGES_MAX = 20;
const BUCKETS_AT_ONCE = 4;
/** A row that fails for so long is named; where others are taken, nobody has to wait for it. */
const STUCK_AGE_MS = 60_000;
/**
 * Whoever prepared an entry commits it within milliseconds, and its caller waits for nine seconds: an older one was
 * left behind. One that is merely slow is refused by the store then, and decides again.
 */
const PREPARED_AGE_MS = 15_000;
/** Stands for when an entry of a wrong clock was committed: while it is owed, a watermark claims nothing. */
const UNKNOWN_MS = 0;

/** Makes one pass over every bucket's outbox: relays what was left behind and finds what is still owed. */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  // Before the scan: a write committed and acknowledged from here on is not vouched for.
  const scanStartedMs = options.clock.nowMs();
  const tally = createTally();
  const outboxes = await options.outboxes();
  const work = outboxes.flatMap((outbox) => outbox.buckets.map((bucket) => ({ outbox, bucket })));
  await forEachBounded(work, BUCKETS_AT_ONCE, async ({ outbox, bucket }) => {
    await sweepLane({ ...options, scanStartedMs, tally, outbox, bucket });
    if (options.links.length < 2) return;
    for (const { peer } of options.links) {
      await sweepLane({ ...options, scanStartedMs, tally, outbox, bucket, parkedFor: peer });
    }
  });
  const read = options.links.map(({ peer }) => peer).filter((peer) => !tally.unread.has(peer));
  const timeOf = (peer: string, oldest: ReadonlyMap<string, number>): [string, number] => [
    peer,
    watermarkTimeMs({ scanStartedMs, oldestOwedMs: oldest.get(peer) }),
  ];
  const whole = read.filter((peer) => !tally.damaged.has(peer));
  return {
    relayed: tally.relayed,
    watermarks: new Map(whole.map((peer) => timeOf(peer, tally.oldestOwedMs))),
    sound: new Map(read.map((peer) => timeOf(peer, tally.oldestSoundMs))),
    failure: tally.failure,
  };
}

interface Tally {
  relayed: number;
  failure: AppError | undefined;
  readonly oldestOwedMs: Map<string, number>;
  /** The same, without what is stuck. */
  readonly oldestSoundMs: Map<string, number>;
  /** Peers for which something in an outbox was not read. */
  readonly unread: Set<string>;
  /** Peers for which something lies in an outbox that only an operator can mend. */
  readonly damaged: Set<string>;
}

function createTally(): Tally {
  return {
    relayed: 0,
    failure: undefined,
    oldestOwedMs: new Map(),
    oldestSoundMs: new Map(),
    unread: new Set(),
    damaged: new Set(),
  };
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
  const scan = {
    bucket: lane.bucket,
    limit: isAnyOpen ? PAGE_ROWS : 1,
    ...(lane.parkedFor === undefined ? {} : { parkedFor: lane.parkedFor }),
  };
  let pages = 0;
  for await (const page of pagesOf((from) => lane.outbox.scan({ ...scan, ...from }))) {
    const { entries, unreadable, aside } = page;
    await sweepEntries(lane, entries);
    if (unreadable.length + aside.length > 0) {
      for (const peer of peers) lane.tally.damaged.add(peer);
    }
    const { entityKind } = lane.outbox;
    const place = `${entityKind}/${lane.bucket}`;
    for (const key of unreadable) {
      lane.notices?.note('outbox-row-damaged', `${place}/${key}`, 'it cannot be read');
    }
    for (const key of aside) {
      lane.notices?.note(
        'outbox-row-aside',
        `${place}/${key}`,
        'it was set aside, and is still owed',
      );
    }
    if (page.continuation === undefined) return;
    // While every peer is down the oldest row says all there is to say; reading on is waste.
    pages += 1;
    if (pages === PAGES_MAX || (!isAnyOpen && entries.length > 0)) break;
  }
  for (const peer of peers) lane.tally.unread.add(peer);
}

async function sweepEntries(lane: LaneSweep, entries: readonly OutboxEntry[]): Promise<void> {
  const { tally, graceMs, scanStartedMs } = lane;
  // What was committed in the future was committed by a wrong clock, so nobody knows how old it is.
  const futureMs = lane.clock.nowMs() + graceMs;
  const isUndated = ({ committedAfterMs }: OutboxEntry): boolean => committedAfterMs > futureMs;
  const isOlder = (entry: OutboxEntry, ageMs: number): boolean =>
    scanStartedMs - entry.committedAfterMs >= ageMs || isUndated(entry);
  const left = (entry: OutboxEntry): boolean => isOlder(entry, Math.max(graceMs, PREPARED_AGE_MS));
  const { settled, waiting } = await settlePrepared(lane, entries, left);
  const isDue = (entry: OutboxEntry): boolean =>
    entry.prepared === undefined && isOlder(entry, graceMs);
  const report = await relayDue(lane, settled.filter(isDue));
  tally.relayed += report.relayed;
  const isOld = ({ committedAfterMs }: OutboxEntry): boolean =>
    Math.abs(scanStartedMs - committedAfterMs) > STUCK_AGE_MS;
  for (const entry of [...settled.filter((one) => !isDue(one)), ...report.owed]) {
    const { entityKind, bucket, stamp } = entry.set;
    const error = isOld(entry) ? (report.stuck?.get(entry) ?? waiting.get(entry)) : undefined;
    const subject = `${entityKind}/${bucket}/${stamp}`;
    if (error !== undefined) lane.notices?.note('outbox-row-stuck', subject, error.code);
    const sinceMs = isUndated(entry) ? UNKNOWN_MS : entry.committedAfterMs;
    for (const peer of entry.owed) {
      noteOwed(tally.oldestOwedMs, peer, sinceMs);
      if (error === undefined) noteOwed(tally.oldestSoundMs, peer, sinceMs);
    }
  }
}

function noteOwed(oldestMs: Map<string, number>, peer: string, sinceMs: number): void {
  const oldest = oldestMs.get(peer) ?? Number.POSITIVE_INFINITY;
  oldestMs.set(peer, Math.min(oldest, sinceMs));
}

interface SettledEntries {
  readonly settled: readonly OutboxEntry[];
  /** Those of which nobody can tell before an operator has mended something, and why. */
  readonly waiting: ReadonlyMap<OutboxEntry, AppError>;
}

/** Returns the entries as they are known by then: what was left behind prepared is committed, or no entry any more. */
async function settlePrepared(
  lane: LaneSweep,
  entries: readonly OutboxEntry[],
  isLeftBehind: (entry: OutboxEntry) => boolean,
): Promise<SettledEntries> {
  const settled: OutboxEntry[] = [];
  const waiting = new Map<OutboxEntry, AppError>();
  for (const entry of entries) {
    if (entry.prepared === undefined || !isLeftBehind(entry)) {
      settled.push(entry);
      continue;
    }
    try {
      const outcome = await lane.outbox.settle(entry);
      if (outcome === 'committed') settled.push({ ...entry, prepared: undefined });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      settled.push(entry);
      // The row that tells is damaged: no pass changes that, and nothing else has to wait for it.
      if (error.code === 'ROW_MALFORMED') waiting.set(entry, error);
      else noteFailure(lane, [entry], error);
    }
  }
  return { settled, waiting };
}

/** What fails holds up no other bucket, nor the watermarks: it is owed, and they say so. */
async function relayDue(lane: LaneSweep, due: readonly OutboxEntry[]): Promise<RelayReport> {
  try {
    return await lane.relay.relay(due);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    noteFailure(lane, due, error);
    return { relayed: 0, owed: due };
  }
}

function noteFailure(lane: LaneSweep, entries: readonly OutboxEntry[], error: AppError): void {
  lane.tally.failure ??= error;
  for (const { set, committedAfterMs } of entries) {
    const isOld = Math.abs(lane.scanStartedMs - committedAfterMs) > STUCK_AGE_MS;
    const subject = `${set.entityKind}/${set.bucket}/${set.stamp}`;
    if (isOld) lane.notices?.note('outbox-row-stuck', subject, error.code);
  }
}

interface BucketOutbox {
  readonly bucket: string;
  /** Those that rows may be parked for. */
  readonly peers: readonly string[];
}

const SCAN_PAGE_ROWS = 1_000;

/** Yields all of one bucket, page after page: what is not parked first, then what is parked for each peer. */
export async function* scanOutbox(
  outbox: Pick<Outbox, 'scan'>,
  { bucket, peers }: BucketOutbox,
): AsyncGenerator<OutboxPage> {
  for (const parkedFor of [undefined, ...peers]) {
    const scan = {
      bucket,
      limit: SCAN_PAGE_ROWS,
      ...(parkedFor === undefined ? {} : { parkedFor }),
    };
    yield* pagesOf((from) => outbox.scan({ ...scan, ...from }));
  }
}

interface TellOptions {
  readonly region: string;
  readonly conflicts: Pick<ConflictJournal, 'untold' | 'told'>;
  readonly links: readonly PeerLink[];
  readonly clock: Clock;
}

const CONFLICTS_PER_ROUND = 100;
/** Bounds one pass: what is left waits for the next one. */
const ROUNDS_MAX = 20;

/**
 * Tells every peer that can be reached of the conflicts that were found here. With three regions each may
 * meet the same transactions in other pairs, or as one state that another region has merged: only the
 * regions together find everything. Resolves with the number told, over all peers.
 */
export async function tellConflicts(options: TellOptions): Promise<number> {
  const counts = await Promise.all(options.links.map((link) => tellPeer(link, options)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function tellPeer(
  link: PeerLink,
  { region, conflicts, clock }: TellOptions,
): Promise<number> {
  let count = 0;
  let round = 0;
  const range = { limit: CONFLICTS_PER_ROUND };
  if (!link.isOpen()) return 0;
  for await (const page of pagesOf((from) => conflicts.untold(link.peer, { ...range, ...from }))) {
    const untold = page.conflicts;
    const bodies = encodeConflictMessages(
      region,
      untold.map(({ conflict }) => conflict),
    );
    const messages = bodies.map((body, index) => ({
      messageId: `conflicts/${region}/${clock.nowMs()}.${round}.${index}`,
      subject: 'watermark' as const,
      body,
    }));
    if (messages.length > 0 && (await link.publish(messages)) !== 'accepted') break;
    if (untold.length > 0) await conflicts.told(link.peer, untold);
    count += untold.length;
    round += 1;
    if (round === ROUNDS_MAX || !link.isOpen()) break;
  }
  return count;
}
