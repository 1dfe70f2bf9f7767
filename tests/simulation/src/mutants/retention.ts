import { CORE, type Mutant } from './mutant.ts';

const HORIZON = `${CORE}retention/retention-horizon.ts`;
const TRIM = `${CORE}retention/trim-archive.ts`;
const FOLD = `${CORE}recovery/replay.ts`;

/** Faults of the duty that trims the archive. */
export const retentionMutants: readonly Mutant[] = [
  {
    id: 'trimmed-before-peers',
    title: 'an archive is trimmed by its age alone, whatever the peers have',
    edits: [
      {
        file: HORIZON,
        find: 'const { keepMs, fullBeforeMs, promiseMs, appliedByPeersMs } = input;',
        replace:
          'const { keepMs, fullBeforeMs, promiseMs } = input, appliedByPeersMs: number[] = [];',
      },
    ],
  },
  {
    id: 'newest-trimmed',
    title: 'of each entity the first row below the horizon is kept, and not the newest',
    edits: [
      {
        file: TRIM,
        find: 'if (held.holders.some((other) => supersedes(other, state))) continue;',
        replace: 'if (held.named > 1 && supersedes !== undefined) continue;',
      },
    ],
  },
  {
    id: 'kept-longer-trimmed',
    title: 'a set is trimmed by the table that keeps least of it',
    edits: [
      {
        file: TRIM,
        find: '        isYoung = true;\n        continue;\n',
        replace: '        continue;\n',
      },
    ],
  },
  {
    id: 'erased-trimmed',
    title: 'a row is trimmed in which values were erased',
    edits: [
      {
        file: TRIM,
        find: 'let isPinned = found.isErased === true;',
        replace: 'let isPinned = false;',
      },
    ],
  },
  {
    id: 'horizon-after-trimming',
    title: 'how far back an archive goes is recorded once it is trimmed',
    edits: [
      {
        file: TRIM,
        find: '  await raiseHorizons(options);\n',
        replace: '',
      },
      {
        file: TRIM,
        find: '  return { rows, bytes, isWhole: true };',
        replace: '  await raiseHorizons(options);\n  return { rows, bytes, isWhole: true };',
      },
    ],
  },
  {
    id: 'replay-past-horizon',
    title: 'a replay to a time before the horizon is made of what is left',
    edits: [
      {
        file: FOLD,
        find: 'if (horizonMs === undefined || beforeMs >= horizonMs) return;',
        replace: 'if (horizonMs === undefined || beforeMs >= 0) return;',
      },
    ],
  },
];
