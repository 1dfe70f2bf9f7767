import { isClientsId } from '../world/gadget-kind.ts';
import { type FinalChecker, isCollectedAnywhere } from './checker.ts';

/** I5: a change set lies in the archive of every region in the same bytes. */
export const archiveDiffers: FinalChecker = {
  name: 'archive-differs',
  check(final) {
    const texts = new Map<string, string>();
    return final.regions.flatMap(({ name, archive }) =>
      [...archive.values()].flatMap(({ stamp, text, changes }) => {
        // Where a forged set was refused, a repair records by its own what it joins from elsewhere.
        if (!changes.some(({ entityId }) => isClientsId(entityId))) return [];
        // Of what was refused, since its tombstone may have been collected, nothing is archived.
        if (changes.some(({ entityId }) => isCollectedAnywhere(final, entityId))) return [];
        const other = texts.get(stamp) ?? text;
        texts.set(stamp, other);
        return other === text
          ? []
          : [`${stamp} is ${text} in the archive of ${name}, not ${other}`];
      }),
    );
  },
};
