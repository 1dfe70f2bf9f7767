import { describe, expect, it } from 'vitest';
import type { Seen } from '../history/operation.ts';
import {
  ABSENT,
  CUSTOMER,
  type Forged,
  forgeEnd,
  forgeHistory,
  present,
} from '../testing/forge-history.ts';
import { checkRun } from './check-run.ts';

/** Values of a put: what is not named has none. */
const all = (email: string, rest: Record<string, string> = {}) => ({
  email,
  firstName: null,
  lastName: null,
  phoneNumber: null,
  ...rest,
});

const PUT: Forged = { action: 'put', values: all('a@x') };

function verdicts(operations: readonly Forged[], east: Seen, west?: Seen): string[] {
  return checkRun(forgeHistory(operations), forgeEnd(east, west)).map(({ verdict }) => verdict);
}

interface Case {
  readonly name: string;
  readonly operations: readonly Forged[];
  readonly east: Seen;
  readonly west?: Seen;
  readonly found: readonly string[];
}

const patch = (phoneNumber: string | null, rest: Partial<Forged> = {}): Forged => ({
  action: 'patch',
  values: { phoneNumber },
  ...rest,
});
const refused = { outcome: 'refused', status: 412 } as const;
const unknown = { outcome: 'unknown' } as const;
const a1 = present(all('a@x', { phoneNumber: '1' }));

describe('a group that only whole transactions write', () => {
  const OTHER = 'c0a1b2c3-0d4e-4f5a-8b6c-7d8e9f0a1b2c';
  const group = [CUSTOMER, OTHER];
  const part = (customer: string, email: string, startMs: number): Forged => ({
    action: 'put',
    customer,
    group,
    values: all(email),
    startMs,
  });
  const written = ['a@x', 'b@x'].flatMap((email, index) =>
    group.map((customer) => part(customer, email, index * 1_000)),
  );
  const end = (...emails: readonly (string | undefined)[]) => [
    {
      region: 'east',
      startMs: 1_000_000,
      customers: new Map(
        group.map((customer, place) => {
          const email = emails[place];
          return [customer, email === undefined ? ABSENT : present(all(email))];
        }),
      ),
    },
  ];
  const found = (...emails: readonly (string | undefined)[]): string[] =>
    checkRun(forgeHistory(written), end(...emails)).map(({ verdict }) => verdict);

  it('shows one of them, and is torn where it shows two or a part', () => {
    expect(found('b@x', 'b@x')).toEqual([]);
    expect(found('b@x', 'a@x')).toContain('torn');
    expect(found('b@x', undefined)).toContain('torn');
  });
});

const FINAL: readonly Case[] = [
  { name: 'a write that is there', operations: [PUT], east: present(all('a@x')), found: [] },
  { name: 'a write that is nowhere', operations: [PUT], east: ABSENT, found: ['lost'] },
  {
    name: 'a write that is in one region only',
    operations: [PUT],
    east: present(all('a@x')),
    west: ABSENT,
    found: ['lost', 'diverged'],
  },
  {
    name: 'one state under two entity tags',
    operations: [PUT],
    east: present(all('a@x'), '"1"'),
    west: present(all('a@x'), '"2"'),
    found: ['diverged'],
  },
  {
    name: 'an older value of a field',
    operations: [PUT, patch('1'), patch('2')],
    east: a1,
    found: ['lost'],
  },
  {
    name: 'an older value of a field, written later in the other region',
    operations: [PUT, patch('1'), patch('2', { via: 'west' })],
    east: a1,
    found: ['lost'],
  },
  {
    name: 'either of two values that were written at once',
    operations: [PUT, patch('1', { startMs: 1_000 }), patch('2', { startMs: 1_050, via: 'west' })],
    east: a1,
    found: [],
  },
  {
    name: 'neither of two values that were written at once',
    operations: [
      PUT,
      patch('0', { startMs: 500 }),
      patch('1', { startMs: 1_000 }),
      patch('2', { startMs: 1_050, via: 'west' }),
    ],
    east: present(all('a@x', { phoneNumber: '0' })),
    found: ['lost'],
  },
  {
    name: 'fields of two writes, each the later one of its field',
    operations: [PUT, patch('1'), { action: 'patch', values: { email: 'b@x' }, via: 'west' }],
    east: present(all('b@x', { phoneNumber: '1' })),
    found: [],
  },
  {
    name: 'a field that a write of another field took along',
    operations: [PUT, patch('1'), { action: 'patch', values: { email: 'b@x' }, via: 'west' }],
    east: present(all('b@x')),
    found: ['lost'],
  },
  {
    name: 'an unanswered write, there',
    operations: [PUT, patch('1', unknown)],
    east: a1,
    found: [],
  },
  {
    name: 'an unanswered write, not there',
    operations: [PUT, patch('1', unknown)],
    east: present(all('a@x')),
    found: [],
  },
  {
    name: 'an unanswered write that took effect after a later one',
    operations: [PUT, patch('1', unknown), patch('2')],
    east: a1,
    found: [],
  },
  {
    name: 'a refused write that is there',
    operations: [PUT, patch('1', refused)],
    east: a1,
    found: ['unexpected'],
  },
  { name: 'a value nobody wrote', operations: [PUT], east: a1, found: ['unexpected'] },
  {
    name: 'a deletion',
    operations: [PUT, { action: 'delete' }],
    east: ABSENT,
    found: [],
  },
  {
    name: 'a deletion that did not last',
    operations: [PUT, { action: 'delete' }],
    east: present(all('a@x')),
    found: ['resurrected'],
  },
  {
    name: 'a deletion that did not last in one region',
    operations: [PUT, { action: 'delete' }],
    east: ABSENT,
    west: present(all('a@x')),
    found: ['resurrected', 'diverged'],
  },
  {
    name: 'a deletion and a write at once: the write',
    operations: [
      PUT,
      { action: 'delete', startMs: 1_000 },
      patch('1', { startMs: 1_050, via: 'west' }),
    ],
    east: a1,
    found: [],
  },
  {
    name: 'a deletion and a write at once: the deletion',
    operations: [
      PUT,
      { action: 'delete', startMs: 1_000 },
      patch('1', { startMs: 1_050, via: 'west' }),
    ],
    east: ABSENT,
    found: [],
  },
  {
    name: 'a new life, gone with the deletion before it',
    operations: [PUT, { action: 'delete' }, { action: 'put', values: all('b@x'), via: 'west' }],
    east: ABSENT,
    found: ['lost'],
  },
  {
    name: 'a patch that took nothing away, gone with a deletion that its region had not seen',
    operations: [PUT, { action: 'delete', via: 'west' }, patch(null)],
    east: ABSENT,
    found: [],
  },
  {
    name: 'a patch that gave a value, gone with a deletion that its region had not seen',
    operations: [PUT, { action: 'delete', via: 'west' }, patch('1')],
    east: ABSENT,
    found: ['lost'],
  },
  {
    name: 'an unanswered deletion, alive or not',
    operations: [PUT, { action: 'delete', ...unknown }],
    east: ABSENT,
    found: [],
  },
  {
    name: 'a refused deletion that was done',
    operations: [PUT, { action: 'delete', outcome: 'refused', status: 404 }],
    east: ABSENT,
    found: ['lost'],
  },
  {
    name: 'a value taken away, there again',
    operations: [PUT, patch('1'), patch(null)],
    east: a1,
    found: ['lost'],
  },
  {
    name: 'a value that the other region took away before it had it',
    operations: [PUT, patch('1'), { ...PUT, via: 'west', values: all('b@x') }],
    east: present(all('b@x', { phoneNumber: '1' })),
    found: [],
  },
];

describe('the checker, from what the regions show at the end', () => {
  it.each(FINAL)('$name: $found', ({ operations, east, west, found }) => {
    expect(verdicts(operations, east, west).toSorted()).toEqual(found.toSorted());
  });

  it('finds a customer that nobody created, and knows an unanswered creation by its address', () => {
    const stranger = present(all('s@x'));
    expect(verdicts([], stranger)).toEqual(['unexpected']);
    const creation: Forged = { action: 'create', customer: undefined, values: all('s@x') };
    expect(verdicts([{ ...creation, ...unknown, key: 'k' }], stranger)).toEqual([]);
  });

  it('takes repetitions of a creation for writes of one customer', () => {
    const values = all('s@x');
    const first: Forged = { action: 'create', customer: undefined, values, key: 'k', ...unknown };
    const second: Forged = { action: 'create', customer: CUSTOMER, values, key: 'k', via: 'west' };
    const end: Forged = { action: 'delete' };
    expect(verdicts([first, second], present(values))).toEqual([]);
    // The first try may have been done after the deletion.
    expect(verdicts([first, second, end], present(values))).toEqual([]);
    expect(verdicts([second, end], present(values))).toEqual(['resurrected']);
  });
});
