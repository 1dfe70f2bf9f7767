import { assert, bucketOf, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { untilTurnEnds } from '@tandem/service-kit';
import {
  createEntityHistory,
  createReplicatedTable,
  createRowMemory,
  isCommitted,
  type ReplicatedTable,
} from '@tandem/storage';
import {
  createVersionGate,
  type ReadVersion,
  type VersionGate,
  whyImpossible,
} from '../consistency/version-gate.ts';
import {
  createCustomerService,
  type CustomerKind,
  type CustomerService,
} from '../customers/customer-service.ts';
import { readReadinessSettings } from '../health/readiness-settings.ts';
import { createRegionReadiness, type RegionReadiness } from '../health/region-readiness.ts';
import { createReceipts, whyForged } from '../receipts/receipts.ts';
import type { Cradle } from './cradle.ts';

/** A point read is the cheapest question there is; no row has this key. */
const PROBED_BUCKET = '00';
const PROBED_ROW = '~probe';

export function createGateOf(cradle: Cradle): VersionGate {
  const { region, publishers, settings, readVersion, clock, stopping } = cradle;
  const regions = [region, ...publishers.map(({ peer }) => peer)];
  const { driftMsMax } = settings;
  return createVersionGate({
    readVersion,
    clock,
    stopping,
    whyImpossible: (version) =>
      whyImpossible(version, { regions, nowMs: clock.nowMs(), driftMsMax }),
  });
}

export function createReadVersion({ tables }: Cradle): ReadVersion {
  const replica = tables.replicas.get(customerKind.name);
  assert(replica !== undefined, 'the region has the table of customers');
  return async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
}

export function createCustomerTable(cradle: Cradle): ReplicatedTable<CustomerKind> {
  const { store, tables, hybridClock, clock, randomness, settings, publishers, tracing } = cradle;
  const { relayQueue, acknowledgements, notices } = cradle;
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: tables.archive,
    hybridClock,
    clock,
    randomness,
    bucketCount: settings.bucketCount,
    memory: createRowMemory({ bytesMax: settings.rowMemoryBytesMax }),
    wireVersion: settings.wireVersion,
    peers: publishers.map(({ peer }) => peer),
    traceOf: tracing.traceOf,
    gather: untilTurnEnds,
    onDamaged: ({ partitionKey, rowKey, problem }) => {
      const key = `${customerKind.name}/${partitionKey}/${rowKey}`;
      notices.note('row-foreign', key, problem);
    },
    onCommitted: (entry) => {
      acknowledgements.committed(entry);
      relayQueue.offer(entry);
    },
  });
}

export function createCustomersOf(cradle: Cradle): CustomerService {
  const { region, customerTable, randomness, readVersion, gate, acknowledgements } = cradle;
  const { store, tables, settings, publishers, configuration, clock, stopping } = cradle;
  return createCustomerService({
    region,
    customers: customerTable,
    randomness,
    readVersion,
    gate,
    acknowledgements,
    receipts: createReceipts({
      region,
      peers: publishers.map(({ peer }) => peer),
      status: tables.status,
      gate,
      readVersion,
      isCommitted: (customerId, stamp) => {
        const { name: entityKind } = customerKind;
        const bucket = bucketOf(customerId, settings.bucketCount);
        const { archive } = tables;
        const get: TableStore['get'] = (...key) => store.get(...key);
        return isCommitted({ entityKind, bucket, stamp }, { get, archive, table: entityKind });
      },
      whyForged: (receipt) =>
        whyForged(receipt, { nowMs: clock.nowMs(), driftMsMax: settings.driftMsMax }),
      clock,
      skewMsMax: () => configuration.get('Receipt.SkewMsMax'),
      driftMsMax: () => configuration.get('Clock.DriftMsMax'),
      stopping,
    }),
    clock,
    isPreconditionRequired: () => configuration.get('Customer.Preconditions') === 'required',
    entityHistory: createEntityHistory({
      archive: tables.archive,
      kind: customerKind,
      bucketCount: settings.bucketCount,
    }),
  });
}

export function createReadinessOf(cradle: Cradle): RegionReadiness {
  const { store, tables, publishers, configuration, clock, logger } = cradle;
  return createRegionReadiness({
    probeTable: () => store.get(customerKind.name, PROBED_BUCKET, PROBED_ROW),
    status: tables.status,
    drill: tables.drill,
    hold: tables.hold,
    hasPeers: publishers.length > 0,
    settings: () => readReadinessSettings(configuration),
    clock,
    logger,
  });
}
