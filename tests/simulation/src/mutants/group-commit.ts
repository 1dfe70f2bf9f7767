import { CORE, type Mutant, STORAGE } from './mutant.ts';

const LANE = `${STORAGE}write-path/bucket-lane.ts`;
const PACK = `${STORAGE}write-path/pack-group.ts`;
const FINISH = `${CORE}outbound/relay.ts`;
const TO_BUCKET = `${CORE}inbound/apply-change-sets.ts`;

/** Faults of what writes, archives and applies many changes at once, and of remembered rows. */
export const groupMutants: readonly Mutant[] = [
  {
    id: 'refuses-by-memory',
    title: 'a write is refused by what is remembered of its row, without a look at it',
    edits: [
      {
        file: `${STORAGE}write-path/decide-write.ts`,
        find: 'if (known.toldAt <= arrivedAt)',
        replace: 'if (known.toldAt <= arrivedAt - 1e9)',
      },
    ],
  },
  {
    id: 'answered-before-outcome',
    title: 'the writes of a group are answered before it is known whether it was committed',
    edits: [
      {
        file: LANE,
        find: '    let outcome: ChangeSetOutcome;\n',
        replace:
          '    let at = 0;\n' +
          '    for (const write of members) {\n' +
          '      const outcomes = write.changes.map(({ basis, entityId }) => {\n' +
          '        const row = { entityId, state: group.states[at++]!, referenceId: undefined };\n' +
          '        return toOutcome(basis!.operation, row);\n' +
          '      });\n' +
          "      write.resolve({ kind: 'done', outcomes });\n" +
          '    }\n' +
          '    let outcome: ChangeSetOutcome;\n',
      },
    ],
  },
  {
    id: 'sent-before-committed',
    title: 'a group is sent to the peers before it is committed',
    edits: [
      {
        file: LANE,
        find: '    let outcome: ChangeSetOutcome;\n',
        replace: '    this.#context.onCommitted(entry);\n    let outcome: ChangeSetOutcome;\n',
      },
    ],
  },
  {
    id: 'refused-counts-as-written',
    title: 'where one row of a group was refused the others count as written',
    edits: [
      {
        file: LANE,
        find: 'this.#putBack(plan.resubmitted);',
        replace:
          'for (const one of plan.resubmitted) {\n' +
          '      const outcomes = one.changes.flatMap(({ basis, entityId }) =>\n' +
          '        basis?.stored === undefined\n' +
          '          ? []\n' +
          '          : [toOutcome(basis.operation, { entityId, ...basis.stored })]);\n' +
          '      const isAll = outcomes.length === one.changes.length;\n' +
          "      if (isAll) this.#resolve(one, { kind: 'done', outcomes });\n" +
          "      else this.#reject(one, errorContended(kind.name, '', 1));\n" +
          '    }',
      },
    ],
  },
  {
    id: 'refusal-forgets-neighbours',
    title: 'where one row of a group was refused nobody comes back to the others',
    edits: [
      {
        file: LANE,
        find: 'this.#putBack(plan.resubmitted);',
        replace: '',
      },
    ],
  },
  {
    id: 'group-leaves-rest-behind',
    title: 'nobody comes back to the writes that did not fit into a group',
    edits: [
      {
        file: LANE,
        find: 'this.#putBack(left);',
        replace: 'this.#putBack(left.slice(0, 0));',
      },
    ],
  },
  {
    id: 'line-ends-after-one',
    title: 'of the writes of one entity that wait for each other only the first is done',
    edits: [
      {
        file: LANE,
        find: 'else if (place === 0) next.add(first);',
        replace: 'else if (place === 1e9) next.add(first);',
      },
    ],
  },
  {
    id: 'group-floor-of-the-first',
    title: 'the stamp of a group exceeds those of its first row alone',
    edits: [
      {
        file: PACK,
        find: 'tickOrRefuse(maxStamp(floors), options)',
        replace: 'tickOrRefuse(maxStamp(floors.slice(0, 1)), options)',
      },
    ],
  },
  {
    id: 'far-ahead-in-company',
    title: 'a row that a wrong clock stamped takes the others of its group along',
    edits: [
      {
        file: PACK,
        find: 'return latest !== undefined && isTooFarAhead(latest);',
        replace: 'return latest !== undefined && !isTooFarAhead;',
      },
    ],
    seedsMax: 400,
  },
  {
    id: 'group-one-too-many',
    title: 'a group and its outbox row take one row more than a transaction does',
    edits: [
      {
        file: PACK,
        find: 'count + outboxRows > ROWS_PER_TRANSACTION_MAX ||',
        replace: 'count + outboxRows > ROWS_PER_TRANSACTION_MAX + 1 ||',
      },
    ],
  },
  {
    id: 'one-bad-fails-all',
    title: 'one write that the store can never take fails all of its group',
    edits: [
      {
        file: LANE,
        find: 'if (isFault && members.length > 1) {',
        replace: 'if (isFault && members.length > 1e9) {',
      },
    ],
  },
  {
    id: 'message-lacks-the-last',
    title: 'the message of a group lacks its last change',
    edits: [
      {
        file: PACK,
        find: 'packed.map(({ text }) => text);',
        replace: 'packed.slice(0, Math.max(1, packed.length - 1)).map(({ text }) => text);',
      },
    ],
  },
  {
    id: 'removed-before-archived',
    title: 'what could not be archived is removed from the outbox all the same',
    edits: [
      {
        file: FINISH,
        find: "const safe = entriesOf('remove').filter((entry) => !unarchived.has(entry));",
        replace: "const safe = entriesOf('remove');",
      },
    ],
  },
  {
    id: 'removed-then-archived',
    title: 'a round removes from the outbox first and archives then',
    edits: [
      {
        file: FINISH,
        find: '    if (archiving.length > 0) await archive.append(archiving);\n',
        replace: '',
      },
      {
        file: FINISH,
        find: '      await outboxes.get(kind)?.remove(own);\n    }\n',
        replace:
          '      await outboxes.get(kind)?.remove(own);\n    }\n' +
          '    if (archiving.length > 0) await archive.append(archiving);\n',
      },
    ],
  },
  {
    id: 'archive-takes-the-first',
    title: 'of the change sets that are archived together only the first of each bucket is',
    edits: [
      {
        file: `${STORAGE}tables/table-archive.ts`,
        find: 'const operations = part.flatMap((entry) => toInsertions(',
        replace: 'const operations = part.slice(0, 1).flatMap((entry) => toInsertions(',
      },
    ],
  },
  {
    id: 'guesses-again',
    title: 'a guess about a row is made again after the store has refused it',
    edits: [
      { file: TO_BUCKET, find: 'replica, attempt === 1);', replace: 'replica, attempt > 0);' },
    ],
  },
  {
    id: 'guess-unguarded',
    title: 'what a row is guessed to be is written over it without its ETag',
    edits: [
      {
        file: TO_BUCKET,
        find: '{ entityId, row, stored }',
        replace: '{ entityId, row, stored: undefined }',
      },
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: "return { kind: 'insert', rowKey, properties };",
        replace: "return { kind: 'upsert', rowKey, properties };",
      },
    ],
  },
];
