import type { Clock, Randomness, TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  type Acknowledgements,
  createAcknowledgements,
  createReceipts,
  createRegionTable,
  createVersionGate,
  type ReadVersion,
  whyForged,
  whyImpossible,
} from '@tandem/region/testing';
import {
  createEntityHistory,
  createTableArchive,
  createTableReplica,
  createTableReplicationStatus,
  isCommitted,
  type ReplicatedTable,
} from '@tandem/storage';
import {
  type CustomerKind,
  type CustomerService,
  createCustomerService,
} from '../customers/customer-service.ts';

interface CustomersOverOptions {
  readonly region: string;
  readonly table: ReplicatedTable<CustomerKind>;
  readonly store: TableStore;
  readonly bucketCount: number;
  readonly randomness: Randomness;
  readonly clock: Clock;
  readonly acknowledgements?: Acknowledgements;
  readonly peers?: readonly string[];
  /** What writes are acknowledged by, where it is another than the one that waits. */
  readonly wallClock?: Pick<Clock, 'nowMs'>;
  readonly isPreconditionRequired?: boolean;
}

const DRIFT_MS_MAX = 60_000;

/** The service of one region over what a test made. */
export function customersOver(options: CustomersOverOptions): CustomerService {
  const { region, table, store, bucketCount, randomness, clock } = options;
  const replica = createTableReplica({ store, kind: customerKind, bucketCount });
  const readVersion: ReadVersion = async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
  const { wallClock = clock, peers = [] } = options;
  const gate = createVersionGate({
    clock,
    readVersion,
    whyImpossible: (version) => whyImpossible(version, { ...bounds, nowMs: wallClock.nowMs() }),
  });
  const bounds = { regions: [region, ...peers], driftMsMax: DRIFT_MS_MAX };
  const customers = createRegionTable({
    region,
    table,
    readVersion,
    gate,
    acknowledgements: options.acknowledgements ?? createAcknowledgements({ clock }),
    receipts: createReceipts({
      region,
      peers,
      status: createTableReplicationStatus({ store }),
      driftMsMax: () => DRIFT_MS_MAX,
      gate,
      readVersion,
      isCommitted: (customerId, stamp) => {
        const { name: entityKind } = customerKind;
        const bucket = replica.bucketOf(customerId);
        const get: TableStore['get'] = (...key) => store.get(...key);
        const archive = createTableArchive({ store });
        return isCommitted({ entityKind, bucket, stamp }, { get, archive, kind: customerKind });
      },
      clock,
      whyForged: (receipt) => whyForged(receipt, { ...bounds, nowMs: wallClock.nowMs() }),
      skewMsMax: () => 0,
    }),
    clock: wallClock,
    entityHistory: createEntityHistory({
      archive: createTableArchive({ store }),
      kind: customerKind,
      bucketCount,
    }),
  });
  return createCustomerService({
    customers: () => customers,
    randomness,
    isPreconditionRequired: () => options.isPreconditionRequired ?? false,
  });
}
