import { CORE, type Mutant, STORAGE } from './mutant.ts';

const MERGE = `${CORE}state/merge.ts`;
const ROW = `${STORAGE}rows/entity-row.ts`;

/** Faults of the base, by which a write owns the whole row. */
export const baseMutants: readonly Mutant[] = [
  {
    id: 'base-ignored',
    title: 'a merge keeps what was stamped before the base',
    edits: [{ file: MERGE, find: 'fields: fieldsSince(base, fields),', replace: 'fields,' }],
  },
  {
    id: 'base-before-maximum',
    title: 'a merge filters by the base of one side, before it takes the greater of both',
    edits: [
      {
        file: MERGE,
        find: 'fields: fieldsSince(base, fields),',
        replace: 'fields: fieldsSince(a.base, fields),',
      },
    ],
  },
  {
    id: 'base-not-sent',
    title: 'a change set does not tell the base of a state',
    edits: [
      {
        file: `${CORE}wire/change-set-bytes.ts`,
        find: '    ...(state.base === undefined ? {} : { base: state.base }),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'base-lost-in-row',
    title: 'the row of an entity does not hold its base',
    edits: [{ file: ROW, find: "  setText('_base', state.base);\n", replace: '' }],
  },
  {
    id: 'base-left-in-row',
    title: 'of a row that has a new base the column stays as it was',
    edits: [
      {
        file: ROW,
        find: "    ['_base', before.state.base, after.state.base],\n",
        replace: '',
      },
    ],
  },
  {
    id: 'base-not-remembered',
    title: 'what is remembered of a row lacks its base',
    edits: [
      {
        file: `${STORAGE}tables/pack-row.ts`,
        find: '      ...(base === 0 ? {} : { base: stampAt(base - 1) }),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'dropped-unjournalled',
    title: 'a value that a base takes away is in no journal',
    edits: [
      {
        file: `${CORE}model/conflict.ts`,
        find: '    ...droppedFields(stored, state),\n    ...droppedFields(state, stored),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'row-keeps-others',
    title: 'a write that owns the whole row takes no base',
    edits: [
      {
        file: `${CORE}state/write-entity.ts`,
        find: '    base: stamp,\n    ...(request === undefined',
        replace: '    ...(request === undefined',
      },
    ],
  },
];
