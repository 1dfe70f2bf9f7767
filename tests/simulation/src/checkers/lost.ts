import { includesStamp, isRawAlive } from '../observe/raw-state.ts';
import { type FinalChecker, isCollected } from './checker.ts';

/** I1: what was acknowledged was committed, and every region contains it in the end. */
export const lost: FinalChecker = {
  name: 'lost',
  check(final) {
    const { history, ledger, regions } = final;
    const committed = new Set(ledger.commits.map(({ stamp }) => stamp));
    const found: string[] = [];
    const told = history.operations.flatMap(({ entityIds, ...operation }) =>
      entityIds.map((entityId) => ({ ...operation, entityId })),
    );
    for (const { id, entityId, outcome, kind, region } of told) {
      if (outcome.kind !== 'acknowledged') continue;
      const { stamp } = outcome;
      if (stamp === undefined || !committed.has(stamp)) {
        found.push(
          `${kind} ${id} of ${entityId} was acknowledged in ${region} and never committed`,
        );
        continue;
      }
      const truth = ledger.truth.get(entityId);
      for (const { name, rows } of regions) {
        if (includesStamp(rows.get(entityId)?.state.vector, stamp)) continue;
        const wasCollected = isCollected(final, name, entityId);
        if (wasCollected && (rows.has(entityId) || (truth && !isRawAlive(truth)))) continue;
        found.push(`${kind} ${id} of ${entityId} (${stamp}) is missing in ${name}`);
      }
    }
    return found;
  },
};
