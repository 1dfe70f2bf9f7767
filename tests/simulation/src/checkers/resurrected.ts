import { isRawAlive } from '../observe/raw-state.ts';
import type { FinalChecker } from './checker.ts';

/** I4: what was deleted, and not written later, stays deleted. */
export const resurrected: FinalChecker = {
  name: 'resurrected',
  check: ({ ledger, regions }) =>
    regions.flatMap(({ name, rows }) =>
      [...ledger.truth].flatMap(([entityId, truth]) => {
        const row = rows.get(entityId);
        if (isRawAlive(truth) || row === undefined || !isRawAlive(row.state)) return [];
        return [`${entityId} was deleted by ${truth.deleted ?? ''} and lives in ${name}`];
      }),
    ),
};
