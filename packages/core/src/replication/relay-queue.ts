import type { Clock } from '../ports/clock.ts';
import type { OutboxEntry } from '../ports/outbox.ts';
import type { RelaySteps, SentEntry } from './relay.ts';

export interface RelayQueueOptions {
  readonly relay: RelaySteps;
  readonly onFailure?: (error: unknown) => void;
  /** Told once of each entry: the peers whose queue has not accepted it, as far as this queue will know. */
  readonly onSent?: (entry: OutboxEntry, owed: readonly string[]) => void;
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

/** A step that takes what waits for it in batches, one after the other, at its own pace. */
interface Lane<T> {
  waiting: T[];
  working: Promise<void> | undefined;
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
export function createRelayQueue(options: RelayQueueOptions): RelayQueue {
  const { relay, clock } = options;
  const lengthMax = options.lengthMax ?? LENGTH_MAX_DEFAULT;
  const batchMax = options.batchMax ?? BATCH_MAX_DEFAULT;
  // Together they leave room for what comes in: one that hangs must not take the place of the others.
  const laneMax = Math.ceil(lengthMax / (relay.peers.length + 1));
  const entering: Lane<OutboxEntry> = { waiting: [], working: undefined };
  const lanes = new Map(relay.peers.map((peer) => [peer, createLane<OutboxEntry>()]));
  const finishing: Lane<SentEntry> = { waiting: [], working: undefined };
  const sendings = new Map<OutboxEntry, Sending>();
  let isDraining = false;
  const hurry = new AbortController();

  const run = <T>(
    lane: Lane<T>,
    items: readonly T[],
    work: (batch: T[]) => Promise<void>,
  ): void => {
    lane.waiting.push(...items);
    lane.working ??= (async () => {
      while (lane.waiting.length > 0) {
        await work(lane.waiting.splice(0, batchMax)).catch((error) => options.onFailure?.(error));
      }
      lane.working = undefined;
    })();
  };

  const finish = (entry: OutboxEntry, owed: readonly string[]): void => {
    sendings.delete(entry);
    options.onSent?.(entry, owed);
    run(finishing, [{ entry, owed }], (batch) => relay.finish(batch));
  };

  const decide = (peer: string, entries: readonly OutboxEntry[], accepted: Accepted): void => {
    for (const entry of entries) {
      const sending = sendings.get(entry);
      if (sending === undefined) continue;
      if (!accepted.has(entry)) sending.owed.push(peer);
      sending.undecided -= 1;
      if (sending.undecided === 0) finish(entry, sending.owed);
    }
  };

  const gather = async (lane: Lane<OutboxEntry>, sinceMs: number | undefined): Promise<void> => {
    if (clock === undefined || sinceMs === undefined) return;
    const leftMs = sinceMs + GATHER_MS - clock.nowMs();
    // Nothing is left to wait for, or the clock was set back.
    if (leftMs <= 0 || leftMs > GATHER_MS || lane.waiting.length >= batchMax) return;
    await clock.sleep(leftMs, hurry.signal);
  };

  const sendTo = async (peer: string, batch: readonly OutboxEntry[]): Promise<void> => {
    const beganMs = clock?.nowMs();
    let accepted: Accepted = NONE;
    try {
      accepted = await relay.send(peer, batch);
    } finally {
      decide(peer, batch, accepted);
    }
    const lane = lanes.get(peer);
    if (lane !== undefined) await gather(lane, beganMs);
  };

  /** Behind a send that hangs it would wait in vain, and so would whoever waits to hear of it. */
  const isHeldUp = (peer: string, lane: Lane<OutboxEntry>): boolean =>
    lane.waiting.length >= laneMax || (lane.working !== undefined && !relay.isReachable(peer));

  /** Hands the entry to the lane of each peer that it is owed to, and that goes on. */
  const spread = (entry: OutboxEntry): void => {
    const owed = new Set(entry.owed);
    const open = [...lanes].filter(([peer, lane]) => owed.has(peer) && !isHeldUp(peer, lane));
    for (const [peer] of open) owed.delete(peer);
    if (open.length === 0) return finish(entry, [...owed]);
    sendings.set(entry, { undecided: open.length, owed: [...owed] });
    for (const [peer, lane] of open) run(lane, [entry], (batch) => sendTo(peer, batch));
  };

  const enter = async (batch: readonly OutboxEntry[]): Promise<void> => {
    try {
      await relay.archive(batch);
    } catch (error) {
      // What is not archived is not sent either: it is in the outbox, and the sweep's.
      for (const entry of batch) options.onSent?.(entry, entry.owed);
      throw error;
    }
    for (const entry of batch) spread(entry);
  };

  const lengthOf = (): number => entering.waiting.length + sendings.size + finishing.waiting.length;
  const everyLane = (): readonly Lane<unknown>[] => [entering, ...lanes.values(), finishing];

  const untilIdle = async (): Promise<void> => {
    while (everyLane().some(({ working }) => working !== undefined)) {
      await Promise.all(everyLane().map(({ working }) => working));
    }
  };

  return {
    get length() {
      return lengthOf();
    },
    offer(entry) {
      if (isDraining || lengthOf() >= lengthMax) {
        options.onSent?.(entry, entry.owed);
        return;
      }
      run(entering, [entry], enter);
    },
    async drain(deadline) {
      isDraining = true;
      hurry.abort();
      await Promise.race([untilIdle(), deadline]);
    },
  };
}

type Accepted = ReadonlySet<OutboxEntry>;
const NONE: Accepted = new Set();

function createLane<T>(): Lane<T> {
  return { waiting: [], working: undefined };
}
