import { forEachBounded } from '@tandem/core';
import { customer } from './customer.ts';
import { readOutbox } from './read-outbox.ts';
import type { RealRegion } from './real-region.ts';
import { until } from './until.ts';

/** Few, so that hardly any two of one bucket travel together in one change set. */
const WRITES_AT_ONCE = 4;
const PAGE_MAX = 1_000;

export function customerId(number: number): string {
  return `4f1de9a3-2a68-4c55-8d0a-${String(number).padStart(12, '0')}`;
}

/** Customers `from` to `from + count - 1`. */
export async function writeCustomers(
  region: RealRegion,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  await forEachBounded(numbers, WRITES_AT_ONCE, async (number) => {
    await region.customers.put(customerId(number), customer(`c${number}@x.org`));
  });
}

export async function countCustomers(region: RealRegion): Promise<number> {
  return (await region.customers.list(PAGE_MAX)).records.length;
}

/** Resolves once the region has exactly as many live customers; at most 1,000. */
export async function untilCount(region: RealRegion, count: number): Promise<void> {
  await until(`${count} customers in ${region.region}`, async () => {
    return (await countCustomers(region)) === count;
  });
}

/** Resolves once every change of the region was accepted by its peer's queue. */
export async function untilRelayed(region: RealRegion): Promise<void> {
  await until(`${region.region} owes nothing`, async () => {
    return (await readOutbox(region.tables)).length === 0;
  });
}
