import { assert, type Randomness, type VersionVector } from '@tandem/core';
import type { customerKind } from '@tandem/core/customers';
import type {
  Acknowledgement,
  AcknowledgementAsked,
  CreateOutcome as CreateOutcomeOf,
  Reach,
  ReceiptAnswer,
  RegionTable,
  Wait,
  WriteReceipt,
} from '@tandem/region';
import type {
  EntityPage,
  EntityRecord,
  HistoryPage,
  ListFilter,
  TransactOperation,
  TransactOutcome,
  WriteCondition,
  WriteOutcome,
} from '@tandem/storage';
import { creationDigest, customerIdOf } from '../idempotency/idempotency-key.ts';
import type { CustomerBody, CustomerPatch } from '../routes/customers-schema.ts';

export type CustomerKind = typeof customerKind;
export type CustomerRecord = EntityRecord<CustomerKind>;
export type CustomerOutcome = WriteOutcome<CustomerKind>;

export type CustomerOperation = TransactOperation<CustomerKind>;

export type CreateOutcome = CreateOutcomeOf<CustomerKind>;

/** The customers of this region. Ids are GUIDs in any case, and kept in lower case. */
export interface CustomerService {
  /**
   * Under a new id. With a key, which no other request may have, the id follows from the key: so the
   * request may be repeated, in any region, and makes one customer.
   */
  create(customer: CustomerBody, key?: string): Promise<CreateOutcome>;
  get(customerId: string): Promise<CustomerRecord | undefined>;
  put(
    customerId: string,
    customer: CustomerBody,
    condition?: WriteCondition,
  ): Promise<CustomerOutcome>;
  patch(
    customerId: string,
    changes: CustomerPatch,
    condition?: WriteCondition,
  ): Promise<CustomerOutcome>;
  remove(customerId: string, condition?: WriteCondition): Promise<CustomerOutcome>;
  /** Does all of the operations or none; see `ReplicatedTable`. */
  transact(operations: readonly CustomerOperation[]): Promise<TransactOutcome<CustomerKind>>;
  list(
    limit: number,
    cursor?: string,
    filter?: ListFilter<CustomerKind>,
  ): Promise<EntityPage<CustomerKind>>;
  /** What this region has archived of one customer, oldest first; undefined for one that it never had. */
  history(
    customerId: string,
    limit: number,
    cursor?: string,
  ): Promise<HistoryPage<CustomerKind> | undefined>;
  /** Whether this region shows at least `least`, within the wait; see `VersionGate`. */
  reach(customerId: string, least: VersionVector, wait: Wait): Promise<Reach>;
  /** Resolves to what a write of this process, with this version, reaches in the time given. */
  acknowledgementOf(version: VersionVector, asked: AcknowledgementAsked): Promise<Acknowledgement>;
  /** Makes the receipt of a write that was acknowledged just now. */
  receiptFor(customerId: string, version: VersionVector): string;
  /** Undefined for what is no receipt of this customer. */
  readReceipt(customerId: string, receipt: string): WriteReceipt | undefined;
  whereApplied(customerId: string, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
  /** Whether a write over what may be there has to name what it is based on. */
  isPreconditionRequired(): boolean;
}

interface CustomerServiceOptions {
  /** Throws `TABLE_UNAVAILABLE` until the region is open. */
  readonly customers: () => RegionTable<CustomerKind>;
  readonly randomness: Randomness;
  /** Asked for each time: the setting may be refreshed. */
  readonly isPreconditionRequired: () => boolean;
}

/**
 * Returns the customers of a region whose tables and settings may not have been read yet: until then every
 * call throws `TABLE_UNAVAILABLE`, so a process that starts during an outage is up, and says so.
 */
export function createCustomerService(options: CustomerServiceOptions): CustomerService {
  const { customers, randomness } = options;
  return {
    async create(customer, key) {
      if (key !== undefined) {
        return customers().createOnce({
          entityId: customerIdOf(key),
          entity: customer,
          digestField: 'creationDigest',
          digest: creationDigest(customer),
        });
      }
      const outcome = await customers().put(randomness.uuid(), customer, { kind: 'absent' });
      assert(outcome.kind === 'created', 'a new random id was taken already');
      return outcome;
    },
    get: async (customerId) => customers().get(customerId.toLowerCase()),
    put: async (customerId, customer, condition) =>
      customers().put(customerId.toLowerCase(), customer, condition),
    patch: async (customerId, changes, condition) =>
      customers().patch(customerId.toLowerCase(), changes, condition),
    remove: async (customerId, condition) =>
      customers().remove(customerId.toLowerCase(), condition),
    transact: async (operations) =>
      customers().transact(
        operations.map((one) => ({ ...one, entityId: one.entityId.toLowerCase() })),
      ),
    list: async (limit, cursor, filter) => customers().list(limit, cursor, filter),
    history: async (customerId, limit, cursor) =>
      customers().history(customerId.toLowerCase(), limit, cursor),
    reach: async (customerId, least, wait) =>
      customers().reach(customerId.toLowerCase(), least, wait),
    acknowledgementOf: async (version, asked) => customers().acknowledgementOf(version, asked),
    receiptFor: (customerId, version) => customers().receiptFor(customerId.toLowerCase(), version),
    readReceipt: (customerId, receipt) =>
      customers().readReceipt(customerId.toLowerCase(), receipt),
    whereApplied: async (customerId, receipt, wait) =>
      customers().whereApplied(customerId.toLowerCase(), receipt, wait),
    isPreconditionRequired: () => options.isPreconditionRequired(),
  };
}

export type BatchOutcome = CustomerOutcome | CreateOutcome;
