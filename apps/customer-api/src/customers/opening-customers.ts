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
    create: (customer, key) => customers().create(customer, key),
    get: (customerId) => customers().get(customerId),
    put: (customerId, customer, condition) => customers().put(customerId, customer, condition),
    patch: (customerId, changes, condition) => customers().patch(customerId, changes, condition),
    remove: (customerId, condition) => customers().remove(customerId, condition),
    list: (limit, cursor, filter) => customers().list(limit, cursor, filter),
    history: (customerId, limit, cursor) => customers().history(customerId, limit, cursor),
    reach: (customerId, least, wait) => customers().reach(customerId, least, wait),
    acknowledgementOf: (version, asked) => customers().acknowledgementOf(version, asked),
    receiptFor: (customerId, version) => customers().receiptFor(customerId, version),
    readReceipt: (customerId, receipt) => customers().readReceipt(customerId, receipt),
    whereApplied: (customerId, receipt, wait) =>
      customers().whereApplied(customerId, receipt, wait),
    isPreconditionRequired: () => customers().isPreconditionRequired(),
  };
}
