import { chunk } from '../concurrency/chunk.ts';
import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import { TerminalError } from '../errors.ts';
import type { Archive } from '../ports/archive.ts';
import type { OutboundMessage } from '../ports/change-publisher.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { PACK_BOUNDS, packChangeSets, packMessageId } from './change-set-pack.ts';
import type { PeerLink } from './peer-link.ts';

export interface RelayOptions {
  readonly archive: Archive;
  /** By entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
  readonly links: readonly PeerLink[];
  /** An entry that the peer's queue can never accept; it stays in the outbox. */
  readonly onRefused?: (peer: string, entry: OutboxEntry, error: TerminalError) => void;
}

export interface RelayReport {
  /** Accepted by every peer, and gone from the outbox. */
  readonly relayed: number;
  /** Still owed to a peer that is down. */
  readonly owed: readonly OutboxEntry[];
}

export interface Relay {
  /**
   * Archives the entries, sends them to every peer they are owed to, and removes them from the
   * outbox, in this order: whatever is interrupted is repeated by the sweep, and every step can be.
   */
  relay(entries: readonly OutboxEntry[]): Promise<RelayReport>;
}

const PARKINGS_AT_ONCE_MAX = 8;

type Accepted = ReadonlyMap<string, ReadonlySet<OutboxEntry>>;

export function createRelay({ archive, outboxes, links, onRefused }: RelayOptions): Relay {
  const outboxOf = (entry: OutboxEntry): Outbox => {
    const outbox = outboxes.get(entry.set.entityKind);
    if (outbox === undefined) throw new Error(`no outbox for kind ${entry.set.entityKind}`);
    return outbox;
  };

  /** For each peer the entries owed to it that its queue accepted. */
  const send = async (entries: readonly OutboxEntry[]): Promise<Accepted> => {
    const sending = links.map(async (link): Promise<[string, ReadonlySet<OutboxEntry>]> => {
      const owed = entries.filter((entry) => entry.owed.includes(link.peer));
      return [link.peer, await sendTo(link, owed, onRefused)];
    });
    const outcomes = await Promise.allSettled(sending);
    const failed = outcomes.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return new Map(outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  };

  return {
    async relay(entries) {
      if (entries.length === 0) return { relayed: 0, owed: [] };
      await archive.append(entries);
      const accepted = await send(entries);
      const stillOwed = (entry: OutboxEntry): string[] =>
        entry.owed.filter((peer) => accepted.get(peer)?.has(entry) !== true);
      const done = entries.filter((entry) => stillOwed(entry).length === 0);
      for (const [outbox, own] of Map.groupBy(done, outboxOf)) await outbox.remove(own);
      const owed = entries.filter((entry) => stillOwed(entry).length > 0);
      await forEachBounded(owed, PARKINGS_AT_ONCE_MAX, async (entry) => {
        const peers = stillOwed(entry);
        if (peers.length < entry.owed.length) await outboxOf(entry).park(entry, peers);
      });
      return { relayed: done.length, owed };
    },
  };
}

/** One message that is refused for good must not keep the others: then each is sent on its own. */
async function sendTo(
  link: PeerLink,
  owed: readonly OutboxEntry[],
  onRefused: RelayOptions['onRefused'],
): Promise<ReadonlySet<OutboxEntry>> {
  if (owed.length === 0) return new Set();
  try {
    const packs = chunk(owed, link.readsPacks ? PACK_BOUNDS : { countMax: 1 });
    const outcome = await link.publish(packs.map(toMessage));
    return new Set(outcome === 'accepted' ? owed : []);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const [only] = owed;
    if (owed.length === 1 && only !== undefined) {
      onRefused?.(link.peer, only, error);
      return new Set();
    }
    const accepted = new Set<OutboxEntry>();
    for (const entry of owed) {
      for (const one of await sendTo(link, [entry], onRefused)) accepted.add(one);
    }
    return accepted;
  }
}

/** One set travels as it was written, so that every build reads it; several travel as a pack. */
function toMessage(entries: readonly OutboxEntry[]): OutboundMessage {
  const [first] = entries;
  const sets = entries.map(({ set }) => set);
  const isPack = entries.length > 1 || first === undefined;
  const messageId = isPack
    ? packMessageId(sets.map(({ stamp }) => stamp))
    : `${first.set.entityKind}/${first.set.stamp}`;
  const body = isPack ? packChangeSets(entries.map(({ encoded }) => encoded)) : first.encoded;
  const traces = sets.flatMap(({ changes }) => changes.flatMap(({ trace }) => trace ?? []));
  const message = { messageId, subject: 'change-set', body } as const;
  return traces.length === 0 ? message : { ...message, traces };
}
