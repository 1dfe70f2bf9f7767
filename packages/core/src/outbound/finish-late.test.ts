import { beforeEach, describe, expect, test } from 'vitest';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { Archive } from '../ports/archive.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import { finishLate, type LateFinish } from './relay.ts';

function entry(n: number): OutboxEntry {
  const stamp = formatStamp({ timeMs: n, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  const common = { owed: ['west'], parkedFor: undefined, encoded: new Uint8Array() };
  return { ...common, set, committedAfterMs: n };
}

const PAUSE_MS = 100;
const NEVER = new Promise<never>(() => undefined);
const numbers = (entries: readonly { readonly set: { readonly stamp: string } }[]): number[] =>
  entries.map(({ set }) => parseInt(set.stamp.slice(0, 12), 16));

let clock: VirtualClock;
let calls: [string, ...number[]][];
let failing: boolean;
/** What the archive waits for before it answers. */
let answering: Promise<unknown> | undefined;
let failures: unknown[];
let late: LateFinish;

beforeEach(() => {
  clock = createVirtualClock(0);
  calls = [];
  failing = false;
  answering = undefined;
  failures = [];
  const archive: Archive = {
    async append(entries) {
      if (failing) throw new Error('no archive');
      await answering;
      calls.push(['archive', ...numbers(entries)]);
    },
    has: async ({ bucket }) => bucket === '00',
    read: ({ bucket }) =>
      (async function* () {
        yield { ...entry(1).set, bucket };
      })(),
  };
  const outbox: Outbox = {
    entityKind: 'Devices',
    buckets: ['00'],
    scan: async ({ limit }) => ({ entries: [entry(limit)], unreadable: [], aside: [] }),
    remove: async (entries) => void calls.push(['remove', ...numbers(entries)]),
    park: async (one) => void calls.push(['park', ...numbers([one])]),
    settle: async () => 'gone',
  };
  const outboxes = new Map([['Devices', outbox]]);
  const onFailure = (error: unknown) => failures.push(error);
  late = finishLate({ archive, outboxes, clock, pauseMs: PAUSE_MS, lengthMax: 10, onFailure });
});

async function relayAll(entries: readonly OutboxEntry[]): Promise<void> {
  for (const one of entries) {
    await late.archive([one]);
    await late.remove([one]);
  }
}

describe('finishing late', () => {
  test('does the first at once, and what gathers in the pause together', async () => {
    await relayAll([entry(1), entry(2), entry(3)]);
    await clock.advance(0);
    expect(calls).toEqual([['archive', 1]]);
    await clock.advance(PAUSE_MS);
    expect(calls.slice(1)).toEqual([
      ['archive', 2, 3],
      ['remove', 1, 2, 3],
    ]);
    expect(failures).toEqual([]);
  });

  test('never removes what could not be archived: the sweep has it', async () => {
    failing = true;
    const [lost, kept] = [entry(1), entry(2)];
    await late.archive([lost]);
    await clock.advance(0);
    failing = false;
    await late.archive([kept]);
    await late.remove([lost, kept]);
    await clock.advance(PAUSE_MS);
    expect(calls).toEqual([
      ['archive', 2],
      ['remove', 2],
    ]);
    expect(failures).toEqual([new Error('no archive')]);
  });

  test('leaves to the sweep what exceeds its bound', async () => {
    await late.archive([entry(0)]);
    const many = Array.from({ length: 25 }, (_, index) => entry(index + 1));
    await relayAll(many);
    await clock.advance(10 * PAUSE_MS);
    const archived = new Set(calls.flatMap(([what, ...own]) => (what === 'archive' ? own : [])));
    const removed = calls.flatMap(([what, ...own]) => (what === 'remove' ? own : []));
    expect(archived.size).toBeLessThan(25);
    expect(removed.every((one) => archived.has(one))).toBe(true);
  });

  test('archives before it parks, for then the row tells of the commit no more', async () => {
    await late.park(entry(1), ['west']);
    expect(calls).toEqual([
      ['archive', 1],
      ['park', 1],
    ]);
  });

  test('leaves to the sweep what it would have to remove beyond its bound', async () => {
    const many = Array.from({ length: 25 }, (_, index) => entry(index + 1));
    for (let at = 0; at < many.length; at += 5) {
      await late.archive(many.slice(at, at + 5));
      await clock.advance(PAUSE_MS);
    }
    calls.length = 0;
    await late.archive([entry(99)]);
    await late.remove(many.slice(0, 8));
    await late.remove(many.slice(8));
    await clock.advance(10 * PAUSE_MS);
    expect(calls).toEqual([
      ['archive', 99],
      ['remove', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ]);
  });

  test('when drained waits for no pause, but for what is under way, or the deadline', async () => {
    await relayAll([entry(1)]);
    await late.drain(NEVER);
    expect(calls).toEqual([
      ['archive', 1],
      ['remove', 1],
    ]);
    await late.drain(NEVER);
    answering = NEVER;
    await late.archive([entry(2)]);
    await late.drain(Promise.resolve());
    const drained = late.drain(NEVER).then(() => 'drained');
    expect(await Promise.race([drained, clock.advance(PAUSE_MS)])).toBeUndefined();
  });
});
