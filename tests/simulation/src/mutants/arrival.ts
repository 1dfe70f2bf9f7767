import { CORE, type Mutant } from './mutant.ts';

const CLAIMS = `${CORE}arrival/claims.ts`;
const JUDGE = `${CORE}arrival/judge-change-set.ts`;
const READ = `${CORE}arrival/read-change-sets.ts`;

/** Faults of judging what arrives, and of believing what others claim. */
export const arrivalMutants: readonly Mutant[] = [
  {
    id: 'claim-of-the-future-believed',
    title: 'a claim of the future is believed as it is',
    edits: [
      {
        file: CLAIMS,
        find: 'return claimMs >= 0 && claimMs <= nowMs + (driftMsMax ?? CLAIM_AHEAD_MS_MAX);',
        replace: 'return claimMs >= 0 && (driftMsMax ?? 0) >= 0 && nowMs >= 0;',
      },
      {
        file: CLAIMS,
        find: '  return Math.min(claimMs, own.nowMs);',
        replace: '  return claimMs;',
      },
    ],
  },
  {
    id: 'no-claim-believed',
    title: 'no claim is believed',
    edits: [
      {
        file: CLAIMS,
        find: '  return Math.min(claimMs, own.nowMs);',
        replace: '  return undefined;',
      },
    ],
  },
  {
    id: 'judged-with-neighbours',
    title: 'a change that is refused takes the sound ones of its set along',
    edits: [
      {
        file: JUDGE,
        find: '  return { sound: sound && { ...sound, replica }, refusal:',
        replace: '  return { sound: sound && undefined, refusal:',
      },
    ],
  },
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
    id: 'unreadable-set-read-as-none',
    title: 'a body that nobody can read counts as one without change sets',
    edits: [
      {
        file: READ,
        find: '  if (unpacked instanceof AppError) return [unreadable(body, unpacked)];',
        replace:
          '  if (unpacked instanceof AppError) return [unreadable(body, unpacked)].slice(1);',
      },
    ],
  },
];
