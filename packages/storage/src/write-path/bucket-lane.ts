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
import type { WriteOutcome } from '../replicated-table.ts';
import { readRow, toOutcome, toRecord } from '../table/entity-record.ts';
import { type ChangeSetOutcome, commitChangeSet } from './commit-change-set.ts';
import { decidePending } from './decide-write.ts';
import { type EntityLine, EntityLines } from './entity-lines.ts';
import type { Gate, Leave } from './gate.ts';
import { type GroupWrite, type PackedGroup, packGroup } from './pack-group.ts';
import {
  errorContended,
  errorFull,
  errorLate,
  errorNotTried,
  type KnownRow,
  NEVER_TOLD,
  type PendingWrite,
  settleRefusal,
  type WriteRequest,
} from './pending-write.ts';

/** What one partition takes in a second. */
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

/**
 * The writes of one bucket. While one transaction is in flight further writes gather, and the next
 * one carries all of them, each entity once; the writes of one entity follow one another, each on
 * what the one before it left. The first write of an idle bucket leaves at once, or with those for which
 * the context lets it wait.
 */
export class BucketLane<K extends EntityKind> {
  readonly #bucket: string;
  readonly #context: LaneContext<K>;
  readonly #lines: EntityLines<K>;
  #refusalsInRow = 0;
  #isRunning = false;
  #isWatching = false;

  constructor(bucket: string, context: LaneContext<K>) {
    this.#bucket = bucket;
    this.#context = context;
    this.#lines = new EntityLines({
      recall: (request) => this.#recall(request),
      read: (line) => void this.#read(line),
      onReady: () => this.#run(),
    });
  }

  /** Throws `TABLE_THROTTLED` when too many wait already; nothing was done then. */
  async add(request: WriteRequest): Promise<WriteOutcome<K>> {
    const { kind, nextNumber, commitGate } = this.#context;
    if (this.#lines.waitingCount >= WAITING_PER_BUCKET_MAX) {
      throw errorFull({ table: kind.name, bucket: this.#bucket }, WAITING_PER_BUCKET_MAX);
    }
    return new Promise((resolve, reject) => {
      const state = {
        looks: 0,
        refusals: 0,
        goesAlone: false,
        isUnderWay: false,
        isGivenUp: false,
      };
      this.#lines.add({ request, arrivedAt: nextNumber(), ...state, resolve, reject });
      commitGate.poke();
      void this.#watch();
    });
  }

  #recall({ entityId, condition }: WriteRequest): KnownRow | undefined {
    const row = this.#context.memory.recall(entityId);
    // A create needs no read: the insert tells whether something is there.
    if (row === undefined && condition?.kind !== 'absent') return undefined;
    return { row, toldAt: NEVER_TOLD };
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#commitAll();
  }

  /** Tells who waits for too long; looks only while someone waits. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { clock, kind } = this.#context;
    const lane = { table: kind.name, bucket: this.#bucket };
    while (this.#lines.waitingCount > 0) {
      await clock.sleep(LOOK_EVERY_MS);
      this.#lines.giveUp(LOOKS_MAX, ({ isUnderWay }) =>
        errorLate(lane, { waitMs: WRITE_MS_MAX, isUnderWay }),
      );
    }
    this.#isWatching = false;
  }

  /** Whatever a round fails with is told to those who wait for it, and the lane goes on. */
  async #commitAll(): Promise<void> {
    while (this.#lines.hasReady) {
      try {
        await this.#commitRound();
      } catch (error) {
        for (const line of this.#lines.takeReady(WAITING_PER_BUCKET_MAX)) {
          this.#lines.rejectAll(line, error);
        }
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

  #formGroup(): PackedGroup<LaneWrite<K>> | undefined {
    const lines = this.#lines.takeReady(CHANGES_PER_SET_MAX);
    try {
      return this.#pack(lines.flatMap((line) => this.#decide(line)));
    } catch (error) {
      // Nothing that stands in a row may end the lane: whoever waits for it is told.
      for (const line of lines) this.#lines.rejectAll(line, error);
      return undefined;
    }
  }

  #pack(writes: readonly LaneWrite<K>[]): PackedGroup<LaneWrite<K>> | undefined {
    const { kind, replica, hybridClock, wireVersion } = this.#context;
    const { group, left, refused } = packGroup(writes, {
      kind,
      replica,
      bucket: this.#bucket,
      wireVersion,
      tick: (floor) => hybridClock.tick(floor),
      isTooFarAhead: (stamp) => hybridClock.isTooFarAhead(stamp),
    });
    this.#lines.putBack(left.map(({ line }) => line));
    for (const { write, error } of refused) this.#lines.reject(write.line, error);
    return group;
  }

  /** The write at the head of the line, unless it is answered or has to wait for a read. */
  #decide(line: EntityLine<K>): LaneWrite<K>[] {
    const { pending, known } = this.#lines.head(line);
    if (pending.isGivenUp) {
      // Its caller has been told already, so nobody hears this.
      this.#lines.reject(line, undefined);
      return [];
    }
    const decision = decidePending(pending, known, this.#context.kind);
    if (decision.kind === 'answer') this.#lines.resolve(line, decision.outcome);
    if (decision.kind === 'reread') void this.#read(line);
    if (decision.kind !== 'write') return [];
    const { entityId, write, trace } = pending.request;
    const { goesAlone } = pending;
    const isRemembered = known.toldAt === NEVER_TOLD;
    const decided = { entityId, write, trace, operation: decision.operation, stored: known.row };
    return [{ ...decided, line, pending, goesAlone, isRemembered }];
  }

  async #commitGroup(group: PackedGroup<LaneWrite<K>>, leave: Leave): Promise<void> {
    const { store, clock, peers, kind, nextNumber } = this.#context;
    const toldAt = nextNumber();
    const { set, encoded, members } = group;
    const committedAfterMs = clock.nowMs();
    const entry = { set, encoded, owed: peers, committedAfterMs, parkedFor: undefined };
    let outcome: ChangeSetOutcome;
    for (const { pending } of members) pending.isUnderWay = true;
    try {
      outcome = await commitChangeSet(entry, group.operations, {
        ...this.#context,
        table: kind.name,
        get: (table, partitionKey, rowKey) => store.get(table, partitionKey, rowKey),
        // Whoever waits out a trouble does it outside, where it holds up no other bucket.
        commit: (transaction) =>
          store.commit(transaction).finally(() => leave(1 + members.length * EFFORT_PER_ROW)),
      });
    } catch (error) {
      return this.#onFailed(group.members, error);
    } finally {
      for (const { pending } of members) pending.isUnderWay = false;
    }
    if (outcome.kind === 'refused') return this.#onRefused(group.members, outcome.index);
    this.#context.onCommitted(entry);
    return this.#onCommitted(group, { etags: outcome.etags, toldAt });
  }

  #onCommitted(
    { members, states }: PackedGroup<LaneWrite<K>>,
    { etags, toldAt }: { etags: readonly (string | undefined)[]; toldAt: number },
  ): void {
    const { kind, memory } = this.#context;
    this.#refusalsInRow = 0;
    for (const [index, { line, operation, entityId }] of members.entries()) {
      const state = states[index];
      assert(state !== undefined, 'a group has a state for each of its members');
      const etag = etags[index];
      const row = { entityId, state, referenceId: undefined };
      line.known = etag === undefined ? undefined : { row: { ...row, etag }, toldAt };
      if (etag === undefined) memory.forget(entityId);
      else memory.remember({ ...row, etag });
      this.#lines.resolve(line, toOutcome(operation, toRecord(kind, entityId, row)));
    }
  }

  /** Takes the write whose row was changed out of the group; the rest goes again at once. */
  #onRefused(members: readonly LaneWrite<K>[], index: number): void {
    const { kind, randomness } = this.#context;
    this.#refusalsInRow += 1;
    const plan = settleRefusal(members, index, this.#refusalsInRow);
    assert(plan !== undefined, 'the outbox row of a new stamp was there already');
    this.#lines.putBack(plan.resubmitted.map(({ line }) => line));
    for (const { line } of plan.doubtful) void this.#read(line);
    const { line, pending, isRemembered } = plan.refused;
    // What was only remembered says nothing of how often others write.
    if (isRemembered) return void this.#read(line);
    pending.refusals += 1;
    const delayMs = retryDelayMs(CONTENTION_POLICY, pending.refusals, randomness.fraction());
    if (pending.refusals < CONTENTION_POLICY.attemptsMax) return void this.#read(line, delayMs);
    this.#forget(line);
    this.#lines.reject(line, errorContended(kind.name, line.entityId, pending.refusals));
  }

  #onFailed(members: readonly LaneWrite<K>[], error: unknown): void {
    const isFault = error instanceof AppError && isMessageFault(error);
    if (isFault && members.length > 1) {
      // One of them is to blame, and the others are not to pay for it.
      for (const { pending } of members) pending.goesAlone = true;
      this.#lines.putBack(members.map(({ line }) => line));
      return;
    }
    for (const { line } of members) {
      this.#forget(line);
      this.#lines.reject(line, error);
    }
    if (isFault) return;
    // Behind a store that gives no answer they would wait in vain, and for ever longer.
    const refusal = errorNotTried({ table: this.#context.kind.name, bucket: this.#bucket }, error);
    for (const line of this.#lines.takeReady(WAITING_PER_BUCKET_MAX)) {
      this.#lines.rejectAll(line, refusal);
    }
  }

  async #read(line: EntityLine<K>, delayMs = 0): Promise<void> {
    const { clock, readGate, nextNumber } = this.#context;
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
      this.#lines.makeReady(line);
    } catch (error) {
      this.#lines.rejectAll(line, error);
    }
  }

  #forget(line: EntityLine<K>): void {
    line.known = undefined;
    this.#context.memory.forget(line.entityId);
  }
}

/** What the lanes of one table share. */
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
  /** Transactions, and reads, under way over all buckets. */
  readonly commitGate: Gate;
  readonly readGate: Gate;
  /** Of arrivals and store calls, in one count for the whole table. */
  readonly nextNumber: () => number;
}

/** A write that is decided, and the line at whose head it stands. */
interface LaneWrite<K extends EntityKind> extends GroupWrite {
  readonly line: EntityLine<K>;
  readonly pending: PendingWrite<K>;
  readonly isRemembered: boolean;
}
