import type { RunPlan } from '../run/run-plan.ts';
import { CORE, type Mutant, STORAGE } from './mutant.ts';

const OPEN = `${STORAGE}read/open-table.ts`;
const QUERY = `${STORAGE}read/query-open-rows.ts`;
const COPY = `${STORAGE}write-path/copy-old-table.ts`;
const MIRROR = `${STORAGE}write-path/mirror-page.ts`;
const CATALOGUE = `${STORAGE}catalogue/table-catalogue.ts`;
const ENDPOINT = 'packages/region/src/open-tables.ts';
const TAKE_OVER = 'apps/cli/src/commands/take-over-tables.ts';
const RETURN = 'apps/cli/src/commands/return-tables.ts';
const BRING = `${CORE}recovery/bring-over.ts`;

const where = ({ migration }: RunPlan): boolean => migration !== undefined;
const whereReturned = ({ migration }: RunPlan): boolean => migration?.goal === 'returned';
const whereMoved = ({ migration }: RunPlan): boolean => migration?.movesOn === true;

/**
 * Faults of how a table moves under the regions and back. The first are those of MigratingTable (Deligiannis et al., FAST 2016) that can
 * happen where the old table is written no more; their names there are given.
 */
export const migrationMutants: readonly Mutant[] = [
  {
    id: 'filter-shadows',
    title: 'QueryAtomicFilterShadowing: a row that does not match no longer hides the old one',
    edits: [
      {
        file: QUERY,
        find: 'return asked.old === undefined ? [] : [{ ...found, isHidden: true }];',
        replace:
          'return asked.old === undefined || isAlive(judged.row.state) ? [] : [{ ...found, isHidden: true }];',
      },
    ],
    where,
  },
  {
    id: 'stream-without-tombstones',
    title: 'QueryStreamedFilterShadowing: a tombstone does not hide the old row in pages',
    edits: [
      {
        file: QUERY,
        find: 'return asked.old === undefined ? [] : [{ ...found, isHidden: true }];',
        replace:
          'return asked.old === undefined || !isAlive(judged.row.state) ? [] : [{ ...found, isHidden: true }];',
      },
    ],
    where,
  },
  {
    id: 'stream-backed-up',
    title: 'QueryStreamedBackUpNewStream: a row that is on both sides is shown of both',
    edits: [
      {
        file: QUERY,
        find: 'else if (head.row.entityId === other.row.entityId) stream.buffer.shift();',
        replace:
          'else if (head.row.entityId === other.row.entityId && head.isHidden) stream.buffer.shift();',
      },
    ],
    where,
  },
  {
    id: 'old-row-behind-tombstone',
    title: 'DeleteNoLeaveTombstones: what was deleted since is read from the old table',
    edits: [
      {
        file: OPEN,
        find: 'if (row !== undefined) return isAlive(row.state) ? toRecord(key, row) : undefined;',
        replace: 'if (row !== undefined && isAlive(row.state)) return toRecord(key, row);',
      },
    ],
    where,
  },
  {
    id: 'insert-beside-old',
    title: 'InsertBehindMigrator: an insertion does not look for the row in the old table',
    edits: [
      {
        file: OPEN,
        find: 'adopted: await old?.get(key),',
        replace: "adopted: condition?.kind === 'absent' ? undefined : await old?.get(key),",
      },
    ],
    where,
  },
  {
    id: 'written-beside-old',
    title: 'EnsurePartitionSwitchedFromPopulated: a write is not made on the old row',
    edits: [{ file: OPEN, find: 'adopted: await old?.get(key),', replace: 'adopted: undefined,' }],
    where,
  },
  {
    id: 'forwarded-while-frozen',
    title: 'a write goes to the old table by what its process remembers of the state',
    edits: [
      {
        file: ENDPOINT,
        find: 'if (isProxy && clock.nowMs() - startedMs <= MAY_WRITE_MS) return;',
        replace: 'if (isProxy || startedMs > 0) return;',
      },
    ],
    where,
  },
  {
    id: 'copied-is-done',
    title:
      'MigrateSkipUseNewWithTombstones: the old table is read no more once the home region has its rows',
    edits: [
      {
        file: ENDPOINT,
        find: "    case 'done':\n      return bindOurs(found, parts);\n    case 'overlay':\n    case 'copied':",
        replace:
          "    case 'done':\n    case 'copied':\n      return bindOurs(found, parts);\n    case 'overlay':",
      },
    ],
    where,
  },
  {
    id: 'proved-at-home',
    title: 'a table is done once the home region has every old row',
    edits: [
      {
        file: TAKE_OVER,
        find: "if (table.replicate === 'none' && one.name !== source.home) continue;",
        replace: 'if (one.name !== source.home) continue;',
      },
    ],
    where,
  },
  {
    id: 'copied-as-written',
    title: 'the copier writes rows as clients do, and their ETags die',
    edits: [
      {
        file: COPY,
        find: "const write = { kind: 'adopt' } as const;",
        replace:
          "const write = { kind: 'put', values: new Map([...state.fields].map(([name, { value }]) => [name, value])) } as const;",
      },
    ],
    where,
  },
  {
    id: 'adopted-by-time',
    title: 'TombstoneOutputETag: what is answered of an old row is not its ETag',
    edits: [
      {
        file: `${STORAGE}read/old-table.ts`,
        find: 'const timestamp = timestampOfTag(etag);',
        replace: "const timestamp = timestampOfTag(etag)?.replace(/\\.\\d+/, '');",
      },
    ],
    where,
  },
  {
    id: 'mirror-without-deletions',
    title: 'what was deleted stays in the mirror',
    edits: [
      {
        file: MIRROR,
        find: 'if (!own.has(entityId))',
        replace: "if (!own.has(entityId) && rowKey === '')",
      },
    ],
    where: whereReturned,
  },
  {
    id: 'mirror-without-old',
    title: 'a return leaves out the rows that are still in the old table alone',
    edits: [
      {
        file: RETURN,
        find: 'const shown = { ...rows, old: overlaidBy(now.source) && old };',
        replace: 'const shown = { ...rows, old: now === undefined ? old : undefined };',
      },
    ],
    where: whereReturned,
  },
  {
    id: 'returned-unproven',
    title: 'a return hands over what the mirror had before the other regions were waited for',
    edits: [
      {
        file: RETURN,
        find: 'const { rows } = canBeFollowed(passed)\n    ? await proveFollowed(leaving, passed, hold)\n    : await passOnce(leaving, hold, { isProof: true });',
        replace: 'const rows = Math.min(0, (await hold()).leasedUntilMs);',
      },
      {
        file: RETURN,
        find: 'let passed = await passOnce(leaving, hold, { isProof: false });',
        replace: 'let passed: Passed = { rows: 0, fromMs: undefined };',
      },
    ],
    where: whereReturned,
  },
  {
    id: 'leaving-takes-writes',
    title: 'a table on its way out takes writes',
    edits: [
      {
        file: ENDPOINT,
        find: 'work((await look()) ?? (await wait()));',
        replace: 'work((await look()) ?? bound.rows);',
      },
      {
        file: CATALOGUE,
        find: 'return !isHeldIn(region, current.table.source);',
        replace: "return region !== '';",
      },
    ],
    where: whereReturned,
  },
  {
    id: 'page-over-unread',
    title: 'a page that ends by its time gives rows before which others may come',
    edits: [
      {
        file: QUERY,
        find: '(unknown !== undefined && orderOfStarts(next, unknown) >= 0)) break;',
        replace: 'streams.length === 0) break;',
      },
    ],
  },
  {
    id: 'moved-without-join',
    title: 'a transaction is made on the row of one space alone',
    edits: [
      {
        file: OPEN,
        find: 'await other?.pull(all.map(({ entityId }) => entityId));',
        replace: '',
      },
    ],
    where: whereMoved,
  },
  {
    id: 'moved-without-rows',
    title: 'the rows of the old space are not brought over',
    edits: [
      {
        file: BRING,
        find: 'mergeStatesInto(to.replica, states, to.conflicts)',
        replace: 'mergeStatesInto(to.replica, new Map(), to.conflicts)',
      },
    ],
    where: whereMoved,
  },
  {
    id: 'moved-without-archive',
    title: 'the archive of the old space is not brought over',
    edits: [
      {
        file: BRING,
        find: 'const there = await to.archive.put(batch);',
        replace: 'const there = await to.archive.put(batch.slice(batch.length));',
      },
    ],
    where: whereMoved,
  },
];
