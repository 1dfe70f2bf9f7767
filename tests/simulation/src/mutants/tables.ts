import { CORE, type Mutant, STORAGE } from './mutant.ts';

const DECIDE = `${CORE}catalogue/decide-catalogue.ts`;
const CATALOGUE = `${STORAGE}catalogue/table-catalogue.ts`;
const PURGE = `${STORAGE}catalogue/purge-tables.ts`;
const COLLECT = `${STORAGE}retention/collect-tombstones.ts`;
const OPEN = `${STORAGE}read/open-table.ts`;
const ROWS = `${STORAGE}rows/open-row.ts`;

/** Faults of the catalogue of tables, of open rows and of what takes them away. */
export const tableMutants: readonly Mutant[] = [
  {
    id: 'deleted-table-lives',
    title: 'a table lives although its deletion is known',
    edits: [
      {
        file: DECIDE,
        find: 'return createdMs !== undefined && deletedMs === undefined;',
        replace: 'return createdMs !== undefined && (deletedMs ?? 0) >= 0;',
      },
    ],
  },
  {
    id: 'number-used-again',
    title: 'a table that is created again gets the number of the deleted one',
    edits: [
      {
        file: DECIDE,
        find: 'const next = (generations.at(-1)?.generation ?? -1) + 1;',
        replace: 'const next = Math.max(0, generations.at(-1)?.generation ?? 0);',
      },
      {
        file: CATALOGUE,
        find: "const outcome = await table.put(entityId, decided.record, { kind: 'absent' });\n      if (outcome.kind !== 'created') return",
        replace:
          "const outcome = await table.put(entityId, decided.record);\n      if (!('record' in outcome)) return",
      },
    ],
  },
  {
    id: 'created-twice-differs',
    title: 'two regions that create a table at once give it two numbers',
    edits: [
      {
        file: CATALOGUE,
        find: 'return { ...decision, record: toCreation(name, settings, { nowMs: clock.nowMs() }) };',
        replace:
          'return { ...decision, generation: decision.generation + (clock.nowMs() % 3), record: toCreation(name, settings, { nowMs: clock.nowMs() }) };',
      },
    ],
  },
  {
    id: 'purge-ignores-restore',
    title: 'rows are purged although a restored table shows them',
    edits: [
      {
        file: DECIDE,
        find: '      one.rowsOf === rowsOf ||\n      one.generation === rowsOf ||',
        replace: '      one.generation === rowsOf ||',
      },
    ],
  },
  {
    id: 'purged-early',
    title: 'what was deleted is purged at once, and not once it cannot be restored any more',
    edits: [
      { file: PURGE, find: 'ageMs: keepMs + marginMs,', replace: 'ageMs: keepMs * 0,' },
      { file: PURGE, find: 'ageMs: marginMs,', replace: 'ageMs: 0,' },
    ],
  },
  {
    id: 'purged-before-peers-know',
    title: 'rows are purged as soon as one region has said so',
    edits: [
      {
        file: PURGE,
        find: 'passedMs: ofPeers.map((peer) => peer?.allAppliedMs),',
        replace: 'passedMs: [],',
      },
      { file: PURGE, find: 'ageMs: marginMs,', replace: 'ageMs: 0,' },
    ],
  },
  {
    id: 'never-purged',
    title: 'rows of a deleted table stay for ever',
    edits: [
      {
        file: COLLECT,
        find: 'options.purge?.onPurged(await removeRows(options, bucket, part));',
        replace: 'options.purge?.onPurged(part.length);',
      },
    ],
  },
  {
    id: 'other-tables-purged',
    title: 'with the rows of a deleted table those of its neighbours go',
    edits: [
      {
        file: PURGE,
        find: 'gone.has(tableIdOf(entityId))',
        replace: 'gone.size > 0 && tableIdOf(entityId) !== undefined',
      },
    ],
  },
  {
    id: 'open-policy-ignored',
    title: 'rows of a table with the policy `row` merge field by field',
    edits: [
      {
        file: OPEN,
        find: "const { states, tableId, policy = 'row' } = options;",
        replace: "const { states, tableId } = options;\n  const policy = 'field';",
      },
    ],
  },
  {
    id: 'open-stamp-forgotten',
    title: 'an open row is written without the newest of its properties',
    edits: [
      {
        file: ROWS,
        find: 'for (const [name, { value }] of fields) if (value !== null) columns.set(name, value);',
        replace:
          "for (const [name, { value }] of fields) if (value !== null && name !== 'c') columns.set(name, value);",
      },
    ],
  },
];
