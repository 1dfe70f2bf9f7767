/**
 * The writes of one bucket, each from its arrival to its answer. While one transaction is in flight further
 * writes gather, and the next one carries all of them, each entity once; the writes of one entity stand in a
 * line, each decided on what the one before it left. The first write of an idle bucket leaves at once, or with
 * those for which the context lets it wait.
 *
 *     add ──► waiting ──► reading ──► ready ──► in-group ──► answered
 *                │           ▲ ▲      ▲ │ ▲        │ │           ▲
 *                │           │ └──────┼─┤ └────────┘ │           │
 *                │           └────────┼─┼────────────┘           │
 *                └────────────────────┘ └────────────────────────┘
 *
 *     state       what it proves of the write
 *     waiting     another write of its entity stands before it
 *     reading     it is the first of its line; its row is being read, by a call that began after it had come
 *     ready       it is the first of its line; its row is known: the store told it, or it is remembered
 *     in-group    it was decided to happen on that row; the store has been given it, and may have done it
 *     answered    it has left its line, and its caller knows the outcome, or that there is none
 *
 *     event                                          from        to
 *     the one before it was answered                 waiting     ready where the row is known, else reading
 *     the row was read                               reading     ready
 *     the row could not be read                      reading     answered, with all of its line
 *     decided to happen, and packed                  ready       in-group
 *     decided to happen, and did not fit             ready       ready, before all others
 *     decided not to happen, or fits nowhere         ready       answered
 *     what is known is too old to refuse it with     ready       reading
 *     committed                                      in-group    answered, and what it left is known
 *     its row was not as expected                    in-group    reading; after ten times answered
 *     the row of another was not                     in-group    ready; if two groups in a row failed so and its
 *                                                                row was only remembered, reading
 *     refused as malformed, in company               in-group    ready, to go alone
 *     refused as malformed alone, or the store fails in-group    answered; if the store fails, who is ready too
 *     it has waited for nine seconds                 any         the same: only its caller is told. Behind the
 *                                                                first of its line it leaves; the first goes
 *                                                                no further than what is under way for it
 */
import {
  AppError,
  type Archive,
  assert,
  CHANGES_PER_SET_MAX,
  type Clock,
  type EntityKind,
  type HybridClock,
  isMessageFault,
  type OutboxEntry,
  type Randomness,
  type Replica,
  type RetryPolicy,
  retryDelayMs,
  type TableStore,
} from '@tandem/core';
import type { RowMemory } from '../replica/row-memory.ts';
import { readRow } from '../replica/table-replica.ts';
import type { WriteOutcome } from '../replicated-table.ts';
import { type ChangeSetOutcome, commitChangeSet } from './commit-change-set.ts';
import {
  type Basis,
  decideChange,
  decideRefusal,
  type EntityChange,
  errorContended,
  errorFull,
  errorLate,
  errorNotTried,
  type KnownRow,
  NEVER_TOLD,
  toOutcome,
  toRecord,
} from './decide-write.ts';
import type { Gate, Leave } from './gate.ts';
import { type PackedGroup, packGroup } from './pack-group.ts';

/** Bounds what waits to what one partition takes in a second. */
export const WAITING_PER_BUCKET_MAX = 2_000;

/**
 * How long a write may take, in milliseconds, before its caller is told that it has not been done, or that
 * nobody knows: a store may take what it is asked and never answer.
 */
const WRITE_MS_MAX = 9_000;
/**
 * So often it is looked who waits. The looks are counted and not the time, which goes on while the process stands
 * still, and jumps when its clock is set.
 */
const LOOK_EVERY_MS = 500;
const LOOKS_MAX = WRITE_MS_MAX / LOOK_EVERY_MS;

/** Measured: a transaction of 100 rows takes a store about 10 times as long as one of a single row. */
const EFFORT_PER_ROW = 0.1;

const CONTENTION_POLICY: RetryPolicy = { attemptsMax: 10, delayMsMin: 5, delayMsMax: 200 };

/** Holds what the lanes of one table share. */
export interface LaneContext<K extends EntityKind> {
  readonly kind: K;
  readonly store: TableStore;
  readonly archive: Archive;
  readonly replica: Replica;
  readonly memory: RowMemory;
  readonly hybridClock: HybridClock;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly wireVersion: number;
  readonly peers: readonly string[];
  /** Resolves when who is about to write has had the time to: who comes meanwhile goes along. */
  readonly gather?: (() => Promise<void>) | undefined;
  readonly onCommitted: (entry: OutboxEntry) => void;
  /** Bound the transactions, and the reads, under way over all buckets. */
  readonly commitGate: Gate;
  readonly readGate: Gate;
  /** Counts arrivals and store calls, in one count for the whole table. */
  readonly nextNumber: () => number;
}

/** Stands for one write, from its arrival to its answer. */
interface PendingWrite<K extends EntityKind> {
  /**
   * One to an entity. A write is of one so far: where it may be of several, all of one bucket, this becomes a
   * list, and what counts on one no longer compiles. Packing and refusals take several already.
   */
  readonly changes: readonly [PendingChange<K>];
  /** The trace that it belongs to. */
  readonly trace: string | undefined;
  readonly arrivedAt: number;
  state: 'waiting' | 'reading' | 'ready' | 'in-group' | 'answered';
  /** Counts how often it was found waiting. */
  looks: number;
  /** Its caller was told that it took too long; what has not begun of it is not done any more. */
  isGivenUp: boolean;
  /** Counts how often the row was changed by someone else between reading and committing. */
  refusals: number;
  /** Set once a group that it was part of was refused as malformed: it then goes without company. */
  goesAlone: boolean;
  readonly resolve: (outcome: WriteOutcome<K>) => void;
  readonly reject: (error: unknown) => void;
}

interface PendingChange<K extends EntityKind> extends EntityChange {
  readonly line: EntityLine<K>;
  /** Undefined until it is decided that the change goes ahead. */
  basis: Basis | undefined;
}

/** Holds the writes of one entity; the first of them is the one that is on its way. */
interface EntityLine<K extends EntityKind> {
  readonly entityId: string;
  readonly waiting: PendingWrite<K>[];
  /** Undefined while it is being read. */
  known: KnownRow | undefined;
}

type Group<K extends EntityKind> = PackedGroup<PendingWrite<K>>;

export class BucketLane<K extends EntityKind> {
  readonly #bucket: string;
  readonly #context: LaneContext<K>;
  readonly #lines = new Map<string, EntityLine<K>>();
  /** In the order in which they are served. */
  #ready: PendingWrite<K>[] = [];
  #waitingCount = 0;
  #refusalsInRow = 0;
  #isRunning = false;
  #isWatching = false;

  constructor(bucket: string, context: LaneContext<K>) {
    this.#bucket = bucket;
    this.#context = context;
  }

  /** Rejects with `TABLE_THROTTLED` when too many wait already; nothing was done then. */
  add(change: EntityChange, trace: string | undefined): Promise<WriteOutcome<K>> {
    return new Promise((resolve, reject) => {
      if (this.#waitingCount >= WAITING_PER_BUCKET_MAX) {
        throw errorFull(this.#name, WAITING_PER_BUCKET_MAX);
      }
      const line = this.#lines.get(change.entityId) ?? this.#openLine(change);
      line.waiting.push({
        changes: [{ ...change, line, basis: undefined }],
        trace,
        arrivedAt: this.#context.nextNumber(),
        state: 'waiting',
        looks: 0,
        isGivenUp: false,
        refusals: 0,
        goesAlone: false,
        resolve,
        reject,
      });
      this.#waitingCount += 1;
      if (line.waiting.length === 1) this.#serve(line);
      this.#context.commitGate.poke();
      void this.#watch();
    });
  }

  get #name(): { readonly table: string; readonly bucket: string } {
    return { table: this.#context.kind.name, bucket: this.#bucket };
  }

  #openLine({ entityId, condition }: EntityChange): EntityLine<K> {
    const row = this.#context.memory.recall(entityId);
    // A create needs no read: the insert tells whether something is there.
    const isSupposed = row !== undefined || condition?.kind === 'absent';
    const line: EntityLine<K> = {
      entityId,
      waiting: [],
      known: isSupposed ? { row, toldAt: NEVER_TOLD } : undefined,
    };
    this.#lines.set(entityId, line);
    return line;
  }

  #serve(line: EntityLine<K>): void {
    if (line.known === undefined) void this.#read(line);
    else this.#makeReady(line);
  }

  #makeReady({ waiting: [first] }: EntityLine<K>): void {
    assert(first !== undefined, 'a line without a write is served');
    first.state = 'ready';
    this.#ready.push(first);
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#commitAll();
  }

  /** Whatever a round fails with is told to those who wait for it, and the lane goes on. */
  async #commitAll(): Promise<void> {
    while (this.#ready.length > 0) {
      try {
        await this.#commitRound();
      } catch (error) {
        this.#failReady(error);
      }
    }
    this.#isRunning = false;
  }

  async #commitRound(): Promise<void> {
    await this.#context.gather?.();
    const leave = await this.#context.commitGate.enter();
    try {
      // Only now: what came while there was no room goes along.
      const group = this.#formGroup();
      if (group !== undefined) await this.#commitGroup(group, leave);
    } finally {
      leave();
    }
  }

  #formGroup(): Group<K> | undefined {
    const taken = this.#ready.splice(0, CHANGES_PER_SET_MAX);
    try {
      return this.#pack(taken.filter((write) => this.#goesAhead(write)));
    } catch (error) {
      // Nothing that stands in a row may end the lane: whoever waits for it is told.
      for (const write of taken) if (write.state === 'ready') this.#failLine(write, error);
      return undefined;
    }
  }

  /** Returns true for a write that is to be packed; any other is answered, or its row is being read. */
  #goesAhead(write: PendingWrite<K>): boolean {
    const [change] = write.changes;
    const { known } = change.line;
    assert(known !== undefined, 'a write is ready whose row is not known');
    if (write.isGivenUp) {
      this.#leave(write);
      return false;
    }
    const { kind } = this.#context;
    const decision = decideChange(change, { known, arrivedAt: write.arrivedAt, kind });
    if (decision.kind === 'answer') this.#resolve(write, decision.outcome);
    if (decision.kind === 'reread') void this.#read(change.line);
    if (decision.kind !== 'write') return false;
    change.basis = decision.basis;
    return true;
  }

  #pack(writes: readonly PendingWrite<K>[]): Group<K> | undefined {
    const { kind, replica, hybridClock, wireVersion } = this.#context;
    const { group, left, refused } = packGroup(writes, {
      kind,
      replica,
      bucket: this.#bucket,
      wireVersion,
      tick: (floor) => hybridClock.tick(floor),
      isTooFarAhead: (stamp) => hybridClock.isTooFarAhead(stamp),
    });
    this.#putBack(left);
    for (const { write, error } of refused) this.#reject(write, error);
    return group;
  }

  async #commitGroup(group: Group<K>, leave: Leave): Promise<void> {
    const { store, clock, peers, kind, nextNumber } = this.#context;
    const toldAt = nextNumber();
    const { set, encoded, members } = group;
    const committedAfterMs = clock.nowMs();
    const entry = { set, encoded, owed: peers, committedAfterMs, parkedFor: undefined };
    for (const write of members) write.state = 'in-group';
    let outcome: ChangeSetOutcome;
    try {
      outcome = await commitChangeSet(entry, group.operations, {
        ...this.#context,
        table: kind.name,
        get: (table, partitionKey, rowKey) => store.get(table, partitionKey, rowKey),
        // Whoever waits out a trouble does it outside, where it holds up no other bucket.
        commit: (transaction) =>
          store
            .commit(transaction)
            .finally(() => leave(1 + group.operations.length * EFFORT_PER_ROW)),
      });
    } catch (error) {
      return this.#onFailed(members, error);
    }
    if (outcome.kind === 'refused') return this.#onRefused(members, outcome.index);
    this.#context.onCommitted(entry);
    return this.#onCommitted(group, { etags: outcome.etags, toldAt });
  }

  #onCommitted(
    { members, states }: Group<K>,
    { etags, toldAt }: { etags: readonly (string | undefined)[]; toldAt: number },
  ): void {
    const { kind, memory } = this.#context;
    this.#refusalsInRow = 0;
    for (const [index, write] of members.entries()) {
      const [{ line, entityId, basis }] = write.changes;
      const state = states[index];
      assert(state !== undefined && basis !== undefined, 'a group has a state for each change');
      const etag = etags[index];
      const row = { entityId, state, referenceId: undefined };
      line.known = etag === undefined ? undefined : { row: { ...row, etag }, toldAt };
      if (etag === undefined) memory.forget(entityId);
      else memory.remember({ ...row, etag });
      this.#resolve(write, toOutcome(basis.operation, toRecord(kind, entityId, row)));
    }
  }

  /** Takes the write whose row was changed out of the group; the rest goes again at once. */
  #onRefused(members: readonly PendingWrite<K>[], index: number): void {
    const { kind, randomness } = this.#context;
    this.#refusalsInRow += 1;
    const plan = decideRefusal(members, index, this.#refusalsInRow);
    assert(plan !== undefined, 'the outbox row of a new stamp was there already');
    this.#putBack(plan.resubmitted);
    for (const { changes } of plan.doubtful) void this.#read(changes[0].line);
    const write = plan.refused;
    const [{ line, entityId, basis }] = write.changes;
    // What was only remembered says nothing of how often others write.
    if (basis?.isRemembered === true) return void this.#read(line);
    write.refusals += 1;
    const delayMs = retryDelayMs(CONTENTION_POLICY, write.refusals, randomness.fraction());
    if (write.refusals < CONTENTION_POLICY.attemptsMax) return void this.#read(line, delayMs);
    this.#forget(line);
    this.#reject(write, errorContended(kind.name, entityId, write.refusals));
  }

  #onFailed(members: readonly PendingWrite<K>[], error: unknown): void {
    const isFault = error instanceof AppError && isMessageFault(error);
    if (isFault && members.length > 1) {
      // One of them is to blame, and the others are not to pay for it.
      for (const write of members) write.goesAlone = true;
      this.#putBack(members);
      return;
    }
    for (const write of members) {
      this.#forget(write.changes[0].line);
      this.#reject(write, error);
    }
    // Behind a store that gives no answer they would wait in vain, and for ever longer.
    if (!isFault) this.#failReady(errorNotTried(this.#name, error));
  }

  async #read(line: EntityLine<K>, delayMs = 0): Promise<void> {
    const { clock, readGate, nextNumber } = this.#context;
    const [first] = line.waiting;
    assert(first !== undefined, 'a row is read for nobody');
    first.state = 'reading';
    this.#forget(line);
    try {
      if (delayMs > 0) await clock.sleep(delayMs);
      const leave = await readGate.enter();
      try {
        const toldAt = nextNumber();
        line.known = { row: await readRow(line.entityId, this.#context), toldAt };
      } finally {
        leave();
      }
      this.#makeReady(line);
    } catch (error) {
      this.#failLine(first, error);
    }
  }

  #forget(line: EntityLine<K>): void {
    line.known = undefined;
    this.#context.memory.forget(line.entityId);
  }

  /** Has the writes served before all others. */
  #putBack(writes: readonly PendingWrite<K>[]): void {
    for (const write of writes) write.state = 'ready';
    this.#ready.unshift(...writes);
  }

  #resolve(write: PendingWrite<K>, outcome: WriteOutcome<K>): void {
    write.resolve(outcome);
    this.#leave(write);
  }

  #reject(write: PendingWrite<K>, error: unknown): void {
    write.reject(error);
    this.#leave(write);
  }

  /** Lets the next of its line, which it was the first of, take its turn. */
  #leave(write: PendingWrite<K>): void {
    const [{ line }] = write.changes;
    write.state = 'answered';
    line.waiting.shift();
    this.#waitingCount -= 1;
    if (line.waiting.length === 0) this.#lines.delete(line.entityId);
    else this.#serve(line);
  }

  #failReady(error: unknown): void {
    for (const write of this.#ready.splice(0)) this.#failLine(write, error);
  }

  /** Tells everybody in the line of the write. */
  #failLine({ changes: [{ line }] }: PendingWrite<K>, error: unknown): void {
    this.#lines.delete(line.entityId);
    this.#waitingCount -= line.waiting.length;
    for (const write of line.waiting.splice(0)) {
      write.state = 'answered';
      write.reject(error);
    }
  }

  /** Tells who waits for too long; looks only while someone waits. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    while (this.#waitingCount > 0) {
      await this.#context.clock.sleep(LOOK_EVERY_MS);
      for (const line of this.#lines.values()) this.#giveUpLate(line);
    }
    this.#isWatching = false;
  }

  /** Leaves the first in its place, since a read or a transaction is under way for it. */
  #giveUpLate({ waiting }: EntityLine<K>): void {
    for (const write of waiting) {
      write.looks += 1;
      if (write.isGivenUp || write.looks < LOOKS_MAX) continue;
      write.isGivenUp = true;
      const isUnderWay = write.state === 'in-group';
      write.reject(errorLate(this.#name, { waitMs: WRITE_MS_MAX, isUnderWay }));
    }
    const left = waiting.filter(({ isGivenUp }, place) => place === 0 || !isGivenUp);
    if (left.length === waiting.length) return;
    this.#waitingCount -= waiting.length - left.length;
    waiting.splice(0, waiting.length, ...left);
  }
}
