import { CORE, type Mutant, STORAGE } from './mutant.ts';

const FOLD = `${CORE}recovery/fold-archive.ts`;
const JOIN = `${CORE}recovery/join-entities.ts`;
const SPAN = `${CORE}recovery/replay-span.ts`;
const VERIFY = `${CORE}recovery/verify-regions.ts`;
const ERASE = `${CORE}recovery/erase-entity.ts`;
const RISK = `${CORE}recovery/list-at-risk.ts`;
const REPAIR = `${CORE}recovery/repair-regions.ts`;
const KEEPER = `${STORAGE}recovery/archive-keeper.ts`;
const FORGET = `${STORAGE}recovery/forget-entity.ts`;
const TABLE = `${STORAGE}recovery/replay-into-table.ts`;

/** Faults of what operators run when something was lost. */
export const recoveryMutants: readonly Mutant[] = [
  {
    id: 'fold-ignores-time',
    title: 'a replay to a time takes what was written later as well',
    edits: [{ file: SPAN, find: '...(beforeMs === undefined ? {} : { beforeMs }),', replace: '' }],
  },
  {
    id: 'replay-keeps-last',
    title: 'of the archived states of an entity the last one is kept',
    edits: [
      {
        file: FOLD,
        find: 'known === undefined ? found : mergeRows(known, found)',
        replace: 'known === undefined || mergeRows !== undefined ? found : known',
      },
    ],
  },
  {
    id: 'fold-keeps-first',
    title: 'of the archived states of an entity the first one is kept',
    edits: [
      {
        file: FOLD,
        find: 'known === undefined ? found : mergeRows(known, found)',
        replace: 'known === undefined || mergeRows === undefined ? found : known',
      },
    ],
  },
  {
    id: 'fold-drops-rest',
    title: 'of a change set only the first change is replayed',
    edits: [
      {
        file: FOLD,
        find: 'for (const change of row.set.changes) {',
        replace: 'for (const change of row.set.changes.slice(0, 1)) {',
      },
    ],
  },
  {
    id: 'fold-skips-deletions',
    title: 'a replay leaves out what was deleted',
    edits: [
      {
        file: FOLD,
        find: 'if (entityId !== undefined && change.entityId !== entityId) continue;',
        replace:
          "if (change.operation === 'delete') continue;\n      if (entityId !== undefined && change.entityId !== entityId) continue;",
      },
    ],
  },
  {
    id: 'replay-begins-late',
    title: 'a replay leaves out the first row of each page of the archive',
    edits: [
      {
        file: KEEPER,
        find: 'for (const row of page.rows) yield readArchiveRow(row);',
        replace: 'for (const row of page.rows.slice(1)) yield readArchiveRow(row);',
      },
    ],
  },
  {
    id: 'replay-forgets-bucket',
    title: 'a replay into a table leaves out the last bucket',
    edits: [
      {
        file: TABLE,
        find: 'buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),',
        replace:
          'buckets: buckets.filter((bucket, at) => !bucketsDone.includes(bucket) && (at === 0 || at < buckets.length - 1)),',
      },
    ],
  },
  {
    id: 'join-blind',
    title: 'a repair gives every region what the first has',
    edits: [
      {
        file: JOIN,
        find: 'row === undefined ? incoming : mergeRows(row, incoming)',
        replace: 'row === undefined || mergeRows !== undefined ? incoming : row',
      },
    ],
  },
  {
    id: 'repair-first-only',
    title: 'a repair mends the first row of its plan in each bucket',
    edits: [
      {
        file: REPAIR,
        find: 'chunk(own, { countMax: BATCH_MAX })',
        replace: 'chunk(own.slice(0, 1), { countMax: BATCH_MAX })',
      },
    ],
  },
  {
    id: 'verify-forgets-last-region',
    title: 'a verification looks at two regions only',
    edits: [
      {
        file: VERIFY,
        find: 'const comparison = await compareBucket(regions, bucket, {',
        replace: 'const comparison = await compareBucket(regions.slice(0, 1), bucket, {',
      },
    ],
  },
  {
    id: 'erase-leaves-archive',
    title: 'forgetting leaves the archive as it is',
    edits: [
      {
        file: ERASE,
        find: 'if (set === undefined) continue;',
        replace: "if (set === undefined || entityId !== '') continue;",
      },
    ],
  },
  {
    id: 'erase-misses-conflicts',
    title: 'forgetting leaves the journal as it is',
    edits: [
      {
        file: ERASE,
        find: '      await eraseConflicts(region, entityId, until);',
        replace: '      if (region === undefined) await eraseConflicts(region, entityId, until);',
      },
    ],
  },
  {
    id: 'forget-misses-copies',
    title: 'forgetting leaves the tables that replays made',
    edits: [
      {
        file: FORGET,
        find: '    await eraseCopies(region, entityId);',
        replace: '    if (region === undefined) await eraseCopies(region, entityId);',
      },
    ],
  },
  {
    id: 'forget-one-region',
    title: 'forgetting erases in one region',
    edits: [
      {
        file: FORGET,
        find: '  for (const region of regions) {\n    await eraseEntity(',
        replace: '  for (const region of regions.slice(0, 1)) {\n    await eraseEntity(',
      },
    ],
  },
  {
    id: 'risk-one-bucket',
    title: 'the list of what is at risk reads one bucket',
    edits: [
      {
        file: RISK,
        find: 'for (const bucket of buckets) {',
        replace: 'for (const bucket of buckets.slice(0, 1)) {',
      },
    ],
  },
];
