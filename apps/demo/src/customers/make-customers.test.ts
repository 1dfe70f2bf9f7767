import { expect, it } from 'vitest';
import { makeCustomers } from './make-customers.ts';
import { parseCustomers } from './read-customer-file.ts';

it('makes the same people every time', () => {
  expect(makeCustomers(100)).toEqual(makeCustomers(100));
});

it('makes more people without changing the first', () => {
  expect(makeCustomers(100).slice(0, 10)).toEqual(makeCustomers(10));
});

it('makes people whom a file could have, some without a phone', () => {
  const people = makeCustomers(1_000);
  const items = people.map(({ customerId, fields }) => ({ customerId, ...fields }));
  expect(parseCustomers(JSON.stringify(items))).toEqual({ kind: 'customers', customers: people });
  const withoutPhone = people.filter(({ fields }) => fields.phoneNumber === null);
  expect(withoutPhone.length).toBeGreaterThan(100);
  expect(withoutPhone.length).toBeLessThan(200);
});
