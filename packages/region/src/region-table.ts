import {
  assert,
  type Clock,
  type EntityKind,
  type EntityOf,
  entityBucketOf,
  type TableStore,
  type TypedKind,
  type VersionVector,
} from '@tandem/core';
import {
  createEntityHistory,
  type EntityHistory,
  type EntityRecord,
  type HistoryPage,
  isCommitted,
  type ReplicatedTable,
  type WriteOutcome,
} from '@tandem/storage';
import type {
  Acknowledgement,
  AcknowledgementAsked,
  Acknowledgements,
} from './consistency/acknowledgements.ts';
import {
  createReceipts,
  decodeReceipt,
  encodeReceipt,
  type ReceiptAnswer,
  type Receipts,
  type WriteReceipt,
  whyForged,
} from './consistency/receipts.ts';
import {
  createVersionGate,
  type Reach,
  type ReadVersion,
  type VersionGate,
  type Wait,
  whyImpossible,
} from './consistency/version-gate.ts';
import type { PreparedRegion } from './prepare-region.ts';
import { bucketCountOf, type RegionTables } from './region-tables.ts';

/** A creation that may be repeated, in any region, and makes one entity. */
export interface Creation<K extends TypedKind> {
  /** Follows from what names the request, such as a key of its caller: the same for each repetition. */
  readonly entityId: string;
  readonly entity: Partial<EntityOf<K>>;
  /** Is a text field of the kind, one of its `keptFields`, in which the digest is kept. */
  readonly digestField: keyof EntityOf<K> & string;
  /** Tells the request from another one of the same id. */
  readonly digest: string;
}

export type CreateOutcome<K extends TypedKind> =
  | Extract<WriteOutcome<K>, { kind: 'created' }>
  /** The same request has created this entity before. */
  | { readonly kind: 'replayed'; readonly record: EntityRecord<K> }
  /** Another request has created the entity under this id. */
  | { readonly kind: 'key-reused' }
  /** The entity that the request created was deleted since. */
  | { readonly kind: 'key-spent' }
  /** Someone has made an entity under this id, and not by `createOnce`. */
  | { readonly kind: 'id-taken' };

/** The table of one entity kind in one region, and what callers may ask of what they wrote and saw. */
export interface RegionTable<K extends TypedKind> extends ReplicatedTable<K> {
  /** Creates an entity, or says what an earlier request under the same id made. Throws as `put` does. */
  createOnce(creation: Creation<K>): Promise<CreateOutcome<K>>;
  /**
   * Returns what this region has archived of one entity, deleted or not, oldest first; undefined for one that
   * it never had.
   */
  history(entityId: string, limit: number, cursor?: string): Promise<HistoryPage<K> | undefined>;
  /** Says whether this region shows at least `least` of the entity, within the wait; see `VersionGate`. */
  reach(entityId: string, least: VersionVector, wait: Wait): Promise<Reach>;
  /** Resolves to what a write of this process, with this version, reaches in the time given. */
  acknowledgementOf(version: VersionVector, asked: AcknowledgementAsked): Promise<Acknowledgement>;
  /** Makes the receipt of a write that was acknowledged just now. */
  receiptFor(entityId: string, version: VersionVector): string;
  /** Returns what a receipt says; undefined for what is no receipt of this entity. */
  readReceipt(entityId: string, receipt: string): WriteReceipt | undefined;
  /** Tells where a write has been applied, as `Receipts` does. */
  whereApplied(entityId: string, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
}

export interface RegionTableOptions<K extends TypedKind> {
  readonly region: string;
  readonly table: ReplicatedTable<K>;
  readonly entityHistory: EntityHistory<K>;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly acknowledgements: Pick<Acknowledgements, 'reached'>;
  readonly receipts: Receipts;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Adds to a replicated table what the callers of a region ask. Reads and writes are the table's own. */
export function createRegionTable<K extends TypedKind>(
  options: RegionTableOptions<K>,
): RegionTable<K> {
  const { region, table, entityHistory, readVersion, gate, acknowledgements, clock } = options;
  return {
    ...table,
    async createOnce({ entityId, entity, digestField, digest }) {
      const judge = (current: EntityRecord<K> | undefined): CreateOutcome<K> =>
        judgeRepetition(current, { digestField, digest });
      const isUsed = (await readVersion(entityId)) !== undefined;
      if (isUsed) return judge(await table.get(entityId));
      const body = { ...entity, [digestField]: digest };
      const outcome = await table.put(entityId, body, { kind: 'absent' });
      if (outcome.kind === 'created') return outcome;
      assert(outcome.kind === 'condition-failed', 'a creation is done or refused');
      return judge(outcome.current);
    },
    async history(entityId, limit, cursor) {
      const page = await entityHistory.read(entityId, limit, cursor);
      const isNothing = page.entries.length === 0 && page.cursor === undefined;
      if (!isNothing || cursor !== undefined) return page;
      // The archive follows the row, and outlives it.
      return (await readVersion(entityId)) === undefined ? undefined : page;
    },
    reach: (entityId, least, wait) => gate.reach(entityId, least, wait),
    async acknowledgementOf(version, asked) {
      const own = version.get(region);
      if (own === undefined) return { level: 'local', peers: [] };
      return acknowledgements.reached(own, asked);
    },
    receiptFor: (entityId, version) =>
      encodeReceipt(entityId, { version, acknowledgedMs: clock.nowMs() }),
    readReceipt: (entityId, receipt) => decodeReceipt(entityId, receipt),
    whereApplied: (entityId, receipt, wait) =>
      options.receipts.whereApplied(entityId, receipt, wait),
  };
}

/**
 * Only `createOnce` leaves a digest, whatever is written over it since. An entity without one is another's:
 * an id that follows from a key is no secret, so anybody may have made it.
 */
function judgeRepetition<K extends TypedKind>(
  current: EntityRecord<K> | undefined,
  { digestField, digest }: Pick<Creation<K>, 'digestField' | 'digest'>,
): CreateOutcome<K> {
  if (current === undefined) return { kind: 'key-spent' };
  const first: unknown = current.entity[digestField];
  if (first === null || first === undefined) return { kind: 'id-taken' };
  return first === digest ? { kind: 'replayed', record: current } : { kind: 'key-reused' };
}

/** Returns the version that an outcome left; undefined when nothing is there of which it could be. */
export function versionOf<K extends TypedKind>(
  outcome: WriteOutcome<K> | CreateOutcome<K>,
): VersionVector | undefined {
  if (outcome.kind === 'deleted') return outcome.version;
  return 'record' in outcome ? outcome.record.version : undefined;
}

interface RegionTableParts {
  readonly region: string;
  readonly peers: readonly string[];
  readonly store: TableStore;
  readonly tables: RegionTables;
  readonly opened: PreparedRegion;
  readonly acknowledgements: Acknowledgements;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** Opens what the callers of one table ask, each of a gate and of receipts of their own. */
export function openRegionTable<K extends TypedKind>(
  kind: K,
  table: ReplicatedTable<K>,
  parts: RegionTableParts,
): RegionTable<K> {
  const { region, peers, store, tables, opened, acknowledgements, clock, stopping } = parts;
  const { configuration, settings } = opened;
  const { driftMsMax } = settings;
  const bucketCount = bucketCountOf(kind.name, settings);
  const { archive, status } = tables;
  const readVersion = readVersionOf(kind, tables);
  const regions = [region, ...peers];
  const gate = createVersionGate({
    readVersion,
    clock,
    stopping,
    whyImpossible: (version) =>
      whyImpossible(version, { regions, nowMs: clock.nowMs(), driftMsMax }),
  });
  const receipts = createReceipts({
    region,
    peers,
    status,
    gate,
    readVersion,
    isCommitted: (entityId, stamp) => {
      const bucket = entityBucketOf(kind, entityId, bucketCount);
      const get: TableStore['get'] = (...key) => store.get(...key);
      const place = { entityKind: kind.name, bucket, stamp };
      return isCommitted(place, { get, archive, table: kind.name });
    },
    whyForged: (receipt) => whyForged(receipt, { nowMs: clock.nowMs(), driftMsMax }),
    clock,
    skewMsMax: () => configuration.get('Receipt.SkewMsMax'),
    driftMsMax: () => configuration.get('Clock.DriftMsMax'),
    stopping,
  });
  const entityHistory = createEntityHistory({ archive, kind, bucketCount });
  return createRegionTable({
    region,
    table,
    entityHistory,
    readVersion,
    gate,
    acknowledgements,
    receipts,
    clock,
  });
}

function readVersionOf(kind: EntityKind, { replicas }: RegionTables): ReadVersion {
  const replica = replicas.get(kind.name);
  assert(replica !== undefined, `the region has the table ${kind.name}`);
  return async (entityId) => {
    const rows = await replica.read(replica.bucketOf(entityId), [entityId]);
    return rows.get(entityId)?.state.vector;
  };
}
