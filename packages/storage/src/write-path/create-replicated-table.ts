import {
  type Archive,
  assert,
  assertNever,
  CHANGES_WITH_OUTBOX_MAX,
  type Clock,
  checkEntityId,
  type EntityKind,
  FULL_WIRE_VERSION,
  type HybridClock,
  type LargeSetBounds,
  newestStamp,
  type OutboxEntry,
  type Randomness,
  type Replica,
  type StoredState,
  stampRegion,
  type TableStore,
  TerminalError,
  type TypedKind,
  toAllFieldValues,
  toEntity,
  toFieldValues,
  WHOLE_WIRE_VERSION,
  WIRE_VERSION,
  type Write,
} from '@tandem/core';
import { checkFilter, listEntities } from '../read/list-entities.ts';
import {
  type EntityRecord,
  OPERATIONS_PER_TRANSACTION_MAX,
  type OutcomeOf,
  PAGE_LIMIT_MAX,
  type ReplicatedTable,
  type StateRecord,
  type TransactedOf,
  type TransactOperation,
  type WriteOutcome,
} from '../replicated-table.ts';
import { type DamagedEntityRow } from '../rows/entity-row.ts';
import { createRowMemory, type RowMemory } from '../tables/row-memory.ts';
import { createTableReplica, readRow, retryRead } from '../tables/table-replica.ts';
import { BucketLane, type LaneContext, type WriteSource } from './bucket-lane.ts';
import { type EntityChange, toLiveRecord } from './decide-write.ts';
import { createAdaptiveLimit, createGate } from './gate.ts';

export interface StateTableOptions {
  readonly kind: EntityKind;
  readonly store: TableStore;
  readonly archive: Archive;
  readonly hybridClock: HybridClock;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly bucketCount: number;
  /**
   * The newest that every region reads, the first by default: from `DEFLATED_WIRE_VERSION` on change sets are
   * deflated, from `BASE_WIRE_VERSION` on a write under the policy `row` owns the whole entity.
   */
  readonly wireVersion?: number;
  /** Says which change sets are large, and where these are cut: those that no message holds by default. */
  readonly largeSets?: LargeSetBounds | undefined;
  /** The regions that every change is owed to. */
  readonly peers: readonly string[];
  /**
   * Resolves when who is about to write has had the time to, such as the end of a turn of the event loop;
   * who comes meanwhile shares the transaction. By default a write of an idle bucket leaves at once.
   */
  readonly gather?: (() => Promise<void>) | undefined;
  /** What is remembered of rows; its own by default. */
  readonly memory?: RowMemory | undefined;
  /** Called once a write is committed; must neither wait nor throw. */
  readonly onCommitted: (entry: OutboxEntry) => void;
  /** Told of each row that a list skips, since it is none of an entity or nobody can read it. */
  readonly onDamaged?: ((row: DamagedEntityRow) => void) | undefined;
  /** The trace that a write made now belongs to; not asked for where nothing is traced. */
  readonly traceOf?: (() => string | undefined) | undefined;
}

/**
 * The table of one entity kind in one region, whatever form the kind has: changes go in, states come out. The typed
 * and the open table are built on it. Throws as `ReplicatedTable` does.
 */
export interface StateTable {
  /** Returns what lives; a tombstone is none. */
  get(entityId: string): Promise<StateRecord | undefined>;
  /** Returns the row, a tombstone too. */
  read(entityId: string): Promise<StoredState | undefined>;
  write(change: EntityChange): Promise<OutcomeOf<StateRecord>>;
  /**
   * Does all of the changes or none: see `ReplicatedTable`. With the fingerprint of a `request` they are not done again
   * where any of their rows was last written by that request: what it was answered is answered, whatever became of it.
   */
  transact(changes: readonly EntityChange[], request?: string): Promise<TransactedOf<StateRecord>>;
  bucketOf(entityId: string): string;
}

/** Returns the table of one kind. The caller makes the table itself exist. */
export function createStateTable(options: StateTableOptions): StateTable {
  const { kind, store, bucketCount } = options;
  const { memory = createRowMemory() } = options;
  const replica: Replica = createTableReplica({ store, kind, bucketCount, memory });
  const { wireVersion = WIRE_VERSION } = options;
  const context = { ...options, wireVersion, memory, replica };
  const laneOf = createLanes(context);
  const sourceOf = (request?: string): WriteSource => ({ trace: options.traceOf?.(), request });
  return {
    async get(entityId) {
      checkEntityId(kind, entityId);
      return toLiveRecord(entityId, await readRow(entityId, context));
    },
    async read(entityId) {
      checkEntityId(kind, entityId);
      return readRow(entityId, context);
    },
    async write(change) {
      const { entityId } = change;
      checkEntityId(kind, entityId);
      const done = await laneOf(replica.bucketOf(entityId)).add([change], sourceOf());
      const [outcome] = done.kind === 'done' ? done.outcomes : [done.outcome];
      assert(outcome !== undefined, 'a write has an outcome');
      return outcome;
    },
    async transact(changes, request) {
      for (const { entityId } of changes) checkEntityId(kind, entityId);
      const bucket = checkTransaction(changes, { kind, replica, wireVersion });
      return laneOf(bucket).add(changes, sourceOf(request));
    },
    bucketOf: (entityId) => replica.bucketOf(entityId),
  };
}

/** Returns the bucket of all of them. Throws `TRANSACTION_INVALID` for what no transaction can hold. */
function checkTransaction(
  operations: readonly EntityChange[],
  { kind, replica, wireVersion }: Pick<LaneContext, 'kind' | 'replica' | 'wireVersion'>,
): string {
  const [first] = operations;
  if (first === undefined) {
    throw invalid(kind, 'has no operation. Give it at least one');
  }
  if (operations.length > OPERATIONS_PER_TRANSACTION_MAX) {
    const figures = `has ${operations.length} operations, the limit is ${OPERATIONS_PER_TRANSACTION_MAX}`;
    throw invalid(kind, `${figures}. Split it`);
  }
  if (operations.length > 1 && wireVersion < WHOLE_WIRE_VERSION) {
    const versions = `${WHOLE_WIRE_VERSION}, and Messages.WireVersion is ${wireVersion}`;
    throw invalid(
      kind,
      `has ${operations.length} operations, which needs wire version ${versions}: a region that does not know it ` +
        'could do one half. Upgrade every region, then raise the setting; until then write one by one',
    );
  }
  if (operations.length > CHANGES_WITH_OUTBOX_MAX && wireVersion < FULL_WIRE_VERSION) {
    const figures = `has ${operations.length} operations, the limit is ${CHANGES_WITH_OUTBOX_MAX} up to`;
    throw invalid(
      kind,
      `${figures} wire version ${FULL_WIRE_VERSION}, and Messages.WireVersion is ${wireVersion}. Split it, or ` +
        'upgrade every region and raise the setting',
    );
  }
  const bucket = replica.bucketOf(first.entityId);
  const places = new Map<string, number>();
  for (const [index, { entityId }] of operations.entries()) {
    const before = places.get(entityId);
    if (before !== undefined) {
      const both = `operations ${before} and ${index} are both of ${JSON.stringify(entityId)}`;
      throw invalid(kind, `names an entity twice: ${both}. Join them into one`);
    }
    places.set(entityId, index);
    const own = replica.bucketOf(entityId);
    if (own === bucket) continue;
    throw invalid(
      kind,
      `is of one bucket: operation ${index}, ${JSON.stringify(entityId)}, lies in "${own}" and operation 0 in ` +
        `"${bucket}". Write them apart, or give them ids that share a bucket`,
    );
  }
  return bucket;
}

function invalid({ name }: EntityKind, what: string): TerminalError {
  return new TerminalError('TRANSACTION_INVALID', `A transaction of ${name} ${what}.`);
}

const READS_AT_ONCE_MAX = 32;
/** A transaction takes milliseconds; one that takes this long hangs. */
const STAY_MS_MAX = 250;

/** Returns what finds the lane of a bucket. The lanes of a table share its gates. */
function createLanes(
  options: Omit<LaneContext, 'commitGate' | 'readGate' | 'nextNumber'>,
): (bucket: string) => BucketLane {
  const { clock } = options;
  const limit = createAdaptiveLimit();
  let number = 0;
  const context: LaneContext = {
    ...options,
    commitGate: createGate({
      insideMax: limit.current,
      stayMsMax: STAY_MS_MAX,
      clock,
      onLeft: (stayMs, effort) => limit.note(stayMs, effort),
    }),
    readGate: createGate({ insideMax: () => READS_AT_ONCE_MAX, stayMsMax: STAY_MS_MAX, clock }),
    nextNumber: () => (number += 1),
  };
  const lanes = new Map<string, BucketLane>();
  return (bucket) => {
    const lane = lanes.get(bucket) ?? new BucketLane(bucket, context);
    lanes.set(bucket, lane);
    return lane;
  };
}

export interface ReplicatedTableOptions<K extends TypedKind> extends StateTableOptions {
  readonly kind: K;
}

/** Returns the replicated table of one typed kind. The caller makes the table itself exist. */
export function createReplicatedTable<K extends TypedKind>(
  options: ReplicatedTableOptions<K>,
): ReplicatedTable<K> {
  const { kind, store, bucketCount } = options;
  const states = createStateTable(options);
  const told = (outcome: OutcomeOf<StateRecord>): WriteOutcome<K> =>
    mapOutcome(outcome, (record) => toRecord(kind, record));
  const toChange = (operation: TransactOperation<K>): EntityChange => {
    const { entityId, condition } = operation;
    checkEntityId(kind, entityId);
    return { entityId, condition, write: toWrite(kind, operation) };
  };
  const write = async (operation: TransactOperation<K>): Promise<WriteOutcome<K>> =>
    told(await states.write(toChange(operation)));

  return {
    async get(entityId) {
      const record = await states.get(entityId);
      return record && toRecord(kind, record);
    },
    put: (entityId, entity, condition) => write({ kind: 'put', entityId, entity, condition }),
    patch: (entityId, changes, condition) => write({ kind: 'patch', entityId, changes, condition }),
    remove: (entityId, condition) => write({ kind: 'remove', entityId, condition }),
    bucketOf: (entityId) => states.bucketOf(entityId),
    async transact(operations) {
      const done = await states.transact(operations.map(toChange));
      return mapTransacted(done, (record) => toRecord(kind, record));
    },
    forget: async (entityId) =>
      told(await states.write({ entityId, condition: undefined, write: { kind: 'forget' } })),
    async list(limit, cursor, filter = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) {
        throw new TerminalError('ENTITY_INVALID', `A page has 1 to ${PAGE_LIMIT_MAX} entities.`);
      }
      checkFilter(kind, filter);
      const { onDamaged } = options;
      const asked = { store, kind, bucketCount, limit, cursor, filter, onDamaged };
      const page = await retryRead(() => listEntities(asked), options);
      const records = page.rows.map(({ entityId, row }) => toRecord(kind, { entityId, ...row }));
      return { records, cursor: page.cursor };
    },
  };
}

function toRecord<K extends TypedKind>(kind: K, record: StateRecord): EntityRecord<K> {
  const { entityId, state, referenceId } = record;
  return {
    entityId,
    entity: toEntity(kind, state),
    version: state.vector,
    origin: originOf(state.vector),
    referenceId,
  };
}

/** Returns the region of the newest transaction. */
function originOf(vector: StoredState['state']['vector']): string {
  const newest = newestStamp(vector);
  return newest === undefined ? '' : stampRegion(newest);
}

function toWrite<K extends TypedKind>(kind: K, operation: TransactOperation<K>): Write {
  switch (operation.kind) {
    case 'put':
      return {
        kind: 'put',
        values: toAllFieldValues(kind, operation.entity),
        keeps: kind.keptFields,
      };
    case 'patch':
      return { kind: 'patch', values: toFieldValues(kind, operation.changes) };
    case 'remove':
      return { kind: 'delete' };
    default:
      return assertNever(operation);
  }
}

/** Tells the same outcome with another form of its records. */
export function mapOutcome<R, S>(outcome: OutcomeOf<R>, map: (record: R) => S): OutcomeOf<S> {
  switch (outcome.kind) {
    case 'created':
    case 'replaced':
    case 'unchanged':
      return { kind: outcome.kind, record: map(outcome.record) };
    case 'condition-failed': {
      const { current } = outcome;
      return { kind: outcome.kind, current: current === undefined ? undefined : map(current) };
    }
    case 'deleted':
    case 'not-found':
      return outcome;
    default:
      return assertNever(outcome);
  }
}

/** Tells the same outcome of a transaction with another form of its records. */
export function mapTransacted<R, S>(done: TransactedOf<R>, map: (record: R) => S): TransactedOf<S> {
  if (done.kind === 'done') {
    return { kind: 'done', outcomes: done.outcomes.map((outcome) => mapOutcome(outcome, map)) };
  }
  const { index, outcome } = done;
  if (outcome.kind === 'not-found') return { kind: 'refused', index, outcome };
  const current = outcome.current === undefined ? undefined : map(outcome.current);
  return { kind: 'refused', index, outcome: { kind: outcome.kind, current } };
}
