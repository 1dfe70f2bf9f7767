import type { Clock, OutboxEntry, PeerLink, Stamp } from '@tandem/core';

/**
 * `local`: the table of this region holds the write. `queued`: besides, queues of peers have accepted it, so
 * the loss of this region cannot lose it.
 */
export type AcknowledgementLevel = 'local' | 'queued';

/** Whose queues `queued` asks for: of every peer that can be reached, or of any one. */
export type PeersAsked = 'all' | 'any';

export interface Acknowledgement {
  readonly level: AcknowledgementLevel;
  /** Whose queues are known to have it, sorted; also where the level asked for was not reached. */
  readonly peers: readonly string[];
}

export interface AcknowledgementAsked {
  readonly peers: PeersAsked;
  readonly waitMs: number;
}

/** Who waits for the queues of the peers. Fed by the write path and by the relay of this process. */
export interface Acknowledgements {
  /** Never waits and never throws. */
  committed(entry: OutboxEntry): void;
  /** What the relay of this process knows of it, once for each peer. */
  sent(entry: OutboxEntry, peer: string, isAccepted: boolean): void;
  /**
   * What the change set of `stamp` has reached, as soon as it is decided or time is up. A peer that is known
   * to be down is not waited for.
   */
  reached(stamp: Stamp, asked: AcknowledgementAsked): Promise<Acknowledgement>;
}

/** One change set that some queue may still accept. */
interface Following {
  /** By peer: whether its queue has accepted it; undefined while that is open. */
  readonly peers: Map<string, boolean | undefined>;
  /** Called when a peer has decided, or nobody follows it any longer. */
  readonly waiting: Set<() => void>;
}

/** Beyond it the oldest are forgotten, which makes their level `local`: never too much is claimed. */
const FOLLOWED_MAX = 20_000;
/** A peer that begins to hang is noticed while somebody waits. */
const LOOK_EVERY_MS = 250;

const ONLY_LOCAL: Acknowledgement = { level: 'local', peers: [] };

export interface AcknowledgementsOptions {
  readonly clock: Clock;
  /** Those that are not reachable are not waited for; without them every peer is. */
  readonly links?: readonly Pick<PeerLink, 'peer' | 'isReachable'>[] | undefined;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
}

export function createAcknowledgements(options: AcknowledgementsOptions): Acknowledgements {
  const { clock, stopping } = options;
  const followed = new Map<Stamp, Following>();
  const links = new Map(options.links?.map((link) => [link.peer, link]));
  const isReachable = (peer: string): boolean => links.get(peer)?.isReachable() ?? true;

  return {
    committed({ set, owed }) {
      // Without a peer there is no queue, and nothing more than `local` to reach.
      if (owed.length === 0) return;
      const peers = new Map(owed.map((peer) => [peer, undefined]));
      followed.set(set.stamp, { peers, waiting: new Set() });
      for (const [oldest, { waiting }] of followed) {
        if (followed.size <= FOLLOWED_MAX) break;
        followed.delete(oldest);
        for (const wake of waiting) wake();
      }
    },

    sent(entry, peer, isAccepted) {
      const following = followed.get(entry.set.stamp);
      if (following === undefined) return;
      following.peers.set(peer, isAccepted);
      for (const wake of following.waiting) wake();
    },

    async reached(stamp, { peers: asked, waitMs }) {
      const endMs = clock.nowMs() + waitMs;
      for (;;) {
        const following = followed.get(stamp);
        if (following === undefined) return ONLY_LOCAL;
        const leftMs = endMs - clock.nowMs();
        const { isDecided, ...found } = judge(following.peers, { asked, isReachable });
        if (isDecided || leftMs <= 0 || stopping?.aborted === true) return found;
        await untilDecided(following, Math.min(leftMs, LOOK_EVERY_MS), { clock, stopping });
      }
    },
  };
}

/** Pure but for what it is told of the peers. */
function judge(
  peers: Following['peers'],
  how: { readonly asked: PeersAsked; readonly isReachable: (peer: string) => boolean },
): Acknowledgement & { readonly isDecided: boolean } {
  const accepted = [...peers].flatMap(([peer, isAccepted]) => (isAccepted === true ? [peer] : []));
  const reachable = [...peers].filter(
    ([peer, isAccepted]) => isAccepted !== true && how.isReachable(peer),
  );
  const isOpen = reachable.some(([, isAccepted]) => isAccepted === undefined);
  const isQueued = accepted.length > 0 && (how.asked === 'any' || reachable.length === 0);
  return {
    level: isQueued ? 'queued' : 'local',
    peers: accepted.toSorted(),
    isDecided: isQueued || !isOpen,
  };
}

async function untilDecided(
  following: Following,
  waitMs: number,
  { clock, stopping }: Pick<AcknowledgementsOptions, 'clock' | 'stopping'>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const settled = new AbortController();
  const over = AbortSignal.any(stopping ? [settled.signal, stopping] : [settled.signal]);
  following.waiting.add(resolve);
  try {
    await Promise.race([promise, clock.sleep(waitMs, over)]);
  } finally {
    settled.abort();
    following.waiting.delete(resolve);
  }
}
