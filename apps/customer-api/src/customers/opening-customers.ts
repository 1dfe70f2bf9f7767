import { TransientError } from '@tandem/core';
import type { CustomerService } from './customer-service.ts';

/**
 * The customers of a region whose tables and settings may not have been read yet: until then every
 * call throws `TABLE_UNAVAILABLE`, so a process that starts during an outage is up, and says so.
 */
export function createOpeningCustomers(opened: () => CustomerService | undefined): CustomerService {
  const customers = (): CustomerService => {
    const service = opened();
    if (service !== undefined) return service;
    throw new TransientError('TABLE_UNAVAILABLE', 'The tables of this region are not open yet.');
  };
  return {
    create: async (customer, key) => customers().create(customer, key),
    get: async (customerId) => customers().get(customerId),
    put: async (customerId, customer, condition) =>
      customers().put(customerId, customer, condition),
    patch: async (customerId, changes, condition) =>
      customers().patch(customerId, changes, condition),
    remove: async (customerId, condition) => customers().remove(customerId, condition),
    list: async (limit, cursor, filter) => customers().list(limit, cursor, filter),
    history: async (customerId, limit, cursor) => customers().history(customerId, limit, cursor),
    reaches: async (customerId, least, waitMs) => customers().reaches(customerId, least, waitMs),
    acknowledgementOf: async (version, waitMs) => customers().acknowledgementOf(version, waitMs),
    receiptFor: (customerId, version) => customers().receiptFor(customerId, version),
    readReceipt: (customerId, receipt) => customers().readReceipt(customerId, receipt),
    whereApplied: async (receipt, waitMs) => customers().whereApplied(receipt, waitMs),
    isPreconditionRequired: () => customers().isPreconditionRequired(),
  };
}
