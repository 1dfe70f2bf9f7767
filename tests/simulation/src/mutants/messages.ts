import { CORE, type Mutant } from './mutant.ts';

const PACK = `${CORE}wire/message-body.ts`;
const INBOUND = `${CORE}inbound/inbound.ts`;
const ROUNDS = `${CORE}inbound/archive-in-rounds.ts`;

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
        file: `${CORE}outbound/relay.ts`,
        find: 'packChangeSets(entries.map(({ encoded }) => encoded))',
        replace: 'packChangeSets(entries.slice(0, 3).map(({ encoded }) => encoded))',
      },
    ],
  },
  {
    id: 'pack-poison-swallowed',
    title: 'a message of which one change set cannot be applied is completed',
    edits: [
      {
        file: INBOUND,
        find: 'const known = [...one.unreadable, ...failed];',
        replace: 'const known = [...one.unreadable, ...failed].slice(1);',
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
  {
    id: 'completed-before-archived',
    title: 'a message is completed before the round that archives its change sets',
    edits: [
      {
        file: ROUNDS,
        find: '      return archived.promise;',
        replace: '      archived.promise.catch(() => undefined);\n      return Promise.resolve();',
      },
    ],
  },
  {
    id: 'round-takes-the-first',
    title: 'of the batches that are archived in one round only the first is',
    edits: [
      {
        file: ROUNDS,
        find: 'archive.append(round.flatMap(({ entries }) => entries));',
        replace: 'archive.append(round.slice(0, 1).flatMap(({ entries }) => entries));',
      },
    ],
  },
  {
    id: 'bad-set-takes-neighbours',
    title: 'a change set that cannot be read takes those along that share its message',
    edits: [
      {
        file: INBOUND,
        find: 'unreadable.push({ error: one.error });',
        replace: "return { kind: 'settled', settlement: settlementFor(one.error) };",
      },
    ],
  },
  {
    id: 'archived-in-other-bytes',
    title: 'a change set is archived in other bytes than those that it was written in',
    edits: [
      {
        file: INBOUND,
        find: 'encoded: one.encoded });',
        replace: 'encoded: Uint8Array.of(...one.encoded, 0x20) });',
      },
    ],
  },
];
