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
 *     waiting     in the line of one of its entities another write stands before it
 *     reading     it is the first of its lines; rows of it are being read, by calls that began after it had come
 *     ready       it is the first of its lines; its rows are known: the store told them, or they are remembered
 *     in-group    it was decided to happen on those rows; the store has been given it, and may have done it
 *     answered    it has left its lines, and its caller knows the outcome, or that there is none
 *
 *     event                                          from        to
 *     the last one before it was answered            waiting     ready where its rows are known, else reading
 *     its rows were read                             reading     ready
 *     a row could not be read                        reading     answered, with all of the line of that row
 *     decided to happen, and packed                  ready       in-group
 *     decided to happen, and did not fit             ready       ready, before all that came to be so later
 *     decided not to happen, or fits nowhere         ready       answered
 *     nothing could be decided on its rows           ready       answered
 *     what is known is too old to refuse it with     ready       reading
 *     committed                                      in-group    answered, and what it left is known
 *     a row of it was not as expected                in-group    reading; after ten times answered
 *     a row of another was not                       in-group    ready; if two groups in a row failed so and a
 *                                                                row of it was only remembered, reading
 *     refused as malformed, in company               in-group    ready, to go alone
 *     refused as malformed alone, or the store fails in-group    answered; if the store fails, who is ready too
 *     it has waited for nine seconds                 any         the same: only its caller is told. While it is
 *                                                                waiting it leaves; later it goes no further
 *                                                                than what is under way for it
 *
 * A write of several entities, a transaction, takes its place in all their lines at once. So every line stands in
 * the order of arrival, and the oldest write of all is the first of each of its lines: there is always one that
 * may go, however the lines cross. It is decided whole, packed whole and committed whole.
 */
import {
  AppError,
  type Archive,
  assert,
  CHANGES_WITH_OUTBOX_MAX,
  type Clock,
  type EntityKind,
  type HybridClock,
  isMessageFault,
  type LargeSetBounds,
  type OutboxEntry,
  type Randomness,
  type Replica,
  type RetryPolicy,
  retry,
  retryDelayMs,
  type TableStore,
} from '@tandem/core';
import type { StateRecord, TransactedOf } from '../replicated-table.ts';
import type { RowMemory } from '../tables/row-memory.ts';
import { readRow } from '../tables/table-replica.ts';
import { type ChangeSetOutcome, commitChangeSet, NOT_DONE_POLICY } from './commit-change-set.ts';
import {
  type Basis,
  type ChangesDecision,
  type DecidableChange,
  decideChanges,
  decideRefusal,
  type EntityChange,
  errorContended,
  errorFull,
  errorLate,
  errorNotTried,
  type KnownRow,
  NEVER_TOLD,
  toOutcome,
} from './decide-write.ts';
import type { Gate, Leave } from './gate.ts';
import { type PackedGroup, packGroup } from './pack-group.ts';
import { settleMarks } from './prepared-set.ts';

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

/** Bounds the changes that are looked at for one transaction of the store. */
const CHANGES_TAKEN_MAX = 2 * CHANGES_WITH_OUTBOX_MAX;

const CONTENTION_POLICY: RetryPolicy = { attemptsMax: 10, delayMsMin: 5, delayMsMax: 200 };

/** Holds what the lanes of one table share. */
export interface LaneContext {
  readonly kind: EntityKind;
  readonly store: TableStore;
  readonly archive: Archive;
  readonly replica: Replica;
  readonly memory: RowMemory;
  readonly hybridClock: HybridClock;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly wireVersion: number;
  readonly largeSets?: LargeSetBounds | undefined;
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

/** Says where a write comes from. */
export interface WriteSource {
  /** The trace that it belongs to. */
  readonly trace: string | undefined;
  /** The fingerprint of the request that asks for it, where its client may repeat that. */
  readonly request: string | undefined;
}

/** Stands for one write, from its arrival to its answer. */
interface PendingWrite extends WriteSource {
  /** Is one to an entity, all of one bucket; several are a transaction. */
  readonly changes: readonly PendingChange[];
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
  readonly resolve: (outcome: TransactedOf<StateRecord>) => void;
  readonly reject: (error: unknown) => void;
}

interface PendingChange extends EntityChange {
  readonly line: EntityLine;
  /** Undefined until it is decided that the change goes ahead. */
  basis: Basis | undefined;
}

/** Holds the writes of one entity; the first of them is the one that is on its way. */
interface EntityLine {
  readonly entityId: string;
  readonly waiting: PendingWrite[];
  /** Undefined while it is being read. */
  known: KnownRow | undefined;
}

type Group = PackedGroup<PendingWrite>;

export class BucketLane {
  readonly #bucket: string;
  readonly #context: LaneContext;
  readonly #lines = new Map<string, EntityLine>();
  /** Holds all that are not answered yet, in the order of their arrival. */
  readonly #writes = new Set<PendingWrite>();
  /** In the order in which they are served. */
  #ready: PendingWrite[] = [];
  /** Counts the changes of all writes that are not answered yet. */
  #waitingCount = 0;
  #refusalsInRow = 0;
  #isRunning = false;
  #isWatching = false;

  constructor(bucket: string, context: LaneContext) {
    this.#bucket = bucket;
    this.#context = context;
  }

  /**
   * Does all of the changes, each of another entity of this bucket and at most `CHANGES_PER_SET_MAX`, or none.
   * Rejects with `TABLE_THROTTLED` when too many wait already; nothing was done then.
   */
  add(
    changes: readonly EntityChange[],
    { trace, request }: WriteSource,
  ): Promise<TransactedOf<StateRecord>> {
    return new Promise((resolve, reject) => {
      if (this.#waitingCount + changes.length > WAITING_PER_BUCKET_MAX) {
        throw errorFull(this.#name, WAITING_PER_BUCKET_MAX);
      }
      const write: PendingWrite = {
        changes: changes.map((change) => {
          const line = this.#lines.get(change.entityId) ?? this.#openLine(change);
          return { ...change, line, basis: undefined };
        }),
        trace,
        request,
        arrivedAt: this.#context.nextNumber(),
        state: 'waiting',
        looks: 0,
        isGivenUp: false,
        refusals: 0,
        goesAlone: false,
        resolve,
        reject,
      };
      for (const { line } of write.changes) line.waiting.push(write);
      this.#writes.add(write);
      this.#waitingCount += changes.length;
      this.#serve(write);
      this.#context.commitGate.poke();
      void this.#watch();
    });
  }

  get #name(): { readonly table: string; readonly bucket: string } {
    return { table: this.#context.kind.name, bucket: this.#bucket };
  }

  #openLine({ entityId, condition }: EntityChange): EntityLine {
    const row = this.#context.memory.recall(entityId);
    // A create needs no read: the insert tells whether something is there.
    const isSupposed = row !== undefined || condition?.kind === 'absent';
    const line: EntityLine = {
      entityId,
      waiting: [],
      known: isSupposed ? { row, toldAt: NEVER_TOLD } : undefined,
    };
    this.#lines.set(entityId, line);
    return line;
  }

  /** Lets the write take its turn where it is the first of all its lines. */
  #serve(write: PendingWrite): void {
    const lines = write.changes.map(({ line }) => line);
    if (lines.some(({ waiting }) => waiting[0] !== write)) return;
    const unknown = lines.filter(({ known }) => known === undefined);
    if (unknown.length > 0) void this.#read(write, unknown);
    else this.#makeReady(write);
  }

  #makeReady(write: PendingWrite): void {
    write.state = 'ready';
    this.#ready.push(write);
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

  #formGroup(): Group | undefined {
    const taken = this.#takeReady();
    try {
      return this.#pack(taken.filter((write) => this.#goesAhead(write)));
    } catch (error) {
      // Nothing that stands in a row may end the lane: whoever waits for it is told.
      this.#failLines(linesOf(taken.filter(({ state }) => state === 'ready')), error);
      return undefined;
    }
  }

  /** Takes as many as fit, and some more where a transaction among them may leave room that later ones fill. */
  #takeReady(): PendingWrite[] {
    let count = 0;
    let changes = 0;
    let changesMax = CHANGES_WITH_OUTBOX_MAX;
    for (const write of this.#ready) {
      if (changes >= changesMax) break;
      if (write.changes.length > 1) changesMax = CHANGES_TAKEN_MAX;
      changes += write.changes.length;
      count += 1;
    }
    return this.#ready.splice(0, count);
  }

  /** Returns true for a write that is to be packed; any other is answered, or rows of it are being read. */
  #goesAhead(write: PendingWrite): boolean {
    if (write.isGivenUp) {
      this.#leave(write);
      return false;
    }
    const { changes, arrivedAt, request } = write;
    let decision: ChangesDecision;
    try {
      const { kind } = this.#context;
      decision = decideChanges(changes.map(toDecidable), { arrivedAt, request, kind });
    } catch (error) {
      // Nothing that stands in its rows may fail who goes with it: they are read again for who is behind it.
      for (const { line } of changes) this.#forget(line);
      this.#reject(write, error);
      return false;
    }
    if (decision.kind === 'answer') this.#resolve(write, decision.outcome);
    if (decision.kind === 'reread') {
      void this.#read(
        write,
        linesOf([write]).filter((_, place) => decision.places.has(place)),
      );
    }
    if (decision.kind !== 'write') return false;
    for (const [place, change] of changes.entries()) change.basis = decision.bases[place];
    return true;
  }

  #pack(writes: readonly PendingWrite[]): Group | undefined {
    const { kind, replica, hybridClock, wireVersion, largeSets } = this.#context;
    const { group, left, refused } = packGroup(writes, {
      kind,
      replica,
      bucket: this.#bucket,
      wireVersion,
      largeSets,
      tick: (floor) => hybridClock.tick(floor),
      isTooFarAhead: (stamp) => hybridClock.isTooFarAhead(stamp),
    });
    this.#putBack(left);
    for (const { write, error } of refused) this.#reject(write, error);
    return group;
  }

  async #commitGroup(group: Group, leave: Leave): Promise<void> {
    const { store, clock, peers, nextNumber } = this.#context;
    const toldAt = nextNumber();
    const { set, encoded, members, prepared } = group;
    const committedAfterMs = clock.nowMs();
    const entry = { set, encoded, owed: peers, committedAfterMs, parkedFor: undefined };
    for (const write of members) write.state = 'in-group';
    let outcome: ChangeSetOutcome;
    try {
      await this.#settleMarks(members);
    } catch (error) {
      return this.#onFailed(members, errorNotTried(this.#name, error));
    }
    try {
      outcome = await commitChangeSet({ ...entry, prepared }, group.operations, {
        ...this.#context,
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

  /** What was committed with rows that are written over is told by them alone. */
  async #settleMarks(members: readonly PendingWrite[]): Promise<void> {
    const { clock, randomness } = this.#context;
    const rows = members.flatMap(({ changes }) => changes.map(({ basis }) => basis?.stored));
    if (rows.every((row) => row?.prepared === undefined)) return;
    const place = { ...this.#context, bucket: this.#bucket };
    const policy = NOT_DONE_POLICY;
    await retry(() => settleMarks(rows, place), { policy, clock, randomness });
  }

  #onCommitted(
    { members, states, prepared, set }: Group,
    { etags, toldAt }: { etags: readonly (string | undefined)[]; toldAt: number },
  ): void {
    const { memory } = this.#context;
    this.#refusalsInRow = 0;
    let index = 0;
    for (const write of members) {
      const outcomes = write.changes.map(({ line, entityId, basis }) => {
        const state = states[index];
        assert(state !== undefined && basis !== undefined, 'a group has a state for each change');
        const etag = etags[index];
        index += 1;
        const row = { entityId, state, referenceId: undefined };
        const mark = entityId === prepared ? { prepared: set.stamp } : {};
        const stored = etag === undefined ? undefined : { ...row, etag, ...mark };
        line.known = stored && { row: stored, toldAt };
        if (stored === undefined) memory.forget(entityId);
        else memory.remember(stored);
        return toOutcome(basis.operation, row);
      });
      this.#resolve(write, { kind: 'done', outcomes });
    }
  }

  /** Takes the write of which a row was changed out of the group; the rest goes again at once. */
  #onRefused(members: readonly PendingWrite[], index: number): void {
    const { kind, randomness } = this.#context;
    this.#refusalsInRow += 1;
    const plan = decideRefusal(members, index, this.#refusalsInRow);
    assert(plan !== undefined, 'the outbox row of a new stamp was there already');
    this.#putBack(plan.resubmitted);
    for (const write of plan.doubtful) void this.#read(write, rememberedOf(write));
    const { refused: write, place } = plan;
    const change = write.changes[place];
    assert(change !== undefined, 'a write is refused for a row of another');
    const lines = new Set([change.line, ...rememberedOf(write)]);
    // What was only remembered says nothing of how often others write.
    if (change.basis?.isRemembered === true) return void this.#read(write, [...lines]);
    write.refusals += 1;
    const delayMs = retryDelayMs(CONTENTION_POLICY, write.refusals, randomness.fraction());
    if (write.refusals < CONTENTION_POLICY.attemptsMax) {
      return void this.#read(write, [...lines], delayMs);
    }
    this.#forget(change.line);
    this.#reject(write, errorContended(kind.name, change.entityId, write.refusals));
  }

  #onFailed(members: readonly PendingWrite[], error: unknown): void {
    const isFault = error instanceof AppError && isMessageFault(error);
    if (isFault && members.length > 1) {
      // One of them is to blame, and the others are not to pay for it.
      for (const write of members) write.goesAlone = true;
      this.#putBack(members);
      return;
    }
    for (const write of members) {
      for (const line of linesOf([write])) this.#forget(line);
      this.#reject(write, error);
    }
    // Behind a store that gives no answer they would wait in vain, and for ever longer.
    if (!isFault) this.#failReady(errorNotTried(this.#name, error));
  }

  /** Reads rows of a write whose turn it is. */
  async #read(write: PendingWrite, lines: readonly EntityLine[], delayMs = 0): Promise<void> {
    write.state = 'reading';
    for (const line of lines) this.#forget(line);
    try {
      if (delayMs > 0) await this.#context.clock.sleep(delayMs);
    } catch (error) {
      return this.#failLines(lines, error);
    }
    const reads = await Promise.allSettled(lines.map((line) => this.#readLine(line)));
    const failure = reads.find(({ status }) => status === 'rejected');
    if (failure?.status !== 'rejected') return this.#makeReady(write);
    // Who stands behind a transaction is told nothing of a row that is not its own.
    const unread = lines.filter((_, place) => reads[place]?.status === 'rejected');
    this.#failLines(unread, failure.reason);
  }

  async #readLine(line: EntityLine): Promise<void> {
    const { readGate, nextNumber } = this.#context;
    const leave = await readGate.enter();
    try {
      const toldAt = nextNumber();
      line.known = { row: await readRow(line.entityId, this.#context), toldAt };
    } finally {
      leave();
    }
  }

  #forget(line: EntityLine): void {
    line.known = undefined;
    this.#context.memory.forget(line.entityId);
  }

  /** Has the writes served before all others. */
  #putBack(writes: readonly PendingWrite[]): void {
    for (const write of writes) write.state = 'ready';
    this.#ready.unshift(...writes);
  }

  #resolve(write: PendingWrite, outcome: TransactedOf<StateRecord>): void {
    write.resolve(outcome);
    this.#leave(write);
  }

  #reject(write: PendingWrite, error: unknown): void {
    write.reject(error);
    this.#leave(write);
  }

  /** Lets the next of each line that it was the first of take its turn. */
  #leave(write: PendingWrite): void {
    write.state = 'answered';
    this.#writes.delete(write);
    this.#waitingCount -= write.changes.length;
    const next = new Set<PendingWrite>();
    for (const { line } of write.changes) {
      const place = line.waiting.indexOf(write);
      line.waiting.splice(place, 1);
      const [first] = line.waiting;
      if (first === undefined) this.#lines.delete(line.entityId);
      else if (place === 0) next.add(first);
    }
    for (const first of next) this.#serve(first);
  }

  #failReady(error: unknown): void {
    this.#failLines(linesOf(this.#ready.splice(0)), error);
  }

  /** Tells everybody in the lines, the last to come first: so none of them takes its turn before it is told. */
  #failLines(lines: readonly EntityLine[], error: unknown): void {
    const writes = new Set(lines.flatMap(({ waiting }) => waiting));
    const lastFirst = [...writes].sort((a, b) => b.arrivedAt - a.arrivedAt);
    for (const write of lastFirst) this.#reject(write, error);
  }

  /** Tells who waits for too long; looks only while someone waits. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    while (this.#waitingCount > 0) {
      await this.#context.clock.sleep(LOOK_EVERY_MS);
      // The last to come first: so none that is late itself takes the place of one that leaves.
      for (const write of [...this.#writes].reverse()) this.#giveUpLate(write);
    }
    this.#isWatching = false;
  }

  /** Leaves in its place what is past waiting, since a read or a transaction is under way for it. */
  #giveUpLate(write: PendingWrite): void {
    write.looks += 1;
    if (write.isGivenUp || write.looks < LOOKS_MAX) return;
    write.isGivenUp = true;
    const isUnderWay = write.state === 'in-group';
    write.reject(errorLate(this.#name, { waitMs: WRITE_MS_MAX, isUnderWay }));
    if (write.state === 'waiting') this.#leave(write);
  }
}

function linesOf(writes: readonly PendingWrite[]): EntityLine[] {
  return writes.flatMap(({ changes }) => changes.map(({ line }) => line));
}

function rememberedOf({ changes }: PendingWrite): EntityLine[] {
  return changes.flatMap(({ line, basis }) => (basis?.isRemembered === true ? [line] : []));
}

function toDecidable(change: PendingChange): DecidableChange {
  const { known } = change.line;
  assert(known !== undefined, 'a write is ready of which a row is not known');
  return { ...change, known };
}
