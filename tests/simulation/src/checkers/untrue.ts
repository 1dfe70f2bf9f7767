import { isClientsId } from '../world/gadget-kind.ts';
import { type FinalChecker, isForgottenAnywhere } from './checker.ts';
import { describeState, describeVisible } from './describe-state.ts';

/** I3: each row is the join of all commits of the entity, and nothing else. */
export const untrue: FinalChecker = {
  name: 'untrue',
  check(final) {
    const { ledger, regions } = final;
    return regions.flatMap(({ name, rows }) => [
      ...[...rows.keys()]
        .filter((entityId) => isClientsId(entityId) && !ledger.truth.has(entityId))
        .map((entityId) => `${entityId} is in ${name}, and nobody committed it`),
      ...[...ledger.truth].flatMap(([entityId, truth]) => {
        const row = rows.get(entityId);
        if (row === undefined) return [];
        const describe = isForgottenAnywhere(final, entityId) ? describeVisible : describeState;
        const [is, should] = [describe(row.state), describe(truth)];
        return is === should ? [] : [`${entityId} in ${name} is ${is} and should be ${should}`];
      }),
    ]);
  },
};
