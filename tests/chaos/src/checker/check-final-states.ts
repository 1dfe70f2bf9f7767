import { FIELDS, type RegionState, type Seen } from '../history/operation.ts';
import type { CustomerHistory } from './customer-history.ts';
import { describeFlaw, operationsOf } from './describe-flaw.ts';
import type { Finding, Verdict } from './finding.ts';
import { type Flaw, judgeState } from './judge-state.ts';

const ABSENT: Seen = { kind: 'absent' };

/**
 * What became of one customer in the end, in every region: each acknowledged write is there or
 * explained by another, whatever region took it, and the regions show the same.
 */
export function checkFinalStates(
  history: CustomerHistory,
  regions: readonly RegionState[],
): Finding[] {
  const { customer } = history;
  const found = regions.flatMap(({ region, customers }) =>
    judgeState(history, {
      seen: customers.get(customer) ?? ABSENT,
      endMs: Number.POSITIVE_INFINITY,
      mustShow: () => true,
    }).map(
      (flaw): Finding => ({
        verdict: VERDICTS[flaw.kind],
        key: `${customer} ${aspectOf(flaw)}`,
        message: `customer ${customer} in ${region}: ${describeFlaw(flaw)}`,
        operations: operationsOf(flaw),
      }),
    ),
  );
  return [...found, ...checkEquality(customer, regions)];
}

/** Regions that differ when all is over; also for a customer that nobody is known to have written. */
export function checkEquality(customer: string, regions: readonly RegionState[]): Finding[] {
  const texts = regions.map(({ customers }) => describeSeen(customers.get(customer) ?? ABSENT));
  if (new Set(texts).size <= 1) return [];
  const shown = regions.map(({ region }, index) => `${region} has ${texts[index]}`);
  return [
    {
      verdict: 'diverged',
      key: customer,
      message: `customer ${customer}: ${shown.join('; ')}`,
      operations: [],
    },
  ];
}

/** The same text for what a caller cannot tell apart. */
function describeSeen(seen: Seen): string {
  if (seen.kind === 'absent') return 'nothing';
  const values = FIELDS.map((field) => seen.values[field] ?? null);
  return `${JSON.stringify(values)}${seen.etag === undefined ? '' : ` as ${seen.etag}`}`;
}

const VERDICTS: Readonly<Record<Flaw['kind'], Verdict>> = {
  missing: 'lost',
  revived: 'resurrected',
  'never-written': 'unexpected',
};

function aspectOf(flaw: Flaw): string {
  if (flaw.kind === 'missing') return flaw.field;
  return flaw.kind === 'revived' ? 'existence' : flaw.what;
}
