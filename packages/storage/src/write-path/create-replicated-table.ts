import {
  type Archive,
  assert,
  assertNever,
  type Clock,
  checkEntityId,
  type EntityKind,
  type HybridClock,
  type OutboxEntry,
  type Randomness,
  type TableStore,
  TerminalError,
  type TypedKind,
  toAllFieldValues,
  toFieldValues,
  WHOLE_WIRE_VERSION,
  WIRE_VERSION,
  type Write,
} from '@tandem/core';
import { createRowMemory, type RowMemory } from '../replica/row-memory.ts';
import { createTableReplica, readRow, retryRead } from '../replica/table-replica.ts';
import {
  OPERATIONS_PER_TRANSACTION_MAX,
  PAGE_LIMIT_MAX,
  type ReplicatedTable,
  type TransactOperation,
  type WriteOutcome,
} from '../replicated-table.ts';
import type { DamagedEntityRow } from '../rows/entity-row.ts';
import { listEntities } from '../table/list-entities.ts';
import { BucketLane, type LaneContext } from './bucket-lane.ts';
import { type EntityChange, toLiveRecord, toRecord } from './decide-write.ts';
import { createAdaptiveLimit, createGate } from './gate.ts';

export interface ReplicatedTableOptions<K extends TypedKind> {
  readonly kind: K;
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

/** Returns the replicated table of one kind. The caller makes the table itself exist. */
export function createReplicatedTable<K extends TypedKind>(
  options: ReplicatedTableOptions<K>,
): ReplicatedTable<K> {
  const { kind, store, bucketCount } = options;
  const { memory = createRowMemory() } = options;
  const replica = createTableReplica({ store, kind, bucketCount, memory });
  const { wireVersion = WIRE_VERSION } = options;
  const context = { ...options, wireVersion, memory, replica };
  const laneOf = createLanes(context);

  const write = async (change: EntityChange): Promise<WriteOutcome<K>> => {
    const { entityId } = change;
    checkEntityId(kind, entityId);
    const done = await laneOf(replica.bucketOf(entityId)).add([change], options.traceOf?.());
    const [outcome] = done.kind === 'done' ? done.outcomes : [done.outcome];
    assert(outcome !== undefined, 'a write has an outcome');
    return outcome;
  };
  const toChange = (operation: TransactOperation<K>): EntityChange => {
    const { entityId, condition } = operation;
    checkEntityId(kind, entityId);
    return { entityId, condition, write: toWrite(kind, operation) };
  };

  return {
    async get(entityId) {
      checkEntityId(kind, entityId);
      return toLiveRecord(kind, entityId, await readRow(entityId, context));
    },
    put: async (entityId, entity, condition) =>
      write(toChange({ kind: 'put', entityId, entity, condition })),
    patch: async (entityId, changes, condition) =>
      write(toChange({ kind: 'patch', entityId, changes, condition })),
    remove: async (entityId, condition) => write(toChange({ kind: 'remove', entityId, condition })),
    bucketOf: (entityId) => replica.bucketOf(entityId),
    async transact(operations) {
      const bucket = checkTransaction(operations, { kind, replica, wireVersion });
      return laneOf(bucket).add(operations.map(toChange), options.traceOf?.());
    },
    forget: async (entityId) =>
      write({ entityId, condition: undefined, write: { kind: 'forget' } }),
    async list(limit, cursor, filter = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) {
        throw new TerminalError('ENTITY_INVALID', `A page has 1 to ${PAGE_LIMIT_MAX} entities.`);
      }
      const { onDamaged } = options;
      const asked = { store, kind, bucketCount, limit, cursor, filter, onDamaged };
      const page = await retryRead(() => listEntities(asked), options);
      const records = page.rows.map(({ entityId, row }) => toRecord(kind, entityId, row));
      return { records, cursor: page.cursor };
    },
  };
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

/** Returns the bucket of all of them. Throws `TRANSACTION_INVALID` for what no transaction can hold. */
function checkTransaction<K extends TypedKind>(
  operations: readonly TransactOperation<K>[],
  { kind, replica, wireVersion }: Pick<LaneContext<K>, 'kind' | 'replica' | 'wireVersion'>,
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
function createLanes<K extends TypedKind>(
  options: Omit<LaneContext<K>, 'commitGate' | 'readGate' | 'nextNumber'>,
): (bucket: string) => BucketLane<K> {
  const { clock } = options;
  const limit = createAdaptiveLimit();
  let number = 0;
  const context: LaneContext<K> = {
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
  const lanes = new Map<string, BucketLane<K>>();
  return (bucket) => {
    const lane = lanes.get(bucket) ?? new BucketLane(bucket, context);
    lanes.set(bucket, lane);
    return lane;
  };
}
