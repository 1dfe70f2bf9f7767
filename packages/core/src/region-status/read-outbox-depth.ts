import type { Outbox } from '../ports/outbox.ts';
import { scanOutbox } from '../replication/scan-outbox.ts';

/** What a region still owes one peer. */
interface OwedToPeer {
  /** Changes, at least: `isComplete` says whether counting went to the end. */
  readonly changes: number;
  /** The writer's wall clock before the oldest was committed; undefined when nothing is owed. */
  readonly oldestMs: number | undefined;
}

export interface OutboxDepth {
  readonly byPeer: ReadonlyMap<string, OwedToPeer>;
  /** Changes that no peer's queue has accepted: they are lost if the region is. */
  readonly owedToAll: number;
  readonly isComplete: boolean;
}

/** Beyond it a figure is a lower bound, and says so. */
const ENTRIES_COUNTED_MAX = 20_000;

/** Counts what lies in the outbox; a row that cannot be read counts as owed to everyone. */
export async function readOutboxDepth(
  outbox: Outbox,
  peers: readonly string[],
): Promise<OutboxDepth> {
  const counted = createCount(peers);
  for (const bucket of outbox.buckets) {
    for await (const page of scanOutbox(outbox, { bucket, peers })) {
      for (const { set, owed, committedAfterMs, parkedFor } of page.entries) {
        const to = parkedFor === undefined ? owed : [parkedFor];
        counted.add(set.stamp, { to, changes: set.changes.length, committedAfterMs });
      }
      for (const rowKey of page.unreadable) {
        counted.add(`${bucket}/${rowKey}`, { to: peers, changes: 1, committedAfterMs: 0 });
      }
      if (counted.rows() >= ENTRIES_COUNTED_MAX) return counted.depth(false);
    }
  }
  // Where nobody knows the buckets nothing was looked at.
  return counted.depth(outbox.buckets.length > 0);
}

interface OwedSet {
  readonly to: Iterable<string>;
  readonly changes: number;
  readonly committedAfterMs: number;
}

/** A change set that was parked lies there once for each peer: it is owed to all who have a row. */
function createCount(peers: readonly string[]) {
  const sets = new Map<string, OwedSet & { readonly to: Set<string> }>();
  let rows = 0;
  return {
    rows: () => rows,
    add(name: string, set: OwedSet): void {
      rows += 1;
      sets.set(name, { ...set, to: new Set([...(sets.get(name)?.to ?? []), ...set.to]) });
    },
    depth(isComplete: boolean): OutboxDepth {
      const all = [...sets.values()];
      const byPeer = new Map(
        peers.map((peer) => [peer, sumOf(all.filter(({ to }) => to.has(peer)))] as const),
      );
      const toAll = all.filter(({ to }) => peers.every((peer) => to.has(peer)));
      return { byPeer, owedToAll: sumOf(toAll).changes, isComplete };
    },
  };
}

function sumOf(sets: readonly OwedSet[]): OwedToPeer {
  let changes = 0;
  let oldestMs: number | undefined;
  for (const { changes: count, committedAfterMs } of sets) {
    changes += count;
    oldestMs = Math.min(oldestMs ?? committedAfterMs, committedAfterMs);
  }
  return { changes, oldestMs };
}
