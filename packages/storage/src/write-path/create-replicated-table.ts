import {
  type Archive,
  type Clock,
  checkEntityId,
  type EntityKind,
  type HybridClock,
  type OutboxEntry,
  type Randomness,
  type TableStore,
  TerminalError,
  toAllFieldValues,
  toFieldValues,
  WIRE_VERSION,
} from '@tandem/core';
import { createRowMemory, type RowMemory } from '../replica/row-memory.ts';
import { createTableReplica, readRow, retryRead } from '../replica/table-replica.ts';
import { PAGE_LIMIT_MAX, type ReplicatedTable, type WriteOutcome } from '../replicated-table.ts';
import type { DamagedEntityRow } from '../rows/entity-row.ts';
import { listEntities } from '../table/list-entities.ts';
import { BucketLane, type LaneContext } from './bucket-lane.ts';
import { type EntityChange, toLiveRecord, toRecord } from './decide-write.ts';
import { createAdaptiveLimit, createGate } from './gate.ts';

export interface ReplicatedTableOptions<K extends EntityKind> {
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
export function createReplicatedTable<K extends EntityKind>(
  options: ReplicatedTableOptions<K>,
): ReplicatedTable<K> {
  const { kind, store, bucketCount } = options;
  const { memory = createRowMemory() } = options;
  const replica = createTableReplica({ store, kind, bucketCount, memory });
  const { wireVersion = WIRE_VERSION } = options;
  const context = { ...options, wireVersion, memory, replica };
  const laneOf = createLanes(context);

  const write = (change: EntityChange): Promise<WriteOutcome<K>> => {
    const { entityId } = change;
    checkEntityId(kind, entityId);
    return laneOf(replica.bucketOf(entityId)).add(change, options.traceOf?.());
  };

  return {
    async get(entityId) {
      checkEntityId(kind, entityId);
      return toLiveRecord(kind, entityId, await readRow(entityId, context));
    },
    async put(entityId, entity, condition) {
      const values = toAllFieldValues(kind, entity);
      return write({ entityId, condition, write: { kind: 'put', values, keeps: kind.keptFields } });
    },
    async patch(entityId, changes, condition) {
      const values = toFieldValues(kind, changes);
      return write({ entityId, condition, write: { kind: 'patch', values } });
    },
    remove: async (entityId, condition) =>
      write({ entityId, condition, write: { kind: 'delete' } }),
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

const READS_AT_ONCE_MAX = 32;
/** A transaction takes milliseconds; one that takes this long hangs. */
const STAY_MS_MAX = 250;

/** Returns what finds the lane of a bucket. The lanes of a table share its gates. */
function createLanes<K extends EntityKind>(
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
