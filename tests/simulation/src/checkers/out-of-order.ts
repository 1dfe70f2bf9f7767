import { includesStamp, type RawState } from '../observe/raw-state.ts';
import type { FinalChecker } from './checker.ts';

/** I5, I8: a stamp exceeds every stamp that its write had seen, so the keys are in causal order. */
export const outOfOrder: FinalChecker = {
  name: 'out-of-order',
  check: ({ ledger }) =>
    ledger.commits
      .filter(
        ({ stamp, state }) =>
          !includesStamp(state.vector, stamp) || stampsOf(state).some((other) => other > stamp),
      )
      .map(({ stamp, entityId }) => `${stamp} of ${entityId} is older than what it overwrote`),
};

function stampsOf({ vector, fields, alive, deleted, base }: RawState): string[] {
  const own = [...vector.values(), ...[...fields.values()].map(({ stamp }) => stamp)];
  return [...own, ...[alive, deleted, base].filter((stamp) => stamp !== undefined)];
}
