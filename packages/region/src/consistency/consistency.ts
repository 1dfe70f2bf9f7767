// What callers may ask of the rows that they wrote and saw, whatever form the kind of the table has.
import {
  assert,
  type Clock,
  type EntityKind,
  entityBucketOf,
  mergeVectors,
  peersOfKind,
  type TableStore,
  type VersionVector,
} from '@tandem/core';
import { isCommitted } from '@tandem/storage';
import type { PreparedRegion } from '../prepare-region.ts';
import { bucketCountOf, type RegionTables } from '../region-tables.ts';
import type {
  Acknowledgement,
  AcknowledgementAsked,
  Acknowledgements,
} from './acknowledgements.ts';
import {
  createReceipts,
  decodeReceipt,
  encodeReceipt,
  type ReceiptAnswer,
  type Receipts,
  type WriteReceipt,
  whyForged,
} from './receipts.ts';
import {
  createVersionGate,
  type Reach,
  type ReadVersion,
  type VersionGate,
  type Wait,
  whyImpossible,
} from './version-gate.ts';

export interface Consistency {
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

export interface ConsistencyOptions {
  readonly region: string;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly acknowledgements: Pick<Acknowledgements, 'reached'>;
  readonly receipts: Receipts;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function createConsistency(options: ConsistencyOptions): Consistency {
  const { region, gate, acknowledgements, receipts, clock } = options;
  return {
    reach: (entityId, least, wait) => gate.reach(entityId, least, wait),
    async acknowledgementOf(version, asked) {
      const own = version.get(region);
      if (own === undefined) return { level: 'local', peers: [] };
      return acknowledgements.reached(own, asked);
    },
    receiptFor: (entityId, version) =>
      encodeReceipt(entityId, { version, acknowledgedMs: clock.nowMs() }),
    readReceipt: (entityId, receipt) => decodeReceipt(entityId, receipt),
    whereApplied: (entityId, receipt, wait) => receipts.whereApplied(entityId, receipt, wait),
  };
}

/** What every table of a process is opened with. */
export interface ConsistencyParts {
  readonly region: string;
  readonly peers: readonly string[];
  readonly store: TableStore;
  readonly tables: RegionTables;
  readonly opened: PreparedRegion;
  readonly acknowledgements: Acknowledgements;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/**
 * Opens what is asked of the rows of one kind, of a gate and of receipts of their own; of a table that moves between two, of the
 * join of its rows in both.
 */
export function openConsistency(
  kind: EntityKind,
  parts: ConsistencyParts,
  other?: EntityKind,
): ConsistencyOptions {
  const { region, store, tables, opened, acknowledgements, clock, stopping } = parts;
  const peers = peersOfKind(kind.name, parts.peers);
  const { configuration, settings } = opened;
  const { driftMsMax } = settings;
  const kinds = other === undefined ? [kind] : [kind, other];
  const { archive, status } = tables;
  const readVersion = readVersionOf(kinds, tables);
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
    async isCommitted(entityId, stamp) {
      const get: TableStore['get'] = (...key) => store.get(...key);
      for (const one of kinds) {
        const bucket = entityBucketOf(one, entityId, bucketCountOf(one.name, settings));
        const place = { entityKind: one.name, bucket, stamp };
        if (await isCommitted(place, { get, archive, kind: one })) return true;
      }
      return false;
    },
    whyForged: (receipt) => whyForged(receipt, { nowMs: clock.nowMs(), driftMsMax }),
    clock,
    skewMsMax: () => configuration.get('Receipt.SkewMsMax'),
    driftMsMax: () => configuration.get('Clock.DriftMsMax'),
    stopping,
  });
  return { region, readVersion, gate, acknowledgements, receipts, clock };
}

function readVersionOf(kinds: readonly EntityKind[], { replicas }: RegionTables): ReadVersion {
  const own = kinds.map(({ name }) => {
    const replica = replicas.get(name);
    assert(replica !== undefined, `the region has the table ${name}`);
    return replica;
  });
  return async (entityId) => {
    const found = await Promise.all(
      own.map(async (replica) => {
        const rows = await replica.read(replica.bucketOf(entityId), [entityId]);
        return rows.get(entityId)?.state.vector;
      }),
    );
    const known = found.filter((version) => version !== undefined);
    return known.length === 0 ? undefined : known.reduce(mergeVectors);
  };
}
