import type { Customer } from '@tandem/core/customers';

export function customerId(nth: number): string {
  return `00000000-0000-4000-8000-${nth.toString(16).padStart(12, '0')}`;
}

/** Two of four fields differ from one write to the next. */
export function customerFor(nth: number, revision: number): Partial<Customer> {
  return {
    email: `customer${nth}.${revision}@example.com`,
    firstName: `First${nth}`,
    lastName: `Last${nth}`,
    phoneNumber: `+49 30 ${1_000_000 + revision}`,
  };
}

/** A prime step spreads the writes over the customers without a random number. */
const STEP = 7_919;

export function customerOf(write: number, customers: number): number {
  return (write * STEP) % customers;
}
