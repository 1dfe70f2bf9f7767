import { CORE, type Mutant, STORAGE } from './mutant.ts';

const CONFLICT = `${CORE}model/conflict.ts`;
const TELL = `${CORE}outbound/sweep.ts`;
const INBOUND = `${CORE}inbound/inbound.ts`;
const JOURNAL = `${STORAGE}tables/table-conflict-journal.ts`;

/** Faults of finding conflicts and of telling the other regions of them. */
export const conflictMutants: readonly Mutant[] = [
  {
    id: 'conflicts-untold',
    title: 'no region is told of the conflicts that another finds',
    edits: [
      {
        file: TELL,
        find: 'if (!link.isOpen()) return 0;',
        replace: 'if (round === 0) return 0;',
      },
    ],
  },
  {
    id: 'conflicts-told-in-vain',
    title: 'a peer counts as told of conflicts although its queue has not accepted them',
    edits: [
      {
        file: TELL,
        find: "if (messages.length > 0 && (await link.publish(messages)) !== 'accepted') break;",
        replace: 'if (messages.length > 0) await link.publish(messages);',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'conflicts-behind-others',
    title: 'what names no recorded conflict keeps a peer from being told of those behind it',
    edits: [
      {
        file: TELL,
        find: 'if (round === ROUNDS_MAX || !link.isOpen()) break;',
        replace: 'if (round === ROUNDS_MAX || untold.length < CONFLICTS_PER_ROUND) break;',
      },
    ],
  },
  {
    id: 'conflicts-not-kept',
    title: 'a message that tells of conflicts is completed without keeping them',
    edits: [
      {
        file: INBOUND,
        find: 'await applier.acceptConflicts(conflicts);',
        replace: 'await Promise.resolve();',
      },
      {
        file: INBOUND,
        find: 'return applier.acceptConflicts(all.flat()).then(',
        replace: 'return Promise.resolve().then(',
      },
    ],
  },
  {
    id: 'deleted-without-values',
    title: 'what lost to a deletion is recorded without its values',
    edits: [
      {
        file: CONFLICT,
        find: 'losses.push({ stamps: [loser.stamp, deleted], field, life: lifeOf(loser.stamp) });',
        replace: 'void field;',
      },
    ],
  },
  {
    id: 'lost-deletion-unrecorded',
    title: 'a deletion that loses to a write is not recorded',
    edits: [
      {
        file: CONFLICT,
        find: 'return [{ stamps: [deleted, alive], life: { alive, deleted, survives: true } }];',
        replace: 'return [];',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'conflict-told-too-early',
    title: 'a peer is told of a conflict before the record says all that was found',
    edits: [
      {
        file: JOURNAL,
        find: 'if (promised === undefined) return true;',
        replace: "if (promised?.entityId !== '') return true;",
      },
    ],
    seedsMax: 3_000,
  },
  {
    id: 'conflict-found-first',
    title: 'of what regions find of the same two transactions only what came first is kept',
    edits: [
      {
        file: JOURNAL,
        find: 'joinConflicts(own, conflict)',
        replace: 'own',
      },
    ],
    seedsMax: 3_000,
  },
];
