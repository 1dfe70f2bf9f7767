import type { OperationRecord } from '../clients/history.ts';
import type { FinalChecker, FinalState } from './checker.ts';

/** I9: who is told that an entity is there, or is not, is told what was so while the request ran. */
export const wrongRefusal: FinalChecker = {
  name: 'wrong-refusal',
  check: (final) =>
    final.history.operations.flatMap((record) => {
      const claimed = claimOf(record);
      if (claimed === undefined || wasEver(claimed, record, final)) return [];
      const { id, kind, region, entityId, condition } = record;
      const what = `${kind} ${id} (${condition}) of ${entityId} in ${region}`;
      return [`${what} was refused as if it were ${claimed ? 'there' : 'not there'}`];
    }),
};

/** Whether a refusal says that the entity is there; undefined when it says nothing of that. */
function claimOf({ outcome, condition }: OperationRecord): boolean | undefined {
  if (outcome.kind !== 'refused') return undefined;
  if (outcome.code === 'not-found') return false;
  if (outcome.code !== 'condition-failed') return undefined;
  if (condition === 'absent') return true;
  return condition === 'present' ? false : undefined;
}

function wasEver(
  claimed: boolean,
  { region, entityId, startMs, endMs }: OperationRecord,
  { ledger }: FinalState,
): boolean {
  const lives = [
    { fromMs: Number.NEGATIVE_INFINITY, isAlive: false },
    ...(ledger.regionNamed(region).lives.get(entityId) ?? []),
  ];
  return lives.some(
    ({ fromMs, isAlive }, index) =>
      isAlive === claimed &&
      fromMs <= endMs &&
      (lives[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY) >= startMs,
  );
}
