import { describe, expect, it } from 'vitest';
import type { Operation, Seen } from '../history/operation.ts';
import { ABSENT, type Forged, forgeEnd, forgeHistory, present } from '../testing/forge-history.ts';
import { checkRun } from './check-run.ts';

const first = { email: 'a@x', firstName: null, lastName: null, phoneNumber: null };
const PUT: Forged = { action: 'put', values: first };
const PATCH: Forged = { action: 'patch', values: { phoneNumber: '1' } };
const LAST = present({ ...first, phoneNumber: '1' });

function found(read: Partial<Operation>, before: readonly Forged[] = [PUT, PATCH]): string[] {
  const operations = forgeHistory([...before, { action: 'read', ...read }]);
  return checkRun(operations, forgeEnd(LAST)).map(({ verdict }) => verdict);
}

interface Case {
  readonly name: string;
  readonly read: Partial<Operation>;
  readonly found: readonly string[];
}

const OLD: Seen = present(first);

const CASES: readonly Case[] = [
  { name: 'the last state', read: { seen: LAST }, found: [] },
  { name: 'the state before, where it was written', read: { seen: OLD }, found: ['unexpected'] },
  { name: 'the state before, elsewhere', read: { seen: OLD, via: 'west' }, found: [] },
  { name: 'nothing, where it was written', read: { seen: ABSENT }, found: ['unexpected'] },
  { name: 'nothing, elsewhere', read: { seen: ABSENT, via: 'west' }, found: [] },
  {
    name: 'the state before, elsewhere, though the version of the write was demanded',
    read: { seen: OLD, via: 'west', atLeast: 1 },
    found: ['unexpected'],
  },
  {
    name: 'nothing, elsewhere, though the version of the write was demanded',
    read: { seen: ABSENT, via: 'west', atLeast: 1 },
    found: ['unexpected'],
  },
  {
    name: 'the state that was demanded, elsewhere',
    read: { seen: OLD, via: 'west', atLeast: 0 },
    found: [],
  },
  {
    name: 'a value that nobody wrote',
    read: { seen: present({ ...first, lastName: 'X' }) },
    found: ['unexpected', 'unexpected'],
  },
  {
    name: 'a value before it was written',
    read: { seen: LAST, startMs: 500 },
    found: ['unexpected'],
  },
  { name: 'a status of trouble', read: { outcome: 'unknown', status: 500 }, found: ['unexpected'] },
  { name: 'a region that is down', read: { outcome: 'unknown', status: 503 }, found: [] },
  {
    name: 'a region that the stand-in does not reach',
    read: { outcome: 'unknown', status: 502, via: 'front' },
    found: [],
  },
  {
    name: 'a bad gateway where there is none',
    read: { outcome: 'unknown', status: 502 },
    found: ['unexpected'],
  },
];

describe('the checker, from what clients saw meanwhile', () => {
  it.each(CASES)('$name: $found', ({ read, found: verdicts }) => {
    expect(found(read)).toEqual(verdicts);
  });

  it('finds a write whose answer does not show it', () => {
    expect(found({}, [PUT, { ...PATCH, seen: OLD }])).toEqual(['unexpected']);
    expect(found({}, [PUT, { ...PATCH, seen: LAST }])).toEqual([]);
  });

  it('finds a refusal that denies what the region has acknowledged', () => {
    const refusal: Forged = { ...PATCH, outcome: 'refused', status: 404, seen: ABSENT };
    expect(found({}, [PUT, PATCH, refusal])).toEqual(['unexpected']);
    expect(found({}, [PUT, PATCH, { ...refusal, via: 'west' }])).toEqual([]);
  });
});
