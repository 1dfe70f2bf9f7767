import type { Operation } from '../history/operation.ts';

/** Everything that was done to one customer. */
export interface CustomerHistory {
  readonly customer: string;
  /** Puts, patches, creations and deletions, refused ones too. */
  readonly writes: readonly Operation[];
  /** Whatever showed something of it: reads, and the answers of writes. */
  readonly observations: readonly Operation[];
}

interface Gathered {
  readonly customer: string;
  readonly writes: Operation[];
  readonly observations: Operation[];
}

/**
 * Sorts a run by customer. A creation that was never answered belongs to the customer that a later
 * try with the same key was told, else to the one that `ownerOf` finds by what it wrote.
 */
export function historiesByCustomer(
  operations: readonly Operation[],
  ownerOf: (creation: Operation) => string | undefined = () => undefined,
): Map<string, CustomerHistory> {
  const byKey = new Map<string, string>();
  for (const { key, customer } of operations) {
    if (key !== undefined && customer !== undefined) byKey.set(key, customer);
  }
  const histories = new Map<string, Gathered>();
  for (const operation of operations) {
    const customer = operation.customer ?? byKey.get(operation.key ?? '') ?? ownerOf(operation);
    if (customer === undefined) continue;
    const history = histories.get(customer) ?? { customer, writes: [], observations: [] };
    histories.set(customer, history);
    if (operation.action !== 'read') history.writes.push(operation);
    if (operation.seen !== undefined) history.observations.push(operation);
  }
  return histories;
}
