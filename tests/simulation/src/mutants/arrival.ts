import { CORE, type Mutant } from './mutant.ts';

const CLAIMS = `${CORE}arrival/claims.ts`;
const JUDGE = `${CORE}arrival/judge-change-set.ts`;
const READ = `${CORE}wire/message-body.ts`;

/** Faults of judging what arrives, and of believing what others claim. */
export const arrivalMutants: readonly Mutant[] = [
  {
    id: 'own-stamps-foreign',
    title: 'a region refuses what comes from the last of its peers as of nobody',
    edits: [
      {
        file: JUDGE,
        find: '  return regions.has(stampRegion(stamp)) ? undefined : unknownRegion(stampRegion(stamp));',
        replace:
          "  return regions.has(stampRegion(stamp)) && stampRegion(stamp) !== 'south' ? undefined : unknownRegion(stampRegion(stamp));",
      },
    ],
  },
  {
    id: 'vector-must-be-whole',
    title: 'a change that has not seen every region is refused',
    edits: [
      {
        file: JUDGE,
        find: '    if (stamp <= setStamp && hasSeen(state.vector, stamp)) continue;',
        replace:
          '    if (stamp <= setStamp && hasSeen(state.vector, stamp) && state.vector.size === regions.size) continue;',
      },
    ],
  },
  {
    id: 'claims-taken-for-now',
    title: 'whatever a peer claims counts as said of now',
    edits: [
      {
        file: CLAIMS,
        find: '  return Math.min(claimMs, own.nowMs);',
        replace: '  return Math.max(claimMs, own.nowMs);',
      },
    ],
  },
  {
    id: 'own-clock-unasked',
    title: 'a region whose clock is far ahead takes what is fresh for older than every tombstone',
    edits: [
      {
        file: CLAIMS,
        find: '  if (storeMs === undefined || isBelievable(',
        replace: '  if (storeMs !== nowMs || isBelievable(',
      },
    ],
  },
  {
    id: 'unreadable-sets-left-out',
    title: 'a change set that nobody can read counts as none',
    edits: [
      {
        file: READ,
        find: 'return unpacked.map(readChangeSet);',
        replace:
          "return unpacked.map(readChangeSet).filter(({ kind }): boolean => kind === 'set');",
      },
    ],
  },
];
