import { regionOf } from '../observe/raw-state.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import { type FinalChecker, isCollectedAnywhere } from './checker.ts';

/** I5: a replicated row names its archive record, which is there; a row written here names none. */
export const wrongReference: FinalChecker = {
  name: 'wrong-reference',
  check: (final) =>
    final.regions.flatMap(({ name, rows, archive }) =>
      [...rows].flatMap(([entityId, { state, referenceId }]) => {
        if (!isClientsId(entityId)) return [];
        const newest = [...state.vector.values()].sort().at(-1) ?? '';
        if (regionOf(newest) === name) {
          return referenceId === undefined
            ? []
            : [`${entityId} in ${name} refers to ${referenceId}`];
        }
        const [partition, stamp, id] = referenceId?.split('/') ?? [];
        const isThere =
          archive.has(`${partition ?? ''}/${stamp}`) ||
          final.ledger.regionNamed(name).trimmed.has(newest);
        const isRight = id === entityId && stamp === newest && isThere;
        if (isRight || isCollectedAnywhere(final, entityId)) return [];
        return [`${entityId} in ${name} refers to ${referenceId ?? 'nothing'}, not to ${newest}`];
      }),
    ),
};
