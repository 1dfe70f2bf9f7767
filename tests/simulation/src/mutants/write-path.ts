import { CORE, type Mutant, STORAGE } from './mutant.ts';

const COMMIT = `${STORAGE}write-path/commit-change-set.ts`;
const WRITE = `${CORE}state/write-entity.ts`;

/** Faults of the write path and of the clock that it stamps with. */
export const writePathMutants: readonly Mutant[] = [
  {
    id: 'group-written-twice',
    title: 'after an ambiguous answer the group is written again under a new stamp',
    edits: [
      {
        file: COMMIT,
        find: 'if (unknown !== undefined && (await isCommitted(entry.set, context))) return COMMITTED_UNSEEN;',
        replace: '',
      },
      {
        file: COMMIT,
        find: 'const isOurs = unknown !== undefined && (await isCommitted(entry.set, context));',
        replace: 'const isOurs = unknown !== undefined && !context;',
      },
    ],
  },
  {
    id: 'ambiguous-as-failed',
    title: 'an ambiguous write is reported as not done',
    edits: [
      {
        file: COMMIT,
        find: '      unknown ??= error;\n',
        replace: "      throw Object.assign(error, { code: 'TABLE_UNAVAILABLE' });\n",
      },
    ],
  },
  {
    id: 'ambiguous-as-done',
    title: 'an ambiguous write is reported as done',
    edits: [
      {
        file: COMMIT,
        find: '      unknown ??= error;\n',
        replace: '      return COMMITTED_UNSEEN;\n',
      },
    ],
  },
  {
    id: 'unknown-looks-at-outbox-only',
    title:
      'after an ambiguous answer only the outbox is asked, though the relay may have emptied it',
    edits: [
      {
        file: `${STORAGE}write-path/commit-change-set.ts`,
        find: 'return row !== undefined || (await archive.has(key));',
        replace: 'return row !== undefined || !archive;',
      },
    ],
  },
  {
    id: 'blind-write',
    title: 'rows are overwritten whatever their ETag is',
    edits: [
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: "return { kind: 'replace', rowKey, properties, etag: stored.etag, changed };",
        replace: "return { kind: 'upsert', rowKey, properties };",
      },
    ],
  },
  {
    id: 'gone-column-left',
    title: 'of a row that loses a column only what changed is sent, which leaves the column there',
    edits: [
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: '    if (value === null) return undefined;\n',
        replace: '',
      },
    ],
  },
  {
    id: 'unchanged-by-name',
    title: 'a column that was there is held to be as it was',
    edits: [
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: 'if (fieldBefore !== undefined && isSameValue(fieldBefore.value, value)) continue;',
        replace: 'if (fieldBefore !== undefined) continue;',
      },
    ],
  },
  {
    id: 'clock-adopts-far-ahead',
    title: 'the clock adopts a stamp that is far ahead',
    edits: [
      {
        file: `${CORE}time/hybrid-clock.ts`,
        find: 'timeMs > nowMs() + driftMsMax;',
        replace: 'timeMs > nowMs() + driftMsMax * 1e6;',
      },
    ],
  },
  {
    id: 'clock-ignores-floor',
    title: 'a stamp need not exceed those of the row that it replaces',
    edits: [
      {
        file: `${CORE}time/hybrid-clock.ts`,
        find: 'floor === undefined ? ZERO : parseStamp(floor);',
        replace: 'floor === undefined ? ZERO : { ...parseStamp(floor), ...ZERO };',
      },
    ],
  },
  {
    id: 'delete-without-tombstone',
    title: 'a deletion leaves no stamp of its own',
    edits: [
      {
        file: WRITE,
        find: 'return { ...unchanged, deleted: stamp, vector };',
        replace: 'return { ...unchanged, alive: undefined, vector };',
      },
    ],
  },
  {
    id: 'create-keeps-silent',
    title: 'a create says nothing of the fields that it leaves out',
    seedsMax: 400,
    edits: [
      {
        file: WRITE,
        find: 'const isStamped = !isUnchanged(own, value) || (own === undefined && stampAll);',
        replace: 'const isStamped = !isUnchanged(own, value);',
      },
    ],
  },
  {
    id: 'patch-stamps-all',
    title: 'a patch claims the fields that it does not touch',
    edits: [
      {
        file: WRITE,
        find: "const stampAll = policy === 'row' ||",
        replace: "const stampAll = policy === 'row' || stored !== undefined ||",
      },
    ],
  },
];
