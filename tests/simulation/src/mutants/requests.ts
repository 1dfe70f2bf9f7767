import { CORE, type Mutant, STORAGE } from './mutant.ts';

const MERGE = `${CORE}state/merge.ts`;
const WRITE = `${CORE}state/write-entity.ts`;
const WIRE = `${CORE}wire/change-set-bytes.ts`;
const ROWS = `${STORAGE}rows/open-row.ts`;
const DECIDE = `${STORAGE}write-path/decide-write.ts`;

/** Faults of what knows a request again that its client repeats. */
export const requestMutants: readonly Mutant[] = [
  {
    id: 'request-lost-by-merge',
    title: 'a merge drops which request made the newest transaction',
    edits: [
      {
        file: MERGE,
        find: '    ...(request === undefined ? {} : { request }),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'request-of-older-kept-by-merge',
    title: 'a merge keeps the request of the older transaction',
    edits: [
      {
        file: MERGE,
        find: 'return ofA > ofB ? a.request : b.request;',
        replace: 'return ofA > ofB ? (b.request ?? a.request) : (a.request ?? b.request);',
      },
    ],
  },
  {
    id: 'request-outlives-a-write',
    title: 'a row keeps the request of before under a write that has none',
    edits: [
      {
        file: WRITE,
        find: '{ ...stored, request };',
        replace: '{ ...stored, request: request ?? stored.request };',
      },
      {
        file: WRITE,
        find: '    ...(request === undefined ? {} : { request }),\n',
        replace: '    request: request ?? context.stored?.request,\n',
      },
    ],
  },
  {
    id: 'any-request-known',
    title: 'whatever request made a row is taken for the one that is repeated',
    edits: [
      {
        file: DECIDE,
        find: 'changes.find(({ known }) => known.row?.state.request === request);',
        replace: 'changes.find(({ known }) => known.row?.state.request !== undefined);',
      },
    ],
  },
  {
    id: 'request-not-known',
    title: 'a repeated request is decided as if it had never been done',
    edits: [
      {
        file: DECIDE,
        find: 'const outcomes = request && recognise(changes, request);',
        replace: "const outcomes = request === '' && recognise(changes, request);",
      },
    ],
  },
  {
    id: 'request-known-by-first-row',
    title:
      'a repeated transaction is known by its first row alone, which another may have written over',
    edits: [
      {
        file: DECIDE,
        find: 'changes.find(({ known }) => known.row?.state.request === request);',
        replace: 'changes.slice(0, 1).find(({ known }) => known.row?.state.request === request);',
      },
    ],
  },
  {
    id: 'repeat-refused-on-old-rows',
    title: 'a repeated transaction is refused for one row while what is known of another is older',
    edits: [
      {
        file: DECIDE,
        find: 'request === undefined ? [] : placesToldBefore(changes, arrivedAt);',
        replace: "request === '' ? placesToldBefore(changes, arrivedAt) : [];",
      },
    ],
  },
  {
    id: 'repeat-told-of-another',
    title: 'a repeated transaction is answered with the version that another has written since',
    edits: [
      {
        file: DECIDE,
        find: '      row?.state.request === request\n        ? row.state',
        replace: '      row?.state !== undefined\n        ? row.state',
      },
    ],
  },
  {
    id: 'request-not-stored',
    title: 'a row does not say which request wrote it',
    edits: [{ file: ROWS, find: '    q: state.request,\n', replace: '' }],
  },
  {
    id: 'request-not-sent',
    title: 'a change set does not say which request made it',
    edits: [
      {
        file: WIRE,
        find: '    ...(state.request === undefined ? {} : { request: state.request }),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'request-not-read',
    title: 'what a change set says of its request is read over',
    edits: [
      {
        file: WIRE,
        find: 'wire >= REQUEST_WIRE_VERSION ? decodeRequest(encoded.request) : undefined;',
        replace: 'wire > REQUEST_WIRE_VERSION ? decodeRequest(encoded.request) : undefined;',
      },
    ],
  },
];
