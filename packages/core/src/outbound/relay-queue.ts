import { Rounds, type RoundsPause } from '../concurrency/rounds.ts';
import type { Clock } from '../ports/clock.ts';
import type { OutboxEntry } from '../ports/outbox.ts';
import type { RelaySteps, SentEntry } from './relay.ts';

export interface RelayQueueOptions {
  readonly relay: RelaySteps;
  readonly onFailure?: (error: unknown) => void;
  /** Told once of each entry and peer: whether the peer's queue has accepted it, as far as this queue will know. */
  readonly onSent?: (entry: OutboxEntry, peer: string, isAccepted: boolean) => void;
  /** Entries beyond it are left to the sweep. */
  readonly lengthMax?: number;
  readonly batchMax?: number;
  /**
   * With it one round to a peer begins at least `GATHER_MS` after the one before, unless a whole batch
   * waits: what is committed in quick succession shares messages. The first of a quiet time leaves at once.
   */
  readonly clock?: Clock;
}

/**
 * Relays what this process has just committed, without waiting for the sweep. Only a shortcut: the
 * outbox table is the queue, so what does not fit here, or fails, is the sweep's.
 */
export interface RelayQueue {
  /** Never waits and never throws. */
  offer(entry: OutboxEntry): void;
  /** Takes nothing more, and resolves when what was taken has been tried or `deadlineMs` is over. */
  drain(deadline: Promise<unknown>): Promise<void>;
  readonly length: number;
}

const LENGTH_MAX_DEFAULT = 10_000;
const BATCH_MAX_DEFAULT = 500;
/** Hardly seen in the lag, and some ten writes of a single client that waits for each. */
export const GATHER_MS = 10;

export function createRelayQueue(options: RelayQueueOptions): RelayQueue {
  return new RelayLanes(options);
}

/** An entry that not every peer has decided. */
interface Sending {
  /** Peers that have neither accepted it nor failed to. */
  undecided: number;
  readonly owed: string[];
}

/**
 * An entry passes three steps: it is archived; it is sent to each peer, in a lane of the peer's own; and when
 * every peer has accepted it or failed to, it is removed from the outbox, or parked for those who are owed. So
 * a peer that is slow, or takes messages and never answers, keeps waiting what is its own, and nothing else (I15).
 */
class RelayLanes implements RelayQueue {
  readonly #options: RelayQueueOptions;
  readonly #lengthMax: number;
  readonly #batchMax: number;
  /** Together they leave room for what comes in: one that hangs must not take the place of the others. */
  readonly #laneMax: number;
  readonly #entering: Rounds<OutboxEntry>;
  readonly #lanes: ReadonlyMap<string, Rounds<OutboxEntry>>;
  readonly #finishing: Rounds<SentEntry>;
  readonly #sendings = new Map<OutboxEntry, Sending>();
  #isDraining = false;
  #taken = 0;

  constructor(options: RelayQueueOptions) {
    const { relay, lengthMax = LENGTH_MAX_DEFAULT, batchMax = BATCH_MAX_DEFAULT } = options;
    const laneOf = <T>(flush: (batch: T[]) => Promise<void>, pause?: RoundsPause): Rounds<T> =>
      new Rounds({ countMax: batchMax, flush, onFailure: options.onFailure, pause });
    this.#options = options;
    this.#lengthMax = lengthMax;
    this.#batchMax = batchMax;
    this.#laneMax = Math.ceil(lengthMax / (relay.peers.length + 1));
    this.#entering = laneOf((batch) => this.#archive(batch));
    this.#lanes = new Map(
      relay.peers.map((peer) => [
        peer,
        laneOf((batch) => this.#send(peer, batch), this.#gather(peer)),
      ]),
    );
    this.#finishing = laneOf((batch) => this.#finishAll(batch));
  }

  /** Entries that were taken and are not done with, wherever they are. */
  get length(): number {
    return this.#taken;
  }

  offer(entry: OutboxEntry): void {
    if (this.#isDraining || this.length >= this.#lengthMax) {
      this.#tellLeft(entry, entry.owed);
      return;
    }
    this.#taken += 1;
    this.#entering.add(entry);
  }

  async drain(deadline: Promise<unknown>): Promise<void> {
    this.#isDraining = true;
    for (const lane of this.#lanes.values()) lane.wake();
    await Promise.race([this.#untilIdle(), deadline]);
  }

  async #untilIdle(): Promise<void> {
    const lanes = [this.#entering, ...this.#lanes.values(), this.#finishing];
    while (lanes.some(({ working }) => working !== undefined)) {
      for (const { working } of lanes) await working;
    }
  }

  async #archive(batch: readonly OutboxEntry[]): Promise<void> {
    const { relay } = this.#options;
    try {
      await relay.archive(batch);
    } catch (error) {
      // What is not archived is not sent either: it is in the outbox, and the sweep's.
      for (const entry of batch) this.#tellLeft(entry, entry.owed);
      this.#taken -= batch.length;
      throw error;
    }
    for (const entry of batch) this.#spread(entry);
  }

  /** Hands the entry to the lane of each peer that it is owed to, and that goes on. */
  #spread(entry: OutboxEntry): void {
    const owed = new Set(entry.owed);
    const open = [...this.#lanes].filter(([peer]) => owed.has(peer) && !this.#isHeldUp(peer));
    for (const [peer] of open) owed.delete(peer);
    this.#tellLeft(entry, owed);
    if (open.length === 0) return this.#finish(entry, [...owed]);
    this.#sendings.set(entry, { undecided: open.length, owed: [...owed] });
    for (const [, lane] of open) lane.add(entry);
  }

  /** Behind a send that hangs it would wait in vain, and so would whoever waits to hear of it. */
  #isHeldUp(peer: string): boolean {
    const lane = this.#lanes.get(peer);
    if (lane === undefined || lane.waiting >= this.#laneMax) return true;
    return lane.working !== undefined && !this.#options.relay.isReachable(peer);
  }

  async #send(peer: string, batch: readonly OutboxEntry[]): Promise<void> {
    const { relay } = this.#options;
    let accepted: ReadonlySet<OutboxEntry> = NONE;
    try {
      accepted = await relay.send(peer, batch);
    } finally {
      for (const entry of batch) this.#decide(entry, peer, accepted.has(entry));
    }
  }

  #decide(entry: OutboxEntry, peer: string, isAccepted: boolean): void {
    const sending = this.#sendings.get(entry);
    if (sending === undefined) return;
    if (!isAccepted) sending.owed.push(peer);
    this.#options.onSent?.(entry, peer, isAccepted);
    sending.undecided -= 1;
    if (sending.undecided === 0) this.#finish(entry, sending.owed);
  }

  #finish(entry: OutboxEntry, owed: readonly string[]): void {
    this.#sendings.delete(entry);
    this.#finishing.add({ entry, owed });
  }

  /** Tells what is left to the sweep. */
  #tellLeft(entry: OutboxEntry, peers: Iterable<string>): void {
    for (const peer of peers) this.#options.onSent?.(entry, peer, false);
  }

  async #finishAll(batch: readonly SentEntry[]): Promise<void> {
    try {
      await this.#options.relay.finish(batch);
    } finally {
      this.#taken -= batch.length;
    }
  }

  /** Waits for what comes in quick succession, to send it together, unless a whole batch waits. */
  #gather(peer: string): RoundsPause | undefined {
    const { clock } = this.#options;
    if (clock === undefined) return undefined;
    const pauseMs = (beganMs: number): number => {
      const leftMs = beganMs + GATHER_MS - clock.nowMs();
      const isWhole = (this.#lanes.get(peer)?.waiting ?? 0) >= this.#batchMax;
      // Beyond it the clock was set back.
      return this.#isDraining || isWhole || leftMs > GATHER_MS ? 0 : leftMs;
    };
    return { clock, pauseMs };
  }
}

const NONE: ReadonlySet<OutboxEntry> = new Set();
