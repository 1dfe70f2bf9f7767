import { rawGadgetOf, valuesIdAt } from '../clients/values.ts';
import type { FinalChecker } from './checker.ts';

/** I1: what the client was told did not happen did not happen. */
export const refusedButWritten: FinalChecker = {
  name: 'refused-but-written',
  check({ history, ledger }) {
    const written = new Set(
      ledger.commits.flatMap(({ state }) =>
        [...state.fields].map(([name, { value }]) => `${name} ${JSON.stringify(value)}`),
      ),
    );
    return history.operations
      .filter(({ outcome, kind }) => outcome.kind === 'refused' && kind !== 'oversize')
      .filter(({ id, entityIds, fields }) =>
        entityIds.some((_, place) => {
          const values = rawGadgetOf(valuesIdAt(id, place));
          return fields.some((name) => written.has(`${name} ${JSON.stringify(values[name])}`));
        }),
      )
      .map(({ id, kind, region }) => `${kind} ${id} in ${region} was refused and yet committed`);
  },
};
