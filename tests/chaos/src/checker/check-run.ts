import type { Operation, RegionState } from '../history/operation.ts';
import { checkEquality, checkFinalStates } from './check-final-states.ts';
import { checkObservations } from './check-observations.ts';
import { checkStatuses } from './check-statuses.ts';
import { checkTransactions } from './check-transactions.ts';
import { historiesByCustomer } from './customer-history.ts';
import type { Finding } from './finding.ts';

/**
 * Judges a run from what its clients saw and from what the regions show at its end. Knows nothing of
 * the product but its REST API, and nothing of what was done to it.
 */
export function checkRun(
  operations: readonly Operation[],
  regions: readonly RegionState[],
): Finding[] {
  const byEmail = new Map<string, string>();
  for (const { customers } of regions) {
    for (const [customer, seen] of customers) {
      if (seen.kind === 'present') byEmail.set(seen.values.email ?? '', customer);
    }
  }
  // Nobody patches a customer that nobody was told of, so it has the address it was created with.
  const histories = historiesByCustomer(operations, ({ values }) =>
    byEmail.get(values.email ?? ''),
  );
  const listed = new Set(regions.flatMap(({ customers }) => [...customers.keys()]));
  const strangers = [...listed].filter((customer) => !histories.has(customer));
  const findings = [
    ...checkStatuses(operations),
    ...checkTransactions(operations, regions),
    ...[...histories.values()].flatMap((history) => [
      ...checkObservations(history),
      ...checkFinalStates(history, regions),
    ]),
    ...strangers.flatMap((customer): Finding[] => [
      {
        verdict: 'unexpected',
        key: `${customer} stranger`,
        message: `customer ${customer}: nobody created it`,
        operations: [],
      },
      ...checkEquality(customer, regions),
    ]),
  ];
  return [...new Map(findings.map((one) => [`${one.verdict} ${one.key}`, one])).values()];
}
