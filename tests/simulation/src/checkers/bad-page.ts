import { LIST_LIMIT } from '../clients/perform-operation.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import type { FinalChecker } from './checker.ts';

/** A list comes in pages no longer than asked, and names each entity once, and entities alone. */
export const badPage: FinalChecker = {
  name: 'bad-page',
  check: ({ history, ledger }) =>
    history.operations.flatMap(({ id, region, outcome }) => {
      if (outcome.kind !== 'listed') return [];
      const ids = outcome.pages.flat();
      const unknown = ids.filter(
        (entityId) => isClientsId(entityId) && !ledger.truth.has(entityId),
      );
      return [
        ...(outcome.pages.some((page) => page.length > LIST_LIMIT)
          ? [`list ${id} in ${region} has a page that is too long`]
          : []),
        ...(new Set(ids).size < ids.length ? [`list ${id} in ${region} names one twice`] : []),
        ...unknown.map((entityId) => `list ${id} in ${region} names ${entityId}`),
      ];
    }),
};
