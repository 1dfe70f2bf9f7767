import type { Clock, Randomness, TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createEntityHistory,
  createTableArchive,
  createTableReplica,
  createTableReplicationStatus,
  type ReplicatedTable,
} from '@tandem/storage';
import { type Acknowledgements, createAcknowledgements } from '../consistency/acknowledgements.ts';
import { createReceipts } from '../receipts/receipts.ts';
import { createVersionGate, type ReadVersion } from '../consistency/version-gate.ts';
import {
  createCustomerService,
  type CustomerKind,
  type CustomerService,
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

/** The service of one region over what a test made. */
export function customersOver(options: CustomersOverOptions): CustomerService {
  const { region, table, store, bucketCount, randomness, clock } = options;
  const replica = createTableReplica({ store, kind: customerKind, bucketCount });
  const readVersion: ReadVersion = async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
  return createCustomerService({
    region,
    customers: table,
    randomness,
    readVersion,
    gate: createVersionGate({ clock, readVersion }),
    acknowledgements: options.acknowledgements ?? createAcknowledgements({ clock }),
    receipts: createReceipts({
      region,
      peers: options.peers ?? [],
      status: createTableReplicationStatus({ store }),
      clock,
      skewMsMax: () => 0,
    }),
    clock: options.wallClock ?? clock,
    isPreconditionRequired: () => options.isPreconditionRequired ?? false,
    entityHistory: createEntityHistory({
      archive: createTableArchive({ store }),
      kind: customerKind,
      bucketCount,
    }),
  });
}
