import type { Outbox } from '../ports/outbox.ts';

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

const PAGE_ROWS = 500;
/** Beyond it a figure is a lower bound, and says so. */
const ENTRIES_COUNTED_MAX = 20_000;

/** Counts what lies in the outbox; a row that cannot be read counts as owed to everyone. */
export async function readOutboxDepth(
  outbox: Outbox,
  peers: readonly string[],
): Promise<OutboxDepth> {
  const counted = createCount(peers);
  for (const bucket of outbox.buckets) {
    for (const parkedFor of [undefined, ...peers]) {
      let continuation: string | undefined;
      do {
        const page = await outbox.scan({
          bucket,
          limit: PAGE_ROWS,
          ...(parkedFor === undefined ? {} : { parkedFor }),
          ...(continuation === undefined ? {} : { continuation }),
        });
        for (const { set, owed, committedAfterMs, parkedFor: parked } of page.entries) {
          // An entry that was parked for one peer has been accepted, or is parked, for the others.
          const to = parked === undefined ? owed : [parked];
          counted.add(to, set.changes.length, committedAfterMs);
        }
        for (const _ of page.unreadable) counted.add(peers, 1, 0);
        if (counted.entries() >= ENTRIES_COUNTED_MAX) return counted.depth(false);
        ({ continuation } = page);
      } while (continuation !== undefined);
    }
  }
  return counted.depth(true);
}

function createCount(peers: readonly string[]) {
  const byPeer = new Map<string, OwedToPeer>(
    peers.map((peer) => [peer, { changes: 0, oldestMs: undefined }]),
  );
  let entries = 0;
  let owedToAll = 0;
  return {
    entries: () => entries,
    add(to: readonly string[], changes: number, committedMs: number): void {
      entries += 1;
      if (peers.every((peer) => to.includes(peer))) owedToAll += changes;
      for (const peer of to) {
        const known = byPeer.get(peer);
        byPeer.set(peer, {
          changes: (known?.changes ?? 0) + changes,
          oldestMs: Math.min(known?.oldestMs ?? Number.POSITIVE_INFINITY, committedMs),
        });
      }
    },
    depth: (isComplete: boolean): OutboxDepth => ({ byPeer, owedToAll, isComplete }),
  };
}
