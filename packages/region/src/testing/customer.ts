import type { Customer } from '@tandem/core/customers';

export function customer(email: string): Customer {
  return { email, firstName: null, lastName: null, phoneNumber: null, creationDigest: null };
}
