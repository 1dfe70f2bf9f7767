import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import type { Archive } from '../ports/archive.ts';
import type { OutboundMessage } from '../ports/change-publisher.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import type { PeerLink } from './peer-link.ts';

export interface RelayOptions {
  readonly archive: Archive;
  /** By entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
  readonly links: readonly PeerLink[];
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

export function createRelay({ archive, outboxes, links }: RelayOptions): Relay {
  const outboxOf = (entry: OutboxEntry): Outbox => {
    const outbox = outboxes.get(entry.set.entityKind);
    if (outbox === undefined) throw new Error(`no outbox for kind ${entry.set.entityKind}`);
    return outbox;
  };

  /** The peers, of those that the entries are owed to, that accepted all of theirs. */
  const send = async (entries: readonly OutboxEntry[]): Promise<ReadonlySet<string>> => {
    const accepted = new Set<string>();
    const sending = links.map(async (link) => {
      const owed = entries.filter((entry) => entry.owed.includes(link.peer));
      if (owed.length === 0) return;
      const outcome = await link.publish(owed.map(toMessage));
      if (outcome === 'accepted') accepted.add(link.peer);
    });
    const failed = (await Promise.allSettled(sending)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return accepted;
  };

  return {
    async relay(entries) {
      if (entries.length === 0) return { relayed: 0, owed: [] };
      await archive.append(entries);
      const accepted = await send(entries);
      const stillOwed = (entry: OutboxEntry): string[] =>
        entry.owed.filter((peer) => !accepted.has(peer));
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

function toMessage({ set, encoded }: OutboxEntry): OutboundMessage {
  return { messageId: `${set.entityKind}/${set.stamp}`, subject: 'change-set', body: encoded };
}
