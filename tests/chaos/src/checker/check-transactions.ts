import type { Operation, RegionState, Seen } from '../history/operation.ts';
import type { Finding } from './finding.ts';

/**
 * Customers that only whole transactions write, each of them all of the group, show one and the same transaction when
 * all is over: all of them, or none was ever written. The e-mail address tells which.
 */
export function checkTransactions(
  operations: readonly Operation[],
  regions: readonly RegionState[],
): Finding[] {
  const groups = new Map<string, readonly string[]>();
  for (const { group } of operations) if (group !== undefined) groups.set(group.join(' '), group);
  return regions.flatMap(({ region, customers }) =>
    [...groups].flatMap(([key, group]): Finding[] => {
      const shown = group.map((customer) => nameOf(customers.get(customer)));
      if (new Set(shown).size <= 1) return [];
      const named = group.map((customer, place) => `${customer}: ${shown[place]}`).join(', ');
      return [
        {
          verdict: 'torn',
          key,
          message: `a transaction is torn in ${region}: ${named}`,
          operations: operations.filter((one) => one.group?.join(' ') === key).map(({ id }) => id),
        },
      ];
    }),
  );
}

function nameOf(seen: Seen | undefined): string {
  return seen?.kind === 'present' ? (seen.values.email ?? 'no address') : 'absent';
}
