import { isBelievable, type OwnClock } from '../arrival/claims.ts';
import { scanOutbox } from '../outbound/sweep.ts';
import type { Outbox } from '../ports/outbox.ts';

/** What a region still owes one peer. */
interface OwedToPeer {
  /** Changes, at least: `isComplete` says whether counting went to the end. */
  readonly changes: number;
  /** The writer's wall clock before the oldest was committed; undefined when nothing that is owed says so. */
  readonly oldestMs: number | undefined;
  /**
   * Counts those of `changes` of which nobody can say how old they are: damaged, set aside, or of a wrong
   * clock.
   */
  readonly undated: number;
}

export interface OutboxDepth {
  readonly byPeer: ReadonlyMap<string, OwedToPeer>;
  /** Changes that no peer's queue has accepted: they are lost if the region is. */
  readonly owedToAll: number;
  readonly isComplete: boolean;
}

/** Beyond it a figure is a lower bound, and says so. */
const ENTRIES_COUNTED_MAX = 20_000;

/**
 * Counts what lies in the outboxes of a region's entity kinds. A row that cannot be read, or that was set aside, counts as one change that
 * is owed to everyone.
 */
export async function readOutboxDepth(
  outboxes: readonly Outbox[],
  peers: readonly string[],
  own: OwnClock,
): Promise<OutboxDepth> {
  const counted = createCount(peers, own);
  for (const [kind, outbox, bucket] of bucketsOf(outboxes)) {
    for await (const page of scanOutbox(outbox, { bucket, peers })) {
      for (const { set, owed, committedAfterMs, parkedFor } of page.entries) {
        const to = parkedFor === undefined ? owed : [parkedFor];
        counted.add(set.stamp, { to, changes: set.changes.length, committedAfterMs });
      }
      for (const rowKey of [...page.unreadable, ...page.aside]) {
        counted.add(`${kind}/${bucket}/${rowKey}`, {
          to: peers,
          changes: 1,
          committedAfterMs: undefined,
        });
      }
      if (counted.rows() >= ENTRIES_COUNTED_MAX) return counted.depth(false);
    }
  }
  // Where nobody knows the buckets nothing was looked at.
  return counted.depth(outboxes.every(({ buckets }) => buckets.length > 0));
}

function bucketsOf(outboxes: readonly Outbox[]): readonly (readonly [number, Outbox, string])[] {
  return outboxes.flatMap((outbox, kind) =>
    outbox.buckets.map((bucket) => [kind, outbox, bucket] as const),
  );
}

interface OwedSet {
  readonly to: Iterable<string>;
  readonly changes: number;
  readonly committedAfterMs: number | undefined;
}

/** A change set that was parked lies there once for each peer: it is owed to all who have a row. */
function createCount(peers: readonly string[], own: OwnClock) {
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
        peers.map(
          (peer) =>
            [
              peer,
              sumOf(
                all.filter(({ to }) => to.has(peer)),
                own,
              ),
            ] as const,
        ),
      );
      const toAll = all.filter(({ to }) => peers.every((peer) => to.has(peer)));
      return { byPeer, owedToAll: sumOf(toAll, own).changes, isComplete };
    },
  };
}

function sumOf(sets: readonly OwedSet[], own: OwnClock): OwedToPeer {
  let changes = 0;
  let undated = 0;
  let oldestMs: number | undefined;
  for (const { changes: count, committedAfterMs } of sets) {
    changes += count;
    // Nothing was committed at the beginning of time: such a row lacks its column.
    if (committedAfterMs === undefined || committedAfterMs <= 0) undated += count;
    else if (!isBelievable(committedAfterMs, own)) undated += count;
    else oldestMs = Math.min(oldestMs ?? committedAfterMs, committedAfterMs);
  }
  return { changes, oldestMs, undated };
}
