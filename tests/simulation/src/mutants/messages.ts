import { CORE, type Mutant } from './mutant.ts';

const PACK = `${CORE}replication/change-set-pack.ts`;
const INBOUND = `${CORE}replication/inbound.ts`;
const ROUNDS = `${CORE}replication/archive-in-rounds.ts`;

/** Faults of change sets that share messages, and of archiving in rounds what was received. */
export const messageMutants: readonly Mutant[] = [
  {
    id: 'pack-loses-last',
    title: 'of the change sets that share a message the last is not read',
    edits: [
      {
        file: PACK,
        find: '  return sets;\n',
        replace: '  return sets.length > 1 ? sets.slice(0, -1) : sets;\n',
      },
    ],
  },
  {
    id: 'pack-sent-too-early',
    title: 'a change set that does not fit the pack counts as sent with it',
    edits: [
      {
        file: `${CORE}replication/relay.ts`,
        find: 'const body = isPack ? packChangeSets(entries.map(({ encoded }) => encoded)) : first.encoded;',
        replace:
          'const body = isPack ? packChangeSets(entries.slice(0, 3).map(({ encoded }) => encoded)) : first.encoded;',
      },
    ],
  },
  {
    id: 'pack-poison-swallowed',
    title: 'a message of which one change set cannot be applied is completed',
    edits: [
      {
        file: INBOUND,
        find: 'return settlementOfSets([...one.unreadable, ...failed], one.count);',
        replace: 'return settlementOfSets([...one.unreadable, ...failed].slice(1), one.count);',
      },
    ],
  },
  {
    id: 'completed-before-round',
    title: 'messages are completed although the round that was to archive them has failed',
    edits: [
      {
        file: ROUNDS,
        find: 'for (const { reject } of round) reject(error);',
        replace: 'for (const { resolve } of round) resolve(void error);',
      },
    ],
  },
  {
    id: 'round-forgets-later',
    title: 'what comes to be archived while a round is under way is taken for archived by it',
    edits: [
      {
        file: ROUNDS,
        find: 'for (const { resolve } of round) resolve();',
        replace: 'for (const { resolve } of [...round, ...waiting.splice(0)]) resolve();',
      },
    ],
  },
];
