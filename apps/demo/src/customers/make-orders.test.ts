import { expect, test } from 'vitest';
import { makeOrders } from './make-customers.ts';

test('as many orders as are asked for, the same every time, each transaction of one customer', () => {
  const made = makeOrders(1_234);
  expect(makeOrders(1_234)).toEqual(made);
  expect(made).toHaveLength(124);
  expect(new Set(made.map(({ customerId }) => customerId)).size).toBe(124);
  expect(made.flatMap(({ fields }) => Object.keys(fields))).toHaveLength(1_234);
  expect(Object.keys(made.at(-1)?.fields ?? {})).toHaveLength(4);
});
