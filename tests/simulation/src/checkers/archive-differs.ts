import type { RawChangeSet } from '../observe/read-raw.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import { type FinalChecker, isCollectedAnywhere } from './checker.ts';

/**
 * I5: a change set lies in the archive of every region in the same bytes; where it was refused and came again in
 * parts, with the same changes in any order.
 */
export const archiveDiffers: FinalChecker = {
  name: 'archive-differs',
  check(final) {
    const first = new Map<string, RawChangeSet>();
    return final.regions.flatMap(({ name, archive }) =>
      [...archive.values()].flatMap((set) => {
        const { stamp, text, changes } = set;
        // Where a forged set was refused, a repair records by its own what it joins from elsewhere.
        if (!changes.some(({ entityId }) => isClientsId(entityId))) return [];
        // Of what was refused, since its tombstone may have been collected, nothing is archived.
        if (changes.some(({ entityId }) => isCollectedAnywhere(final, entityId))) return [];
        const other = first.get(stamp) ?? set;
        first.set(stamp, other);
        return other.text === text || contentOf(other) === contentOf(set)
          ? []
          : [`${stamp} is ${text} in the archive of ${name}, not ${other.text}`];
      }),
    );
  },
};

function contentOf({ changes }: RawChangeSet): string {
  const sorted = changes.toSorted((a, b) => (a.entityId < b.entityId ? -1 : 1));
  return JSON.stringify(sorted, (_, value: unknown) =>
    value instanceof Map ? inOrder(value as ReadonlyMap<string, unknown>) : value,
  );
}

function inOrder(entries: ReadonlyMap<string, unknown>): readonly (readonly [string, unknown])[] {
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
