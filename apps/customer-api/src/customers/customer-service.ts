import { assert, type Randomness } from '@tandem/core';
import type { customerKind } from '@tandem/core/customers';
import type {
  EntityPage,
  EntityRecord,
  ReplicatedTable,
  WriteCondition,
  WriteOutcome,
} from '@tandem/storage';
import type { CustomerBody, CustomerPatch } from '../schemas/customer.ts';

export type CustomerKind = typeof customerKind;
export type CustomerRecord = EntityRecord<CustomerKind>;
export type CustomerOutcome = WriteOutcome<CustomerKind>;

/** The customers of this region. Ids are GUIDs in any case, and kept in lower case. */
export interface CustomerService {
  /** Under a new id. */
  create(customer: CustomerBody): Promise<CustomerOutcome>;
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
  list(limit: number, cursor?: string): Promise<EntityPage<CustomerKind>>;
}

interface CustomerServiceOptions {
  readonly customers: ReplicatedTable<CustomerKind>;
  readonly randomness: Randomness;
}

export function createCustomerService(options: CustomerServiceOptions): CustomerService {
  const { customers, randomness } = options;
  return {
    async create(customer) {
      const outcome = await customers.put(randomness.uuid(), customer, { kind: 'absent' });
      assert(outcome.kind === 'created', 'a new random id was taken already');
      return outcome;
    },
    get: (customerId) => customers.get(customerId.toLowerCase()),
    put: (customerId, customer, condition) =>
      customers.put(customerId.toLowerCase(), customer, condition),
    patch: (customerId, changes, condition) =>
      customers.patch(customerId.toLowerCase(), changes, condition),
    remove: (customerId, condition) => customers.remove(customerId.toLowerCase(), condition),
    list: (limit, cursor) => customers.list(limit, cursor),
  };
}
