import { describe, expect, it } from 'vitest';
import type { RowOperation, RowSeen, RowValues, TableState } from '../history/row-operation.ts';
import { checkRows } from './check-rows.ts';

const ROW = "it's/a";

type Forged = Partial<RowOperation> & Pick<RowOperation, 'action'>;

/** Every second one operation of a tenth of a second. */
function forge(operations: readonly Forged[]): RowOperation[] {
  return operations.map((given, id) => {
    const startMs = given.startMs ?? id * 1_000;
    const values =
      given.action === 'delete' || given.action === 'read' ? undefined : { mark: `m${id}` };
    const common = { id, region: 'east', row: ROW, values, outcome: 'acknowledged' } as const;
    return { ...common, startMs, endMs: startMs + 100, ...given };
  });
}

const present = (values: RowValues, etag = 'tag'): Extract<RowSeen, { kind: 'present' }> => ({
  kind: 'present',
  values,
  etag,
});
const ABSENT: RowSeen = { kind: 'absent' };

function end(...seen: readonly [RowSeen, RowSeen?]): TableState[] {
  const [east, west = east] = seen;
  return [
    { region: 'east', rows: new Map([[ROW, east]]) },
    { region: 'west', rows: new Map([[ROW, west]]) },
  ];
}

const m = (id: number, rest: Partial<RowValues> = {}): RowSeen =>
  present({ mark: `m${id}`, ...rest });
const put: Forged = { action: 'replace' };
const gone: Forged = { action: 'delete' };
const read = (seen: RowSeen, rest: Partial<RowOperation> = {}): Forged => ({
  action: 'read',
  seen,
  ...rest,
});

interface Case {
  readonly name: string;
  readonly operations: readonly Forged[];
  readonly shown: readonly [RowSeen, RowSeen?];
  readonly found: readonly string[];
}

const CASES: readonly Case[] = [
  { name: 'a write that is there', operations: [put], shown: [m(0)], found: [] },
  { name: 'a write that is nowhere', operations: [put], shown: [ABSENT], found: ['lost'] },
  {
    name: 'a write in one region only',
    operations: [put],
    shown: [m(0), ABSENT],
    found: ['lost', 'diverged'],
  },
  {
    name: 'an older write',
    operations: [put, { ...put, region: 'west' }],
    shown: [m(0)],
    found: ['lost'],
  },
  {
    name: 'either of two writes at once',
    operations: [put, { ...put, region: 'west', startMs: 50 }],
    shown: [m(0)],
    found: [],
  },
  {
    name: 'an older write after one that nobody answered',
    operations: [put, { ...put, outcome: 'unknown' }],
    shown: [m(0)],
    found: [],
  },
  {
    name: 'a row alive after its deletion',
    operations: [put, gone],
    shown: [m(0)],
    found: ['resurrected'],
  },
  {
    name: 'a row gone after a deletion at once',
    operations: [put, { ...gone, startMs: 50 }],
    shown: [ABSENT],
    found: [],
  },
  {
    name: 'a deletion that was refused',
    operations: [put, { ...gone, outcome: 'refused' }],
    shown: [ABSENT],
    found: ['lost'],
  },
  {
    name: 'a write that was refused',
    operations: [put, { ...put, outcome: 'refused' }],
    shown: [m(1)],
    found: ['unexpected'],
  },
  {
    name: 'values of two writes in one row',
    operations: [{ ...put, values: { mark: 'm0', first: 'a' } }, put],
    shown: [m(1, { first: 'a' })],
    found: ['torn'],
  },
  {
    name: 'what a merge leaves of the write before it',
    operations: [{ ...put, values: { mark: 'm0', first: 'a' } }, { action: 'merge' }],
    shown: [m(1, { first: 'a' })],
    found: [],
  },
  {
    name: 'a merge over a version, of which a value is gone',
    operations: [
      { ...put, values: { mark: 'm0', first: 'a' } },
      { action: 'merge', over: present({ mark: 'm0', first: 'a' }) },
    ],
    shown: [m(1)],
    found: ['torn'],
  },
  {
    name: 'one state under two tags',
    operations: [put],
    shown: [present({ mark: 'm0' }, '1'), m(0)],
    found: ['diverged'],
  },
  {
    name: 'a region that does not show its own write',
    operations: [put, read(ABSENT)],
    shown: [m(0)],
    found: ['unexpected'],
  },
  {
    name: 'a region that does not show yet what another wrote',
    operations: [put, read(ABSENT, { region: 'west' })],
    shown: [m(0)],
    found: [],
  },
  {
    name: 'a region that shows its own deletion not',
    operations: [put, gone, read(m(0))],
    shown: [ABSENT],
    found: ['unexpected'],
  },
  {
    name: 'an insertion where there is a row',
    operations: [put, { action: 'insert' }],
    shown: [m(1)],
    found: ['unexpected'],
  },
  {
    name: 'a deletion refused for want of a row that is there',
    operations: [put, { ...gone, outcome: 'refused', status: 404 }],
    shown: [m(0)],
    found: ['unexpected'],
  },
  {
    name: 'two writes over one version in one region',
    operations: [
      put,
      { ...put, over: present({ mark: 'm0' }) },
      { ...put, over: present({ mark: 'm0' }) },
    ],
    shown: [m(2)],
    found: ['unexpected'],
  },
  {
    name: 'two writes over one version in two regions',
    operations: [
      put,
      { ...put, over: present({ mark: 'm0' }) },
      { ...put, over: present({ mark: 'm0' }), region: 'west' },
    ],
    shown: [m(2)],
    found: [],
  },
  {
    name: 'a write answered as if there were no table',
    operations: [{ ...put, outcome: 'refused', status: 404 }],
    shown: [ABSENT],
    found: ['unexpected'],
  },
  {
    name: 'an error that is not deliberate',
    operations: [{ ...put, outcome: 'unknown', status: 500, note: 'InternalError' }],
    shown: [ABSENT],
    found: ['unexpected'],
  },
  { name: 'a row that nobody wrote', operations: [], shown: [m(0)], found: ['unexpected'] },
];

describe('the checker of rows', () => {
  it.each(CASES)('judges $name', ({ operations, shown, found }) => {
    const verdicts = checkRows(forge(operations), end(...shown)).map(({ verdict }) => verdict);
    expect(verdicts.toSorted()).toEqual(found.toSorted());
  });
});

describe('rows that only whole transactions write', () => {
  const group = ['group/0', 'group/1'];
  const together = (mark: string, at: number): Forged[] =>
    group.map((row) => ({
      ...put,
      row,
      group,
      together: at,
      values: { mark },
      startMs: at * 1_000,
    }));
  const written = [...together('m1', 1), ...together('m2', 2)];
  const shows = (...marks: readonly string[]): TableState[] => [
    {
      region: 'east',
      rows: new Map(group.map((row, place) => [row, present({ mark: marks[place] ?? '' })])),
    },
  ];
  const found = (operations: readonly Forged[], states: readonly TableState[]): string[] =>
    checkRows(forge(operations), states).map(({ verdict }) => verdict);

  it('show one of them at the end, and are torn where they show two', () => {
    expect(found(written, shows('m2', 'm2'))).toEqual([]);
    expect(found(written, shows('m2', 'm1'))).toContain('torn');
  });

  it('show one of them in every answer, in another region too', () => {
    const answer = (...marks: readonly string[]): Forged[] =>
      group.map((row, place) => ({
        ...read(present({ mark: marks[place] ?? '' }), { region: 'west', startMs: 2_500 }),
        row,
        group,
        together: 9,
      }));
    expect(found([...written, ...answer('m1', 'm1')], shows('m2', 'm2'))).toEqual([]);
    expect(found([...written, ...answer('m2', 'm1')], shows('m2', 'm2'))).toEqual(['torn']);
  });
});
