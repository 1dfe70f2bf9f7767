import { chunk, forEachBounded } from '../concurrency/bounded.ts';
import { Rounds } from '../concurrency/rounds.ts';
import { AppError, TerminalError } from '../errors.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { OutboundMessage } from '../ports/change-publisher.ts';
import type { Clock } from '../ports/clock.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { encodeFragment, fragmentsOf } from '../wire/large-set.ts';
import { PACK_BOUNDS, packChangeSets, packMessageId } from '../wire/message-body.ts';
import type { PeerLink } from './peer-link.ts';

export interface RelayOptions {
  readonly finish: Finish;
  readonly links: readonly PeerLink[];
}

export interface RelayReport {
  /** Accepted by every peer, and gone from the outbox. */
  readonly relayed: number;
  /** Still owed to a peer that is down. */
  readonly owed: readonly OutboxEntry[];
  /**
   * Names what of `owed` the archive or a peer's queue did not take when it was asked for it alone, although
   * they took others: no outage, and no other entry waits for it. None by default.
   */
  readonly stuck?: ReadonlyMap<OutboxEntry, AppError>;
}

/** An entry, and the peers whose queue has not accepted it. */
export interface SentEntry {
  readonly entry: OutboxEntry;
  readonly owed: readonly string[];
}

export interface Relay {
  /**
   * Archives the entries, sends them to every peer they are owed to, and removes them from the
   * outbox, in this order: whatever is interrupted is repeated by the sweep, and every step can be.
   * A peer that hangs is waited for as `PeerLink.briefly` does, and counts as down meanwhile.
   */
  relay(entries: readonly OutboxEntry[]): Promise<RelayReport>;
}

/** The same in steps, for who has the peers go at their own pace. */
export interface RelaySteps {
  readonly peers: readonly string[];
  /** Says whether the peer answers, as far as is known. */
  isReachable(peer: string): boolean;
  archive(entries: readonly OutboxEntry[]): Promise<void>;
  /** Sends what is owed to the peer, and resolves with the entries that its queue accepted. */
  send(peer: string, owed: readonly OutboxEntry[]): Promise<ReadonlySet<OutboxEntry>>;
  /** Removes what nobody is owed any more, and parks the rest for those who are. */
  finish(sent: readonly SentEntry[]): Promise<void>;
}

const PARKINGS_AT_ONCE_MAX = 8;
/** Bounds what is known to be accepted late: beyond it the oldest are sent once more. */
const ACCEPTED_LATE_MAX = 10_000;

/** Entries that are asked for alone and fail, before any was taken: from then on it is an outage. */
const ALONE_IN_VAIN_MAX = 10;

type Accepted = ReadonlyMap<string, ReadonlySet<OutboxEntry>>;

export function createRelay({ finish, links }: RelayOptions): Relay & RelaySteps {
  const sendBriefly = createBriefSender();

  /** For each peer the entries owed to it that its queue accepted. */
  const send = async (entries: readonly OutboxEntry[], onRefused: OnRefused): Promise<Accepted> => {
    const sending = links.map(async (link): Promise<[string, ReadonlySet<OutboxEntry>]> => {
      const owed = entries.filter((entry) => entry.owed.includes(link.peer));
      return [link.peer, await sendBriefly({ link, onRefused }, owed)];
    });
    const outcomes = await Promise.allSettled(sending);
    const failed = outcomes.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return new Map(outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  };

  const settle = async (sent: readonly SentEntry[]): Promise<void> => {
    const done = sent.filter(({ owed }) => owed.length === 0).map(({ entry }) => entry);
    if (done.length > 0) await finish.remove(done);
    const parked = sent.filter(({ entry, owed }) => isPart(owed, entry.owed));
    await forEachBounded(parked, PARKINGS_AT_ONCE_MAX, ({ entry, owed }) =>
      finish.park(entry, owed),
    );
  };

  const linkOf = (peer: string): PeerLink | undefined => links.find((one) => one.peer === peer);

  return {
    peers: links.map(({ peer }) => peer),
    isReachable: (peer) => linkOf(peer)?.isReachable() === true,
    archive: (entries) => finish.archive(entries),
    async send(peer, owed) {
      const link = linkOf(peer);
      if (link === undefined) return new Set();
      // What is refused stays in the outbox, where the sweep finds it and names it.
      return sendTo({ link, onRefused: () => undefined }, owed);
    },
    finish: settle,
    async relay(entries) {
      if (entries.length === 0) return { relayed: 0, owed: [] };
      const unarchived = await archiveApart(finish, entries);
      const archived = entries.filter((entry) => !unarchived.has(entry));
      const stuck = new Map(unarchived);
      const accepted = await send(archived, (entry, error) => stuck.set(entry, error));
      const sent = archived.map((entry) => ({
        entry,
        owed: entry.owed.filter((peer) => accepted.get(peer)?.has(entry) !== true),
      }));
      await settle(sent);
      const owed = sent.flatMap((one) => (one.owed.length > 0 ? [one.entry] : []));
      const relayed = sent.length - owed.length;
      return { relayed, owed: [...unarchived.keys(), ...owed], stuck };
    },
  };
}

/** What is owed to all as before needs no other place. */
function isPart(owed: readonly string[], before: readonly string[]): boolean {
  return owed.length > 0 && owed.length < before.length;
}

/**
 * Sends what is owed to a peer, and waits no longer than others can be made to. What the queue accepts when
 * nobody waits for it any more is remembered: sent again and again, it would never be done with at a slow peer.
 */
function createBriefSender() {
  const acceptedLate = new Set<string>();

  const rememberLate = (peer: string, accepted: ReadonlySet<OutboxEntry>): void => {
    for (const entry of accepted) acceptedLate.add(keyOf(peer, entry));
    for (const oldest of acceptedLate) {
      if (acceptedLate.size <= ACCEPTED_LATE_MAX) break;
      acceptedLate.delete(oldest);
    }
  };

  return async (to: Sending, owed: readonly OutboxEntry[]): Promise<ReadonlySet<OutboxEntry>> => {
    const { link } = to;
    const { peer } = link;
    const known = new Set(owed.filter((entry) => acceptedLate.delete(keyOf(peer, entry))));
    const sending = sendTo(
      to,
      owed.filter((entry) => !known.has(entry)),
    );
    const accepted = await link.briefly(sending);
    if (accepted !== 'late') return new Set([...known, ...accepted]);
    sending.then(
      (late) => rememberLate(peer, late),
      () => undefined,
    );
    return known;
  };
}

function keyOf(peer: string, { set }: OutboxEntry): string {
  return `${peer}/${set.entityKind}/${set.stamp}`;
}

interface Sending {
  readonly link: PeerLink;
  readonly onRefused: OnRefused;
}

type OnRefused = (entry: OutboxEntry, error: AppError) => void;

/**
 * Archives the entries, and finds by halves those that the archive does not take although it takes others.
 * Throws when it takes none: that is an outage. Throttling is one always.
 */
async function archiveApart(
  finish: Pick<Finish, 'archive'>,
  entries: readonly OutboxEntry[],
): Promise<Map<OutboxEntry, AppError>> {
  const stuck = new Map<OutboxEntry, AppError>();
  let isAnyTaken = false;
  const append = async (some: readonly OutboxEntry[]): Promise<void> => {
    try {
      await finish.archive(some);
      isAnyTaken = true;
    } catch (error) {
      const [only] = some;
      const mayBeOne = error instanceof AppError && error.code !== 'TABLE_THROTTLED';
      if (!mayBeOne || entries.length === 1 || only === undefined) throw error;
      if (some.length === 1) {
        stuck.set(only, error);
        if (!isAnyTaken && stuck.size >= ALONE_IN_VAIN_MAX) throw error;
        return;
      }
      const half = Math.ceil(some.length / 2);
      await append(some.slice(0, half));
      await append(some.slice(half));
    }
  };
  await append(entries);
  const [first] = stuck.values();
  if (first !== undefined && !isAnyTaken) throw first;
  return stuck;
}

/** One message that is refused for good must not keep the others: then each is sent on its own. */
async function sendTo(
  sending: Sending,
  owed: readonly OutboxEntry[],
): Promise<ReadonlySet<OutboxEntry>> {
  const { link, onRefused } = sending;
  if (owed.length === 0) return new Set();
  try {
    const packs = chunk(owed, link.readsPacks ? PACK_BOUNDS : { countMax: 1 });
    const outcome = await link.publish(packs.flatMap(toMessages));
    return new Set(outcome === 'accepted' ? owed : []);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const [only] = owed;
    if (owed.length === 1 && only !== undefined) {
      onRefused(only, error);
      return new Set();
    }
    const accepted = new Set<OutboxEntry>();
    for (const entry of owed) {
      for (const one of await sendTo(sending, [entry])) accepted.add(one);
    }
    return accepted;
  }
}

/**
 * One set travels as it was written, so that every build reads it; several travel as a pack, and one that no message
 * holds in fragments.
 */
function toMessages(entries: readonly OutboxEntry[]): readonly OutboundMessage[] {
  const [first] = entries;
  const sets = entries.map(({ set }) => set);
  const traces = sets.flatMap(({ changes }) => changes.flatMap(({ trace }) => trace ?? []));
  const toMessage = (messageId: string, body: Uint8Array): OutboundMessage => {
    const message = { messageId, subject: 'change-set', body } as const;
    return traces.length === 0 ? message : { ...message, traces };
  };
  if (entries.length > 1 || first === undefined) {
    const messageId = packMessageId(sets.map(({ stamp }) => stamp));
    return [toMessage(messageId, packChangeSets(entries.map(({ encoded }) => encoded)))];
  }
  const messageId = `${first.set.entityKind}/${first.set.stamp}`;
  const fragments = fragmentsOf(first);
  if (fragments.length === 0) return [toMessage(messageId, first.encoded)];
  return fragments.map((fragment) =>
    toMessage(`${messageId}/${fragment.index + 1}of${fragment.count}`, encodeFragment(fragment)),
  );
}

/**
 * What a relay does with its entries beside sending them: they are archived before, and leave the outbox after.
 * What is not archived never leaves it, so whatever is cut off is repeated by the sweep.
 */
export interface Finish {
  /** Resolves when the entries are archived, or are certain to be before they are removed. */
  archive(entries: readonly OutboxEntry[]): Promise<void>;
  /** Takes away what nobody is owed any more, now or later. */
  remove(entries: readonly OutboxEntry[]): Promise<void>;
  /** Parks the entry, archived by then, for the peers that are still owed it. */
  park(entry: OutboxEntry, owed: readonly string[]): Promise<void>;
}

export interface FinishOptions {
  readonly archive: Pick<Archive, 'append'>;
  /** Are kept by entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
}

/** Returns a finish of which every step is done when it resolves. */
export function finishAtOnce({ archive, outboxes }: FinishOptions): Finish {
  return {
    archive: (entries) => archive.append(entries),
    async remove(entries) {
      for (const [outbox, own] of Map.groupBy(entries, (one) => outboxOf(outboxes, one))) {
        await outbox.remove(own);
      }
    },
    park: (entry, owed) => outboxOf(outboxes, entry).park(entry, owed),
  };
}

export interface FinishLateOptions extends FinishOptions {
  readonly clock: Clock;
  /** Between one round and the next, in milliseconds; well below the grace of the sweep. */
  readonly pauseMs?: number;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly onFailure?: (error: unknown) => void;
}

/** A finish for a relay whose sending must not wait for it. */
export interface LateFinish extends Finish {
  /** Resolves when all that was promised has been tried, or `deadline` has. */
  drain(deadline: Promise<unknown>): Promise<void>;
}

const PAUSE_MS_DEFAULT = 500;
const LENGTH_MAX_DEFAULT = 10_000;

/**
 * Returns a finish that promises at once to archive and to remove, and does it in rounds: the first round at
 * once, the next after a pause with all that has gathered, so that under load many change sets of a bucket
 * share a transaction. What has not been archived is never removed: whatever fails or is cut off is still in
 * the outbox, and the sweep's.
 */
export function finishLate(options: FinishLateOptions): LateFinish {
  const { archive, outboxes, clock, pauseMs = PAUSE_MS_DEFAULT } = options;
  const lengthMax = options.lengthMax ?? LENGTH_MAX_DEFAULT;
  const unarchived = new WeakSet<ArchiveEntry>();
  const waiting = { archive: 0, remove: 0 };
  let isDraining = false;

  const finishRound = async (round: readonly LateStep[]): Promise<void> => {
    const entriesOf = (step: LateStep['step']): readonly OutboxEntry[] =>
      round.flatMap((one) => (one.step === step ? one.entries : []));
    waiting.archive = 0;
    waiting.remove = 0;
    const archiving = entriesOf('archive');
    if (archiving.length > 0) await archive.append(archiving);
    for (const entry of archiving) unarchived.delete(entry);
    const safe = entriesOf('remove').filter((entry) => !unarchived.has(entry));
    for (const [kind, own] of Map.groupBy(safe, ({ set }) => set.entityKind)) {
      await outboxes.get(kind)?.remove(own);
    }
  };
  const pause = { clock, pauseMs: () => (isDraining ? 0 : pauseMs) };
  const rounds = new Rounds({ flush: finishRound, onFailure: options.onFailure, pause });
  const promise = (step: LateStep['step'], entries: readonly OutboxEntry[]): void => {
    const taken = entries.slice(0, Math.max(0, lengthMax - waiting[step]));
    if (taken.length === 0) return;
    waiting[step] += taken.length;
    rounds.add({ step, entries: taken });
  };

  return {
    async archive(entries) {
      for (const entry of entries) unarchived.add(entry);
      promise('archive', entries);
    },
    async remove(entries) {
      promise('remove', entries);
    },
    async park(entry, owed) {
      // Parking takes the row away by which its writer finds out that it was committed.
      await archive.append([entry]);
      await outboxOf(outboxes, entry).park(entry, owed);
    },
    async drain(deadline) {
      isDraining = true;
      rounds.wake();
      await Promise.race([rounds.working ?? Promise.resolve(), deadline]);
    },
  };
}

/** What was promised of some entries. */
interface LateStep {
  readonly step: 'archive' | 'remove';
  readonly entries: readonly OutboxEntry[];
}

function outboxOf(outboxes: ReadonlyMap<string, Outbox>, { set }: OutboxEntry): Outbox {
  const outbox = outboxes.get(set.entityKind);
  if (outbox === undefined) throw new Error(`no outbox for kind ${set.entityKind}`);
  return outbox;
}
