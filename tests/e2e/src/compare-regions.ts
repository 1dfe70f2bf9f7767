import { expect } from 'vitest';
import { type Customer, fieldsOf, listCustomers, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';

const EQUAL_MS_MAX = 240_000;

/**
 * How every case ends: waits until all regions serve the same customers, field for field, and
 * returns them.
 */
export async function untilEqual({
  regions,
}: Pick<E2eCluster, 'regions'>): Promise<Map<string, Customer>> {
  return until(
    'regions that are equal field for field',
    async () => {
      const [here, ...others] = await Promise.all(
        regions.map(({ addresses }) => listCustomers(addresses.api)),
      );
      expect(others.length).toBeGreaterThan(0);
      for (const there of others) expect(fieldsOf(there)).toEqual(fieldsOf(here ?? new Map()));
      return here;
    },
    EQUAL_MS_MAX,
  );
}

/** I1: each acknowledged write is there, in the state that was acknowledged last. */
export function expectNothingLost(
  found: ReadonlyMap<string, Customer>,
  acknowledged: ReadonlyMap<string, string>,
  unknown: ReadonlySet<string> = new Set(),
): void {
  const lost = [...acknowledged].filter(([id, email]) => {
    const customer = found.get(id);
    if (customer === undefined) return true;
    return !unknown.has(id) && customer.email !== email;
  });
  expect(lost).toEqual([]);
}
