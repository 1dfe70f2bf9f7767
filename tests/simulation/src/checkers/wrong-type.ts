import { GADGET_FIELDS, rawGadgetOf, valuesIdAt } from '../clients/values.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import type { FinalChecker } from './checker.ts';

/** I12: every value is one that a client wrote, of the Edm type in which it wrote it. */
export const wrongType: FinalChecker = {
  name: 'wrong-type',
  check({ history, regions }) {
    const known = new Set<string>();
    for (const { id, entityIds } of history.operations) {
      for (const place of entityIds.keys()) {
        const values = rawGadgetOf(valuesIdAt(id, place));
        for (const name of GADGET_FIELDS) known.add(`${name} ${JSON.stringify(values[name])}`);
      }
    }
    return regions.flatMap(({ name: region, rows }) =>
      [...rows]
        .filter(([entityId]) => isClientsId(entityId))
        .flatMap(([entityId, { state }]) =>
          [...state.fields]
            .filter(([, { value }]) => value !== null)
            .map(([name, { value }]) => `${name} ${JSON.stringify(value)}`)
            .filter((text) => !known.has(text))
            .map((text) => `${entityId} in ${region} has ${text}, which nobody wrote`),
        ),
    );
  },
};
